#pragma once

#include <bulkhead/actors/call.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>

namespace bulkhead::testing {

/// Counts how requests end. Every one(), given to a request as its completion token, must be called
/// exactly once; a test asserts that with each_ended_once(). May be used by any number of threads.
class call_tally {
public:
  call_tally();

  /// The completion handler of one more request, with any kind of result.
  auto one() {
    return [ending = expect()](std::exception_ptr const& failed, auto const&...) {
      ending->record(failed);
    };
  }

  /// Waits until every request has ended. False: one has not in time.
  bool wait(std::chrono::milliseconds within);

  std::size_t started() const;
  /// Those that ended in a value.
  std::size_t succeeded() const;
  /// Those that ended in an error, by its code.
  std::map<errc, std::size_t> failures() const;
  /// None is open and none ended twice.
  bool each_ended_once() const;

private:
  struct counts;
  struct ending {
    std::shared_ptr<counts> all;
    bool ended = false; // guarded by the mutex of `all`
    void record(std::exception_ptr const& failed);
  };

  std::shared_ptr<ending> expect();

  std::shared_ptr<counts> counts_;
};

} // namespace bulkhead::testing
