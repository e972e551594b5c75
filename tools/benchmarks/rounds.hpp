#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace bulkhead::bench {

/// One way to load a host.
struct load {
  std::size_t bytes;     ///< of the text that is sent and comes back, or of the file that is read
  std::size_t in_flight; ///< calls open at a time
  std::size_t calls;
};

/// What came of it.
struct outcome {
  double seconds;
  std::optional<double> p50_us; ///< of the single calls, where their times are taken
  std::optional<double> p99_us;
};

using round_clock = std::chrono::steady_clock;

/// Processor time that a process has used, in µs; 0 for one that is gone.
double processor_time(pid_t process);

/// Sorts the times.
outcome outcome_of(round_clock::duration whole, std::vector<round_clock::duration>& times);

/// Makes the calls of a load, `in_flight` at a time; `call` takes a function to call at the end of
/// the call. Everything on one thread, the one that calls start(); lives until the future is ready.
template <class Call>
class driver {
public:
  driver(load const& what, Call call)
      : load_{what}
      , call_{std::move(call)} {
    times_.reserve(what.calls);
  }

  std::future<outcome> start() {
    begin_ = round_clock::now();
    for (std::size_t i = 0; i < load_.in_flight; ++i)
      next();
    return done_.get_future();
  }

private:
  void next() {
    if (sent_ == load_.calls)
      return;
    ++sent_;
    call_([this, begin = round_clock::now()] {
      auto const now = round_clock::now();
      times_.push_back(now - begin);
      if (times_.size() == load_.calls)
        done_.set_value(outcome_of(now - begin_, times_));
      else
        next();
    });
  }

  load load_;
  Call call_;
  std::size_t sent_ = 0;
  std::vector<round_clock::duration> times_;
  round_clock::time_point begin_;
  std::promise<outcome> done_;
};

/// Reads loads from standard input, a JSON object a line, and answers each with what came of it, as
/// tools/bench wants it of whoever takes part:
///
///   < {"bytes": 100, "in_flight": 64, "calls": 50000}
///   > {"seconds": 0.4, "p50_us": 480.0, "p99_us": 900.0, "own_cpu_us": 2.1, "host_cpu_us": 6.0,
///   "resident_kib": 9000}
///
/// The processor time is of one call, ours and that of the process `host`. Times of single calls
/// that are not taken are null. Returns at the end of the input; throws what `run` throws.
void serve_rounds(pid_t host, std::function<outcome(load const&)> const& run);

} // namespace bulkhead::bench
