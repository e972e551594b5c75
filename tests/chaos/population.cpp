#include "population.hpp"

#include <bulkhead/platform/machine_probe.hpp>
#include <bulkhead/testing.hpp>

#include <algorithm>
#include <array>
#include <fstream>
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

/// Node keeps what it compiled of a script from a few KiB on.
constexpr std::size_t worth_compiling = 8'000;
/// Of hosts that write files of up to 2 MiB: those fit beside the JSON, and not in it as base64.
constexpr std::size_t tight_frame = (2u << 20) + (256u << 10);

enum class kind { plain, stubborn, by_path, impatient, slow_to_start, node, strong, basic, files };

/// Mostly the lightest, as their number is what matters.
constexpr std::array kinds{kind::plain, kind::strong,    kind::stubborn, kind::by_path,
                           kind::plain, kind::impatient, kind::node,     kind::files,
                           kind::plain, kind::by_path,   kind::basic,    kind::slow_to_start};

host_policy raw(std::string id, std::vector<std::string> steps) {
  std::vector<std::string> command{python, "-I", (hosts_folder / "hosts/raw_host.py").string()};
  command.insert(command.end(), steps.begin(), steps.end());
  return testing::command_host(std::move(id), std::move(command));
}

/// An extension that has the commands of "echo" and of ours, as one folder.
void make_extension(disk::path const& folder) {
  disk::copy(BULKHEAD_TEST_SOURCE_DIR "/tests/chaos/extension", folder);
  disk::copy(hosts_folder / "extensions/echo/main.js", folder / "echo.js");
  std::ofstream{folder / "echo.js", std::ios::app} << "// " << std::string(worth_compiling, '-');
}

host_policy make_host(kind what, std::string id, sandbox_tier best, disk::path const& home) {
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
  case kind::basic: {
    auto host = testing::node_host(std::move(id), hosts_folder / "extensions/echo");
    host.sandbox.require = std::min(best, sandbox_tier::basic);
    return host;
  }
  case kind::strong:
  case kind::files: {
    auto host = testing::node_host(std::move(id), home / "extension");
    host.sandbox.require = std::min(best, sandbox_tier::strong);
    host.start.warm = 1;
    host.start.code_cache = true;
    if (what == kind::files) {
      auto const folder = (home / "workspace").string();
      path_pattern const all{folder, folder, 0, "chaos", true};
      host.filesystem.workspace = {folder};
      host.filesystem.rules.read = host.filesystem.rules.write = {all};
      host.limits.frame = tight_frame;
    }
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

population make_population(std::size_t hosts, disk::path const& home) {
  auto const best = platform::probe_machine().best_tier();
  population all;
  all.workspace = home / "workspace";
  disk::create_directory(all.workspace);
  make_extension(home / "extension");
  std::vector<host_policy> policies;
  for (std::size_t i = 0; i < hosts; ++i) {
    auto const what = kinds[i % kinds.size()];
    auto host = make_host(what, "host" + std::to_string(i), best, home);
    hurry(host);
    grant(host);
    all.hosts.push_back({host.id, host.runtime == host_runtime::node, what == kind::files});
    policies.push_back(std::move(host));
  }
  all.rules = testing::policy_of(std::move(policies));
  all.rules.name = "chaos";
  all.rules.state_dir = home / "state";
  all.rules.drain_timeout = 500ms;
  all.rules.secrets.backend = secret_backend_kind::memory;
  for (auto const* const type : {quick_work, slow_work, bad_work})
    all.rules.requests.emplace(type, permission::ui_notifications);
  return all;
}

} // namespace chaos
