#include <bulkhead/platform/machine_probe.hpp>

#include <bulkhead/platform/linux/interpreter_probe.hpp>
#include <bulkhead/platform/linux/kernel_probes.hpp>
#include <bulkhead/platform/linux/launch_probes.hpp>
#include <bulkhead/platform/linux/probe_verdict.hpp>
#include <bulkhead/platform/linux/resource_probes.hpp>

#include <algorithm>
#include <iterator>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// What the strong tier has beside the basic one. A bubblewrap that is not fit is not executed.
std::vector<mechanism> probe_strong_tier(probe_options const& options) {
  auto namespaces = probe_user_namespaces(options.first_uid);
  auto bubblewrap = probe_bubblewrap(options.bubblewrap);
  auto launched = bubblewrap.holds
                      ? probe_launch(sandbox_tier::strong, options.bubblewrap, options.first_uid)
                      : not_held(launch_of(sandbox_tier::strong), "not tried without bubblewrap",
                                 bubblewrap.remedy);
  if (launched.holds && !namespaces.holds) {
    // By an AppArmor profile of its own, say; bubblewrap is what matters.
    namespaces =
        held(std::move(namespaces), "bubblewrap may make them, which this program may not");
    namespaces.remedy.clear();
  } else if (!launched.holds && !namespaces.holds)
    launched.remedy = namespaces.remedy;
  return {std::move(namespaces), std::move(bubblewrap), std::move(launched)};
}

} // namespace

machine_report probe_machine(probe_options const& options) {
  machine_report report{.user = ::geteuid(), .mechanisms = {}};
  auto& found = report.mechanisms;
  auto const add = [&](std::vector<mechanism> verdicts) {
    std::ranges::move(verdicts, std::back_inserter(found));
  };
  add({probe_pidfd(), probe_node(options.search_path), probe_landlock(), probe_seccomp(),
       probe_programs_in_memory()});
  if (report.user == 0)
    add({probe_host_users(options.first_uid, options.uids)});
  add({probe_launch(sandbox_tier::basic, options.bubblewrap, options.first_uid)});
  add(probe_strong_tier(options));
  add(probe_limits());
  add({probe_openat2(), probe_locked_memory()});
  return report;
}

} // namespace bulkhead::platform
