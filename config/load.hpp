#pragma once

#include <bulkhead/config/policy.hpp>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// A policy is text that somebody wrote by hand; a longer file is some other file, and is not read.
inline constexpr std::size_t policy_file_limit = 1u << 20;

/// One mistake in a policy file.
struct policy_mistake {
  errc code;
  std::size_t line = 0;   ///< from 1; 0 where the mistake has no place
  std::size_t column = 0; ///< from 1, in characters
  std::string
      sentence; ///< `unknown key "memmory" in hosts.formatter.limits - did you mean "memory"?`
};

/// Every mistake of one file, in the order of the file. Its code is the first one's.
class policy_error : public error {
public:
  /// `mistakes` is not empty.
  policy_error(std::string_view file, std::vector<policy_mistake> mistakes);

  std::span<policy_mistake const> mistakes() const noexcept { return mistakes_; }
  /// All of them, a line each: `policy.toml:14:3: unknown key …`.
  std::string const& report() const noexcept { return report_; }
  /// report(), so that whoever only prints what() shows everything.
  char const* what() const noexcept override { return report_.c_str(); }

private:
  std::vector<policy_mistake> mistakes_;
  std::string report_;
};

/// Reads, checks and resolves a policy file; nothing else is read, so whether an extension exists
/// shows at its start. Relative paths are resolved against the file's folder, a command only where
/// it contains a slash (else PATH decides). Throws policy_error with every mistake of the file; a
/// file that is not TOML gives the first one only.
policy load_policy(std::filesystem::path const& file);

/// The same for text; `base` is what relative paths are relative to and `name` stands in the
/// report.
policy parse_policy(std::string_view toml, std::filesystem::path const& base,
                    std::string_view name = "policy");

} // namespace bulkhead
