#include "containment_check.hpp"

namespace bulkhead::tool {
namespace {

using platform::machine_report;
using platform::mechanism;
using platform::purpose;

using mechanisms = std::vector<mechanism const*>;

void append(mechanisms& all, mechanisms const& more) {
  all.insert(all.end(), more.begin(), more.end());
}

/// Without a control group memory and processes are bounded by rlimits, and watched; for programs
/// of any kind memory is not.
mechanisms missing_limits(host_policy const& host, machine_report const& machine) {
  mechanisms missing;
  if (host.limits.cpu_percent != 0)
    append(missing, machine.missing_for(purpose::cpu_limit));
  if (host.runtime == host_runtime::command)
    append(missing, machine.missing_for(purpose::memory_limit));
  return missing;
}

host_verdict check(host_policy const& host, machine_report const& machine) {
  auto const required = host.sandbox.require;
  host_verdict verdict{
      .host = host.id, .required = required, .unmet = machine.missing_for(required), .unheld = {}};
  if (host.runtime == host_runtime::node)
    append(verdict.unmet, machine.missing_for(purpose::node_hosts));
  if (required != sandbox_tier::none)
    append(required == sandbox_tier::strong ? verdict.unmet : verdict.unheld,
           missing_limits(host, machine));
  return verdict;
}

} // namespace

std::vector<host_verdict> check_containment(policy const& rules, machine_report const& machine) {
  std::vector<host_verdict> verdicts;
  for (auto const& host : rules.hosts)
    verdicts.push_back(check(host, machine));
  return verdicts;
}

} // namespace bulkhead::tool
