#pragma once

#include "test_hosts.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>
#include <signal.h>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

/// Hosts with processes that are kept ready, and what is seen of those.
namespace warm_hosts {

/// A host that is not started by itself, with so many ready processes.
inline bulkhead::host_policy warm(bulkhead::host_policy host, std::uint32_t count = 1) {
  host.start.warm = count;
  host.autostart = false;
  return host;
}

inline bool is_alive(int pid) {
  return ::kill(pid, 0) == 0;
}

/// Of an event that begins with "pid N,".
inline int pid_in(std::string const& detail) {
  int pid = 0;
  auto const begin = std::string_view{"pid "}.size();
  std::from_chars(detail.data() + std::min(begin, detail.size()), detail.data() + detail.size(),
                  pid);
  return pid;
}

/// Waits for a ready process that is none of these, and adds it to them.
inline int next_spare(bulkhead::testing::harness& run, std::set<int>& known,
                      std::string_view host = {}) {
  auto const told = run.wait_for_event([&](bulkhead::host_event const& event) {
    return event.kind == bulkhead::host_event_kind::spare_ready &&
           (host.empty() || event.host == host) && !known.contains(pid_in(event.detail));
  });
  REQUIRE(told);
  auto const pid = pid_in(told->detail);
  known.insert(pid);
  return pid;
}

/// Looks until it is so, as nobody tells of it. False: it was not in time.
template <class Condition>
bool comes_true(Condition is_so) {
  auto const by = std::chrono::steady_clock::now() + bulkhead::testing::patience;
  while (!is_so())
    if (std::chrono::steady_clock::now() > by)
      return false;
    else
      std::this_thread::yield();
  return true;
}

/// Of a process that has been killed already.
inline bool ends(int pid) {
  return comes_true([pid] { return !is_alive(pid); });
}

inline bool is_told(bulkhead::testing::harness& run, bulkhead::host_event_kind kind,
                    std::string_view words) {
  return run
      .wait_for_event([&](bulkhead::host_event const& event) {
        return event.kind == kind && event.detail.find(words) != std::string::npos;
      })
      .has_value();
}

/// What a command returns, or `{"lost": …}` where it was not answered.
inline bulkhead::json told(bulkhead::testing::harness& run, std::string command,
                           boost::json::array arguments = {}) {
  auto const ended = bulkhead::testing::outcome(
      run.host().async_command(std::move(command), std::move(arguments), boost::asio::use_future));
  if (!ended)
    return bulkhead::json{{"lost", ended.error().what()}};
  return *ended;
}

} // namespace warm_hosts
