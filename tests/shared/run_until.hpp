#pragma once

#include <bulkhead/harness/outcome.hpp>

#include <boost/asio/io_context.hpp>
#include <chrono>

namespace bulkhead::testing {

/// Runs the loop until the condition holds. False: it does not within patience, or there is
/// nothing left to run.
template <class Condition>
bool run_until(boost::asio::io_context& io, Condition holds) {
  auto const until = std::chrono::steady_clock::now() + patience;
  io.restart();
  while (!holds() && io.run_one_until(until) != 0) {
  }
  return holds();
}

} // namespace bulkhead::testing
