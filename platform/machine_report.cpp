#include <bulkhead/platform/machine_report.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <utility>

namespace bulkhead::platform {
namespace {

bool is_needed(purpose what, sandbox_tier tier) noexcept {
  switch (what) {
  case purpose::every_host:
    return true;
  case purpose::basic_tier:
    return tier >= sandbox_tier::basic;
  case purpose::strong_tier:
    return tier == sandbox_tier::strong;
  case purpose::node_hosts:
  case purpose::memory_limit:
  case purpose::processes_limit:
  case purpose::cpu_limit:
  case purpose::improvement:
    break;
  }
  return false;
}

template <class Condition>
std::vector<mechanism const*> missing(machine_report const& report, Condition concerns) {
  std::vector<mechanism const*> found;
  for (auto const& each : report.mechanisms)
    if (!each.holds && concerns(each.needed_for))
      found.push_back(&each);
  return found;
}

boost::json::array names_of(std::vector<mechanism const*> const& mechanisms) {
  boost::json::array names;
  for (auto const* const each : mechanisms)
    names.emplace_back(each->name);
  return names;
}

} // namespace

std::string_view to_string(purpose what) noexcept {
  switch (what) {
  case purpose::every_host:
    return "every host";
  case purpose::node_hosts:
    return "Node.js hosts";
  case purpose::basic_tier:
    return "the basic tier";
  case purpose::strong_tier:
    return "the strong tier";
  case purpose::memory_limit:
    return "limits.memory";
  case purpose::processes_limit:
    return "limits.processes";
  case purpose::cpu_limit:
    return "limits.cpu_percent";
  case purpose::improvement:
    return "improvement";
  }
  return "unknown";
}

sandbox_tier machine_report::best_tier() const {
  for (auto const tier : {sandbox_tier::strong, sandbox_tier::basic})
    if (missing_for(tier).empty())
      return tier;
  return sandbox_tier::none;
}

std::vector<mechanism const*> machine_report::missing_for(sandbox_tier tier) const {
  return missing(*this, [tier](purpose what) { return is_needed(what, tier); });
}

std::vector<mechanism const*> machine_report::missing_for(purpose what) const {
  return missing(*this, [what](purpose each) { return each == what; });
}

json to_json(machine_report const& report) {
  boost::json::array mechanisms;
  for (auto const& each : report.mechanisms)
    mechanisms.push_back({{"name", each.name},
                          {"holds", each.holds},
                          {"needed_for", to_string(each.needed_for)},
                          {"detail", each.detail},
                          {"remedy", each.remedy}});
  return {{"user", report.user},
          {"best_tier", to_string(report.best_tier())},
          {"missing",
           {{"basic", names_of(report.missing_for(sandbox_tier::basic))},
            {"strong", names_of(report.missing_for(sandbox_tier::strong))}}},
          {"mechanisms", std::move(mechanisms)}};
}

} // namespace bulkhead::platform
