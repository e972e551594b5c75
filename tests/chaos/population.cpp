#include "population.hpp"

#include <bulkhead/platform/machine_probe.hpp>
#include <bulkhead/testing.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace chaos {
namespace {

using namespace bulkhead;
using namespace std::chrono_literals;
namespace disk = std::filesystem;

/// The system's own: a version manager's python3 is a script that needs an environment.
constexpr auto python = "/usr/bin/python3";
disk::path const hosts_folder{BULKHEAD_TEST_SOURCE_DIR "/tests/integration"};
/// Few, so that some requests are refused for it.
constexpr std::size_t few_in_flight = 64;

enum class kind { plain, stubborn, by_path, impatient, slow_to_start, node, strong, basic };

/// Mostly the lightest, as their number is what matters.
constexpr std::array kinds{kind::plain, kind::strong,    kind::stubborn, kind::by_path,
                           kind::plain, kind::impatient, kind::node,     kind::plain,
                           kind::plain, kind::by_path,   kind::basic,    kind::slow_to_start};

host_policy raw(std::string id, std::vector<std::string> steps) {
  std::vector<std::string> command{python, "-I", (hosts_folder / "hosts/raw_host.py").string()};
  command.insert(command.end(), steps.begin(), steps.end());
  return testing::command_host(std::move(id), std::move(command));
}

host_policy make_host(kind what, std::string id, sandbox_tier best) {
  switch (what) {
  case kind::plain:
    return raw(std::move(id), {"ready", "serve"});
  case kind::stubborn:
    return raw(std::move(id), {"ignore-term", "ready", "serve"});
  case kind::by_path: {
    auto host = raw(std::move(id), {"ready", "serve"});
    host.transport = host_transport::sockets;
    return host;
  }
  case kind::impatient: {
    auto host = raw(std::move(id), {"ready", "serve"});
    host.health = {100ms, 300ms, 700ms};
    host.limits.in_flight = few_in_flight;
    return host;
  }
  case kind::slow_to_start: {
    auto host = raw(std::move(id), {"sleep:0.3", "ready", "serve"});
    host.start_timeout = 500ms;
    return host;
  }
  case kind::node: {
    auto host = testing::node_host(std::move(id), hosts_folder / "extensions/echo");
    host.start.warm = 1;
    return host;
  }
  case kind::strong:
  case kind::basic: {
    auto host = testing::node_host(std::move(id), hosts_folder / "extensions/echo");
    host.sandbox.require =
        std::min(best, what == kind::basic ? sandbox_tier::basic : sandbox_tier::strong);
    host.start.warm = what == kind::strong ? 1 : 0;
    return host;
  }
  }
  return {};
}

void hurry(host_policy& host) {
  host.restart.max_restarts = 3;
  host.restart.window = 10s;
  host.restart.backoff_max = 100ms;
  host.restart.reset_after = 500ms;
  host.restart.never_on_exit_codes = {78};
  host.stop.deactivate_timeout = 300ms;
  host.stop.term_timeout = 300ms;
  if (host.health.kill_after == defaults::kill_after)
    host.health = {500ms, 1s, 3s};
}

void grant(host_policy& host) {
  using enum permission;
  for (auto const each : {file_system_read, file_system_write, file_system_delete, workspace_read,
                          secrets_read, secrets_write, ui_notifications})
    host.permissions.insert(each);
}

} // namespace

population make_population(std::size_t hosts, disk::path const& state_dir) {
  auto const best = platform::probe_machine().best_tier();
  population all;
  std::vector<host_policy> policies;
  for (std::size_t i = 0; i < hosts; ++i) {
    auto const what = kinds[i % kinds.size()];
    auto host = make_host(what, "host" + std::to_string(i), best);
    hurry(host);
    grant(host);
    all.hosts.push_back({host.id, host.runtime == host_runtime::node});
    policies.push_back(std::move(host));
  }
  all.rules = testing::policy_of(std::move(policies));
  all.rules.name = "chaos";
  all.rules.state_dir = state_dir;
  all.rules.drain_timeout = 500ms;
  all.rules.secrets.backend = secret_backend_kind::memory;
  for (auto const* const type : {quick_work, slow_work, bad_work})
    all.rules.requests.emplace(type, permission::ui_notifications);
  return all;
}

} // namespace chaos
