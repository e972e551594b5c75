#include "load.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <array>
#include <deque>
#include <memory>
#include <string>

namespace chaos {
namespace {

using namespace bulkhead;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// In bytes: beyond a socket's buffer, so that writes are cut in two.
constexpr std::size_t large_payload = 300'000;
constexpr std::size_t largest_burst = 16;
constexpr auto longest_pause = 40ms;
constexpr std::size_t largest_file = 2u << 20;

struct request_kind {
  char const* raw;  ///< the type of a request that raw_host.py serves
  char const* node; ///< the command of the extension "echo"
  std::size_t weight;
};
constexpr std::array kinds{
    request_kind{"echo", "echo", 60},  request_kind{"partial", "partial", 10},
    request_kind{"hang", "hang", 10},  request_kind{"late", "wait", 1},
    request_kind{"fail", "throw", 6},  request_kind{"environment", "environment", 3},
    request_kind{"echo", "bytes", 10},
};

deadline random_deadline(dice& roll) {
  auto const which = roll.between(1, 100);
  if (which <= 2)
    return 0ms;
  if (which <= 25)
    return roll.between(1ms, 50ms);
  if (which <= 93)
    return roll.between(50ms, 3s);
  return {}; // its host's end ends it
}

json random_payload(dice& roll) {
  if (roll.percent(1))
    return json(std::string(large_payload, 'x'));
  return {{"number", roll.between(0, 1000)}, {"text", std::string(roll.between(0, 200), 't')}};
}

/// Of all magnitudes, and often as large as may be.
std::size_t random_size(dice& roll) {
  if (roll.percent(10))
    return largest_file;
  return roll.between(1, std::size_t{1} << roll.between(0, 20));
}

/// Sends one request with whatever waits for its end.
template <class Token>
void send(target const& to, dice& roll, Token token) {
  auto const& host = to.any_host(roll);
  auto const& kind = roll.pick_weighted(kinds);
  auto const by = random_deadline(roll);
  auto handle = to.run.host(host.id);
  if (host.is_node)
    to.counted.start_of(handle.status());
  if (host.has_files && roll.percent(40))
    handle.async_command(
        "roundTrip", {random_size(roll)}, by, std::move(token),
        [&counted = to.counted](payload const& step) { counted.file_step(step.value()); });
  else if (host.is_node)
    handle.async_command(kind.node, {random_payload(roll)}, by, std::move(token));
  else
    handle.async_request(kind.raw, random_payload(roll), by, std::move(token),
                         [](payload const&) {});
}

/// Requests that are taken back later. Destroyed with their runtime still there.
class cancellations {
public:
  boost::asio::cancellation_slot add(clock::time_point due) {
    waiting_.push_back({due, std::make_unique<boost::asio::cancellation_signal>()});
    return waiting_.back().signal->slot();
  }
  void emit_due(clock::time_point now) {
    while (!waiting_.empty() && waiting_.front().due <= now) {
      waiting_.front().signal->emit(boost::asio::cancellation_type::terminal);
      waiting_.pop_front();
    }
  }

private:
  struct one {
    clock::time_point due;
    std::unique_ptr<boost::asio::cancellation_signal> signal;
  };
  std::deque<one> waiting_;
};

} // namespace

void send_requests(target const& to, dice roll, std::stop_token const& stop) {
  cancellations cancelled;
  while (!stop.stop_requested()) {
    for (auto left = roll.between(1, largest_burst); left > 0; --left)
      if (roll.percent(10))
        send(to, roll,
             boost::asio::bind_cancellation_slot(
                 cancelled.add(clock::now() + roll.between(0ms, 100ms)), to.requests.one()));
      else if (roll.percent(10)) // and another one from the loop's thread, when it ends
        send(to, roll,
             [ended = to.requests.one(), again = to.requests.one(),
              host = to.run.host(to.any_host(roll).id)](std::exception_ptr const& failed,
                                                        auto const& value) mutable {
               ended(failed, value);
               host.async_request("echo", json("again"), 1s, std::move(again));
             });
      else
        send(to, roll, to.requests.one());
    cancelled.emit_due(clock::now());
    pause(stop, roll.between(1ms, longest_pause));
  }
}

} // namespace chaos
