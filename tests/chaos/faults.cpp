#include "faults.hpp"

#include "process_tree.hpp"

#include <bulkhead/platform/pidfd.hpp>

#include <array>
#include <csignal>
#include <deque>
#include <utility>

namespace chaos {
namespace {

using namespace bulkhead;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto longest_pause = 90ms;
/// Beyond what an impatient host may be silent for.
constexpr auto longest_freeze = 1500ms;
/// Of a request that brings about a fault: most get no reply.
constexpr auto fault_deadline = 500ms;
constexpr std::size_t largest_flood = 400;
/// Longer than any run.
constexpr auto orphan_seconds = 7200;

class injector {
public:
  injector(target const& into, dice roll)
      : into_{into}
      , roll_{std::move(roll)} {}

  void run(std::stop_token const& stop);

private:
  struct fault {
    char const* name;
    std::size_t weight;
    bool (injector::*inject)(inhabitant const&); ///< false: it could not be done to this host
  };
  static std::array<fault, 16> const faults;

  struct frozen_process {
    clock::time_point until;
    platform::unique_fd process;
  };

  host_handle handle(inhabitant const& host) const { return into_.run.host(host.id); }
  bool tell(inhabitant const& host, char const* raw, json payload);
  bool tell_node(inhabitant const& host, char const* command, boost::json::array arguments = {});
  void thaw(clock::time_point now);

  // Without its doing.
  bool kill(inhabitant const& host);
  bool freeze(inhabitant const& host);
  // By itself.
  bool exit(inhabitant const& host);
  bool abort(inhabitant const& host);
  bool hang(inhabitant const& host);
  bool flood(inhabitant const& host);
  bool garbage(inhabitant const& host) { return tell(host, "garbage", nullptr); }
  bool stray_replies(inhabitant const& host);
  bool orphan(inhabitant const& host) { return tell(host, "orphan", orphan_seconds); }
  bool close(inhabitant const& host) { return tell(host, "close", nullptr); }
  bool uncaught(inhabitant const& host) { return tell_node(host, "uncaught", {"chaos"}); }
  // As operators do.
  bool start(inhabitant const& host);
  bool stop(inhabitant const& host);
  bool restart(inhabitant const& host);
  bool change_policy(inhabitant const& host);
  bool start_all(inhabitant const& host);

  target const& into_;
  dice roll_;
  std::deque<frozen_process> frozen_;
};

std::array<injector::fault, 16> const injector::faults{{
    {"kill", 12, &injector::kill},
    {"freeze", 8, &injector::freeze},
    {"exit", 8, &injector::exit},
    {"abort", 5, &injector::abort},
    {"hang", 6, &injector::hang},
    {"flood", 12, &injector::flood},
    {"garbage", 4, &injector::garbage},
    {"stray replies", 4, &injector::stray_replies},
    {"orphan", 5, &injector::orphan},
    {"close", 4, &injector::close},
    {"uncaught", 2, &injector::uncaught},
    {"start", 10, &injector::start},
    {"stop", 5, &injector::stop},
    {"restart", 5, &injector::restart},
    {"policy", 8, &injector::change_policy},
    {"start all", 2, &injector::start_all},
}};

void injector::run(std::stop_token const& stop) {
  while (!stop.stop_requested()) {
    auto const& chosen = roll_.pick_weighted(faults);
    if ((this->*chosen.inject)(into_.any_host(roll_)))
      into_.counted.fault(chosen.name);
    pause(stop, roll_.between(5ms, longest_pause));
    thaw(clock::now());
  }
}

bool injector::tell(inhabitant const& host, char const* raw, json payload) {
  if (host.is_node)
    return false;
  handle(host).async_request(raw, std::move(payload), fault_deadline, into_.requests.one());
  return true;
}

bool injector::tell_node(inhabitant const& host, char const* command,
                         boost::json::array arguments) {
  if (!host.is_node)
    return false;
  handle(host).async_command(command, std::move(arguments), fault_deadline, into_.requests.one());
  return true;
}

// ---- without its doing --------------------------------------------------------------------------

bool injector::kill(inhabitant const& host) {
  auto const process = hold_process(handle(host));
  return process && platform::send_signal(process.get(), SIGKILL);
}

bool injector::freeze(inhabitant const& host) {
  auto process = hold_process(handle(host));
  if (!process || !platform::send_signal(process.get(), SIGSTOP))
    return false;
  frozen_.push_back({clock::now() + roll_.between(10ms, longest_freeze), std::move(process)});
  return true;
}

void injector::thaw(clock::time_point now) {
  std::erase_if(frozen_, [&](frozen_process const& each) {
    if (each.until > now)
      return false;
    platform::send_signal(each.process.get(), SIGCONT);
    return true;
  });
}

// ---- by itself ----------------------------------------------------------------------------------

bool injector::exit(inhabitant const& host) {
  constexpr std::array codes{0, 1, 3, 78, 255};
  auto const code = roll_.pick(codes);
  return host.is_node ? tell_node(host, "exit", {code}) : tell(host, "exit", code);
}

bool injector::abort(inhabitant const& host) {
  return host.is_node ? tell_node(host, "crash") : tell(host, "abort", nullptr);
}

bool injector::hang(inhabitant const& host) {
  return host.is_node ? tell_node(host, "spin") : tell(host, "stop-reading", nullptr);
}

bool injector::flood(inhabitant const& host) {
  struct asked {
    char const* type;
    json payload;
  };
  std::array const kinds{asked{quick_work, 1},
                         asked{slow_work, 2},
                         asked{bad_work, 3},
                         asked{"chaos.unknown", nullptr},
                         asked{"log", {{"level", "info"}, {"message", "chaos"}}},
                         asked{"fs.readFile", {{"path", "/etc/hostname"}}},
                         asked{"secretStore", {{"key", "k"}, {"value", "v"}}},
                         asked{"workspace-find-files", {{"include", "**"}}}};
  auto const& [type, payload] = roll_.pick(kinds);
  if (host.is_node)
    return tell_node(host, "ask", {type, payload});
  auto const count = roll_.between(1, largest_flood);
  return tell(host, "ask-often", {{"count", count}, {"type", type}, {"payload", payload}});
}

bool injector::stray_replies(inhabitant const& host) {
  return tell(host, "reply-unknown", roll_.between(1, 20));
}

// ---- as operators do ----------------------------------------------------------------------------

bool injector::start(inhabitant const& host) {
  handle(host).async_start(into_.controls.one());
  return true;
}

bool injector::stop(inhabitant const& host) {
  handle(host).async_stop(into_.controls.one());
  return true;
}

bool injector::restart(inhabitant const& host) {
  handle(host).async_stop(
      [again = handle(host), stopped = into_.controls.one(),
       started = into_.controls.one()](std::exception_ptr const& failed, host_state state) mutable {
        stopped(failed, state);
        again.async_start(std::move(started));
      });
  return true;
}

bool injector::start_all(inhabitant const&) {
  for (auto const& each : into_.inhabitants.hosts)
    start(each);
  return true;
}

bool injector::change_policy(inhabitant const&) {
  auto changed = into_.inhabitants.rules;
  for (auto& host : changed.hosts) {
    if (roll_.percent(30))
      host.rate_limit.requests_per_second = host.rate_limit.burst =
          static_cast<std::uint32_t>(roll_.between(1, 1000));
    if (roll_.percent(20))
      host.permissions = {};
    if (roll_.percent(10))
      host.filesystem.rules.write = {};
  }
  if (roll_.percent(20))
    changed.requests.clear();
  // One in ten can't be compiled, and has to change nothing.
  if (roll_.percent(10))
    changed.hosts.front().filesystem.rules.deny = {{"/chaos/[", "[", 1, "chaos", false}};
  into_.run->async_update_policy(std::move(changed), into_.controls.one());
  into_.counted.policy_reload();
  return true;
}

} // namespace

void inject_faults(target const& into, dice roll, std::stop_token const& stop) {
  injector{into, std::move(roll)}.run(stop);
}

} // namespace chaos
