#pragma once

#include <cstddef>
#include <cstdint>

/// What the process of a scripted host and the test say to each other, over a socket of their own:
/// messages of a head and a body, in this machine's byte order. Both sides are of one build, so it
/// has no versions.
namespace bulkhead::testing::orders {

/// What the process is to do; one after the other, each once everything before it was sent.
enum class order : std::uint32_t {
  send = 1,  ///< body: bytes for the backend
  flood = 2, ///< body: flood_head, then a frame to be sent so many times
  close = 3, ///< the connection to the backend
  exit = 4,  ///< body: the code as std::int32_t
  raise = 5, ///< body: a signal for itself as std::int32_t
  ignore_sigterm = 6,
  stop_reading = 7, ///< from the backend
  read_again = 8,
  print = 9,         ///< body: bytes for its standard output
  leave_orphan = 10, ///< a process outside of its session that holds its output
};

/// What the process tells.
enum class report : std::uint32_t {
  started = 1,  ///< the first message of the process; body: its number as std::int32_t
  orphaned = 2, ///< the first and only one of an orphan, on a connection of its own; body as above
  received = 3, ///< body: bytes that came from the backend
};

struct message_head {
  std::uint32_t kind = 0; ///< order or report
  std::uint32_t size = 0; ///< of the body, in bytes
};

/// Each frame of a flood has its number at `number_at`, number_digits decimal digits long.
struct flood_head {
  std::uint64_t count = 0;
  std::uint64_t number_at = 0;
};
inline constexpr std::size_t number_digits = 10;

} // namespace bulkhead::testing::orders
