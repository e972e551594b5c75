#pragma once

#include <bulkhead/config/load.hpp>
#include <bulkhead/config/policy_keys.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

/// From TOML values to a policy's: the loader's lower half. Internal to config.
namespace bulkhead::policy_values {

/// What is read so far, with all that is wrong with it.
struct reading {
  std::filesystem::path base; ///< what relative paths are relative to; absolute
  policy_keys::draft draft;
  std::vector<policy_mistake> mistakes;

  void mistake(toml::source_region const& where, errc code, std::string sentence);
};

/// "a string", "a table": what a value is, for a sentence.
std::string_view kind_of(toml::node const& node) noexcept;

/// Puts the value into the draft; false, and a mistake at the value's place for each thing that is
/// wrong, where it is not what the key takes. `shown` is the key as the user wrote it:
/// "hosts.formatter.limits.frame".
bool read(policy_keys::key const& key, toml::node const& node, std::string_view shown,
          reading& into);

} // namespace bulkhead::policy_values
