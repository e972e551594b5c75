#pragma once

#include <bulkhead/config/policy.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead {

/// One difference between two policies.
struct policy_change {
  enum class effect : std::uint8_t {
    now,     ///< from the next request on
    restart, ///< when the program starts again
  };

  std::string key;  ///< "hosts.formatter.permissions"; "hosts.formatter" for a whole host
  std::string from; ///< as TOML writes it; empty where there was none
  std::string to;
  effect takes_effect = effect::restart;

  friend bool operator==(policy_change const&, policy_change const&) = default;
};

/// What is different, key by key in the order of the reference, hosts in the order of `to`. The
/// values of environment variables are left out.
std::vector<policy_change> policy_changes(policy const& from, policy const& to);

/// `hosts.formatter.permissions: ["fileSystem.read"] -> [] (from the next request on)`.
std::string to_string(policy_change const& change);

} // namespace bulkhead
