#pragma once

#include <bulkhead/messages/json.hpp>

#include <chrono>
#include <string>

namespace bulkhead {

/// When each step of one process's start was done, since the start began. 0: there was no such
/// step, or it was not reached. Of a process that had been started beforehand only what was left to
/// do has a time.
struct start_times {
  using duration = std::chrono::microseconds;

  bool warm = false;    ///< it was a ready process
  duration prepared{};  ///< its files are looked up and verified
  duration created{};   ///< there is a process
  duration staged{};    ///< its control groups, mounts and user are settled
  duration contained{}; ///< its sandbox stands
  duration executed{};  ///< its program runs
  duration loaded{};    ///< its runtime is up: the first byte came
  duration ready{};     ///< the handshake is done
  duration activated{}; ///< its extension has answered that it is active

  friend bool operator==(start_times const&, start_times const&) = default;
};

/// How long each part of a start took: the same times, one from the other. 0: there was none.
struct start_phases {
  using duration = start_times::duration;

  duration prepare{};   ///< to look up and verify what is needed
  duration spawn{};     ///< until there is a process
  duration sandbox{};   ///< until the program runs in its sandbox
  duration runtime{};   ///< until the program says something
  duration handshake{}; ///< until it is Running
  duration activate{};  ///< until the extension is active

  friend bool operator==(start_phases const&, start_phases const&) = default;
};

start_phases phases_of(start_times const& times) noexcept;

/// `78.1 ms: prepare 1.7, spawn 0.6, sandbox 7.7, runtime 65.0, handshake 0.1, activate 3.0`, those
/// that there were.
std::string to_string(start_phases const& phases);

/// `{"warm": …, "prepared_us": …, …, "phases": {"prepare_us": …, …}}`, in microseconds.
json to_json(start_times const& times);

} // namespace bulkhead
