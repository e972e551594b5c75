#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>

namespace chaos {

/// Random choices that a seed makes the same every time. One for each thread: not thread-safe.
class dice {
public:
  /// `stream` tells apart those who choose at the same time under one seed.
  dice(std::uint64_t seed, std::uint64_t stream) {
    std::seed_seq mixed{seed & 0xffff'ffffu, seed >> 32, stream};
    engine_.seed(mixed);
  }

  /// Of [least, most].
  std::size_t between(std::size_t least, std::size_t most) {
    return std::uniform_int_distribution{least, most}(engine_);
  }
  std::chrono::milliseconds between(std::chrono::milliseconds least,
                                    std::chrono::milliseconds most) {
    return std::chrono::milliseconds{
        std::uniform_int_distribution{least.count(), most.count()}(engine_)};
  }

  /// True this often in a hundred.
  bool percent(std::size_t likely) { return between(1, 100) <= likely; }

  template <class Range>
  auto const& pick(Range const& among) {
    return among[between(0, std::size(among) - 1)];
  }

  /// One of those, as often as its member `weight` says in comparison with the others.
  template <class Range>
  auto const& pick_weighted(Range const& among) {
    std::size_t sum = 0;
    for (auto const& each : among)
      sum += each.weight;
    auto left = between(1, sum);
    auto const* chosen = std::data(among);
    for (; left > chosen->weight; ++chosen)
      left -= chosen->weight;
    return *chosen;
  }

private:
  std::mt19937_64 engine_;
};

} // namespace chaos
