#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/platform/machine_report.hpp>

#include <string>
#include <vector>

namespace bulkhead::tool {

/// What a machine can do for one host of a policy.
struct host_verdict {
  std::string host;
  sandbox_tier required = sandbox_tier::none;
  /// What stands against its start. They point into the machine's report.
  std::vector<platform::mechanism const*> unmet;
  /// Limits that it starts without, as its tier allows.
  std::vector<platform::mechanism const*> unheld;

  bool can_start() const noexcept { return unmet.empty(); }
};

/// In the order of the policy. Under the strong tier a limit that does not hold stands against the
/// start, under the basic one it is left out; without containment there are none.
std::vector<host_verdict> check_containment(policy const& rules,
                                            platform::machine_report const& machine);

} // namespace bulkhead::tool
