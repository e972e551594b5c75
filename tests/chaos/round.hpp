#pragma once

#include "figures.hpp"
#include "population.hpp"

#include <bulkhead/testing.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace chaos {

/// What is the same for all rounds.
struct run_context {
  population inhabitants;
  bulkhead::testing::call_tally requests{};
  bulkhead::testing::call_tally controls{};
  figures counted{};
};

/// One runtime from its beginning to its end, under load and with faults for so long, and what was
/// wrong with it, a sentence each. How it runs and ends is the seed's and the number's choice.
std::vector<std::string> run_round(run_context& in, std::uint64_t seed, std::uint64_t number,
                                   std::chrono::milliseconds duration);

} // namespace chaos
