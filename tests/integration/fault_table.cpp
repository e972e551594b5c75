#include "fault_table.hpp"

#include "process_tree.hpp"
#include "shared/forked.hpp"
#include "shared/text.hpp"

#include <exception>
#include <utility>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;

namespace faults {
namespace {

/// The reason, with the code of the breach where there is one: "protocol_violation: frame_empty,
/// 4301".
std::string told(host_event const& end) {
  std::string text{to_string(end.why)};
  if (end.why != reason::protocol_violation)
    return text;
  auto const begin = end.detail.find('(');
  auto const close = end.detail.find(')', begin);
  return text + ": " + end.detail.substr(begin + 1, close - begin - 1);
}

std::string end_of(harness& run, std::string const& id) {
  run.host(id).async_start([](std::exception_ptr, host_state) {});
  auto const end = run.wait_for_entry(id, host_state::Unhealthy);
  return end && run.wait_for(id, host_state::Crashed) ? told(*end) : "it did not end";
}

std::string final_end_of(harness& run, std::string const& id) {
  run.host(id).async_start([](std::exception_ptr, host_state) {});
  auto const end = run.wait_for_entry(id, host_state::Crashed);
  return end ? told(*end) + " after " + std::to_string(end->restarts) + " restarts"
             : "it did not end";
}

/// What it printed behind `begin`, once it is Running.
std::string line_of(harness& run, std::string const& id, std::string_view begin) {
  run.host(id).async_start([](std::exception_ptr, host_state) {});
  auto const line = run.wait_for_log('[' + id + "] stdout: " + std::string{begin});
  return line ? *line : std::string{};
}

std::string stopped(harness& run, std::string const& id, std::string how) {
  auto const ended = test_hosts::stop(run.host(id));
  return ended && run.path_of(id).ends_with("Stopping Stopped") ? std::move(how)
                                                                : "it did not stop";
}

std::string stops(harness& run, std::string const& id) {
  if (!test_hosts::start(run.host(id)))
    return "it did not start";
  return stopped(run, id, "stop() ends in Stopped");
}

std::string is_served_on(harness& run, std::string const& id, std::string before) {
  auto const reply = run.call_host(id, "echo");
  if (!reply || run.host(id).status().restarts != 0)
    return "it is not served any more";
  return stopped(run, id, before + "; it is served on");
}

std::string stops_reading(harness& run, std::string const& id) {
  if (!test_hosts::start(run.host(id)) || !run.call_host(id, "stop-reading"))
    return "it did not start";
  call_tally tally;
  json const large(std::string(1 << 20, 'x'));
  for (auto i = 0; i < 40; ++i)
    run.host(id).async_request("echo", large, 10min, tally.one());
  auto const refused = run.call_host(id, "echo");
  auto const stopped = test_hosts::stop(run.host(id));
  if (refused || !stopped || !tally.wait(patience) || !tally.each_ended_once())
    return "its requests do not end";
  return "requests to it end in " + std::string{to_string(refused.error().code())} + ", " +
         std::to_string(static_cast<int>(refused.error().code()));
}

std::string floods(harness& run, std::string const& id) {
  auto const answers = line_of(run, id, "flood");
  return is_served_on(run, id,
                      contains(answers, "overloaded") ? "most are answered by overloaded, 4005"
                                                      : "all are let in");
}

/// A zombie is somebody else's to reap.
bool lives(pid_t process) {
  auto const stat = process_file(process, "stat");
  return !stat.empty() && !contains(stat, ") Z ");
}

std::string leaves_a_daemon(harness& run, std::string const& id) {
  auto const line = line_of(run, id, "daemon ");
  if (line.empty())
    return "it started none";
  auto const daemon = std::stoi(line.substr(line.rfind(' ')));
  auto const how = stopped(run, id, "stop() ends all of them");
  // Without a control group nothing but its process group ends with it.
  auto const is_held = is_root();
  return is_held && lives(daemon) ? "the daemon lives on" : how;
}

std::string const ready_frame =
    R"(frame:{"id":"x","type":"extension-host-ready","payload":{"ready":true}})";
std::string const request_frame = R"(frame:{"id":"a","type":"log","payload":{}})";

void soon_hung(host_policy& host) {
  host.health = {20ms, 50ms, 150ms};
}
void soon_killed(host_policy& host) {
  host.stop.term_timeout = 100ms;
}

/// A host that sends this after its ready message, and waits.
fault breach(int threat, std::string_view what, std::string_view code,
             std::vector<std::string> steps) {
  steps.insert(steps.begin(), "ready");
  steps.emplace_back("pause");
  return {threat, what, code, std::move(steps), end_of};
}

std::vector<fault> make_table() {
  return {
      breach(17, "a frame of length 0", "protocol_violation: frame_empty, 4301", {"hex:00000000"}),
      breach(17, "a frame that announces 4 GiB", "protocol_violation: frame_too_large, 4302",
             {"announce:4294967295"}),
      breach(18, "a frame that is cut off", "protocol_violation: frame_truncated, 4303",
             {"announce:10", "hex:7b", "shutdown-write"}),
      {20,
       "it connects and never says ready",
       "start_timeout",
       {"pause"},
       end_of,
       [](host_policy& host) { host.start_timeout = 300ms; }},
      {21,
       "a request before ready",
       "protocol_violation: not_ready, 4313",
       {request_frame, "pause"},
       end_of},
      breach(21, "a second ready message", "protocol_violation: ready_twice, 4314", {ready_frame}),
      breach(22, "text that is not JSON", "protocol_violation: json_syntax, 4304",
             {"frame:nonsense"}),
      breach(22, "bytes behind the object", "protocol_violation: json_trailing, 4305",
             {R"(frame:{"id":"a","type":"log","payload":{}} x)"}),
      breach(22, "a byte order mark", "protocol_violation: json_syntax, 4304",
             {"bytes:efbbbf7b7d"}),
      breach(23, "100 000 brackets in each other", "protocol_violation: json_depth, 4307",
             {"deep:100000"}),
      breach(24, "a lone surrogate", "protocol_violation: json_encoding, 4306",
             {R"(frame:{"id":"a","type":"log","payload":"\ud800"})"}),
      breach(25, "a key twice", "protocol_violation: json_duplicate_key, 4308",
             {R"(frame:{"id":"a","type":"log","payload":{"k":1,"k":2}})"}),
      breach(26, "a number without measure", "protocol_violation: json_number, 4309",
             {R"(frame:{"id":"a","type":"log","payload":1e999})"}),
      breach(27, "replies that nobody waits for", "protocol_violation: unknown_reply, 4312",
             {"reply-unknown:50"}),
      breach(28, "a flood of replies", "protocol_violation: unknown_reply, 4312",
             {"reply-unknown:20000"}),
      {28,
       "a flood of notifications",
       "they are dropped; it is served on",
       {"ready", "notify:20000", "print:done", "serve"},
       [](harness& run, std::string const& id) {
         line_of(run, id, "done");
         return is_served_on(run, id,
                             run.host(id).status().denied > 0 ? "they are dropped" : "they pass");
       }},
      {29,
       "it stops reading",
       "requests to it end in overloaded, 4005",
       {"ready", "serve"},
       stops_reading,
       soon_killed},
      {30,
       "20 000 requests at once",
       "most are answered by overloaded, 4005; it is served on",
       {"ready", "flood:20000", "serve"},
       floods,
       [](host_policy& host) { host.limits.in_flight = 50; }},
      breach(31, "a descriptor that nobody asked for",
             "protocol_violation: unexpected_descriptor, 4317", {"descriptor"}),
      {32,
       "it floods without end while it is stopped",
       "stop() ends in Stopped",
       {"ready", "notify-without-end"},
       stops,
       soon_killed},
      breach(33, "a member that is not the protocol's",
             "protocol_violation: envelope_invalid, 4310",
             {R"(frame:{"id":"a","type":"log","payload":{},"__proto__":{}})"}),
      {60,
       "it crashes at each start",
       "restart_budget_spent after 3 restarts",
       {"exit:1"},
       final_end_of,
       [](host_policy& host) { host.restart.max_restarts = 3; }},
      {61, "it stops itself by SIGSTOP", "hung", {"ready", "stop"}, end_of, soon_hung},
      {61, "it loops without end", "hung", {"ready", "spin"}, end_of, soon_hung},
      {62,
       "it ignores SIGTERM",
       "stop() ends in Stopped",
       {"ignore-term", "ready", "pause"},
       stops,
       soon_killed},
      {63,
       "it leaves a daemon in a session of its own",
       "stop() ends all of them",
       {"ready", "daemon", "serve"},
       leaves_a_daemon},
      {65,
       "it leaves 20 zombies",
       "stop() ends in Stopped",
       {"zombies:20", "ready", "serve"},
       stops},
      {67, "it crashes before ready", "exit_code", {"exit:3"}, end_of},
      {67,
       "it closes its connection and goes on",
       "connection_closed",
       {"ready", "close", "pause"},
       end_of},
      {68,
       "a storm of crashes",
       "restart_budget_spent after 10 restarts",
       {"ready", "exit:1"},
       final_end_of,
       [](host_policy& host) { host.restart.max_restarts = 10; }},
  };
}

} // namespace

std::span<fault const> fault_table() {
  static auto const table = make_table();
  return table;
}

std::string id_of(std::size_t row) {
  return "fault" + std::to_string(row);
}

host_policy host_of(fault const& which, std::size_t row) {
  auto host = test_hosts::raw_host(which.steps, id_of(row));
  host.autostart = false;
  host.restart.max_restarts = 0;
  host.limits.frame = 4u << 20;
  host.permissions.insert(permission::commands_execute);
  if (which.with)
    which.with(host);
  return host;
}

policy policy_of_all() {
  std::vector<host_policy> hosts{test_hosts::serving_host("steady")};
  for (auto const& each : fault_table())
    hosts.push_back(host_of(each, hosts.size() - 1));
  auto what = policy_of(std::move(hosts));
  what.requests.emplace("work", permission::commands_execute);
  return what;
}

} // namespace faults
