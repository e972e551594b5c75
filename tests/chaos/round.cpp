#include "round.hpp"

#include "faults.hpp"
#include "load.hpp"
#include "target.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <thread>

namespace chaos {
namespace {

using namespace bulkhead;
using namespace std::chrono_literals;
using testing::patience;

constexpr std::uint64_t loaders = 3;
constexpr std::uint64_t injectors = 2;
/// Streams of random choices that a round can have; how it is run is the first.
constexpr std::uint64_t streams = 1 + loaders + injectors;
/// How long a request of the type slow_work is worked on.
constexpr auto slow_work_time = 50ms;

enum class ending {
  drained,         ///< async_shutdown while the load goes on, then the destructor
  killed,          ///< the destructor, with requests open
  killed_draining, ///< the destructor, while async_shutdown is under way
};

struct ending_choice {
  ending how;
  char const* name;
  std::size_t weight;
};
constexpr std::array endings{ending_choice{ending::drained, "drained", 4},
                             ending_choice{ending::killed, "killed", 4},
                             ending_choice{ending::killed_draining, "killed while draining", 2}};

/// A loop as a backend runs it for itself.
class backend_loop {
public:
  backend_loop()
      : work_{boost::asio::make_work_guard(context_)}
      , ended_{std::async(std::launch::async, [this] { context_.run(); })} {}

  boost::asio::io_context& context() noexcept { return context_; }
  /// False: something keeps the loop busy although its runtime is gone.
  bool runs_dry() {
    work_.reset();
    auto const dry = ended_.wait_for(patience) == std::future_status::ready;
    context_.stop();
    return dry;
  }

private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::future<void> ended_;
};

boost::asio::awaitable<json> work_slowly(request asked) {
  auto const here = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer timer{here};
  timer.expires_after(slow_work_time);
  co_await timer.async_wait(boost::asio::use_awaitable);
  if (!asked.is_cancelled())
    asked.progress(1);
  co_return json("slow");
}

void prepare(runtime& run, figures& counted) {
  run.on_event([&counted](host_event const& event) { counted.event(event); });
  run.on_request(quick_work, [](request const& asked) { return asked.payload(); });
  run.on_request(slow_work, work_slowly);
  run.on_request(bad_work, [](request const&) -> json { throw std::runtime_error{"bad"}; });
}

/// Load and faults, as long as it lives.
class storm {
public:
  storm(target const& at, std::uint64_t seed, std::uint64_t first_stream) {
    auto const stream = [&](std::uint64_t number) { return dice{seed, first_stream + number}; };
    for (std::uint64_t i = 0; i < loaders; ++i)
      threads_.emplace_back(
          [&at, roll = stream(i)](std::stop_token const& stop) { send_requests(at, roll, stop); });
    for (std::uint64_t i = loaders; i < loaders + injectors; ++i)
      threads_.emplace_back(
          [&at, roll = stream(i)](std::stop_token const& stop) { inject_faults(at, roll, stop); });
  }
  storm(storm&&) = delete;
  ~storm() {
    for (auto& each : threads_)
      each.request_stop();
  }

private:
  std::vector<std::jthread> threads_;
};

/// Ends the runtime. What was started under load ends under it, where the contract allows that: a
/// handle is valid as long as its runtime is.
void end(testing::harness& run, std::optional<storm>& storm, ending how, run_context& in,
         std::vector<std::string>& wrong) {
  if (how == ending::drained) {
    auto const down = testing::outcome(run->async_shutdown(boost::asio::use_future));
    if (!down)
      wrong.push_back(std::string{"the shutdown failed: "} + down.error().what());
  } else if (how == ending::killed_draining) {
    run->async_shutdown(in.controls.one());
  }
  storm.reset();
  run.destroy();
}

void check_ends(run_context& in, std::vector<std::string>& wrong) {
  for (auto* const tally : {&in.requests, &in.controls}) {
    auto const what = std::string{tally == &in.requests ? "request" : "start, stop or reload"};
    if (!tally->wait(patience))
      wrong.push_back("not every " + what + " has ended");
    else if (!tally->each_ended_once())
      wrong.push_back("a " + what + " ended more than once");
  }
}

void check_history(testing::harness const& run, std::vector<std::string>& wrong) {
  if (!run.every_transition_was_legal())
    wrong.push_back("a host made a transition that the life cycle does not have");
  for (auto const& line : run.critical_lines())
    wrong.push_back("logged as critical: " + line);
}

} // namespace

std::vector<std::string> run_round(run_context& in, std::uint64_t seed, std::uint64_t number,
                                   std::chrono::milliseconds duration) {
  std::vector<std::string> wrong;
  dice roll{seed, number * streams};
  auto const& chosen = roll.pick_weighted(endings);
  std::optional<backend_loop> loop;
  if (roll.percent(33))
    loop.emplace();

  auto const& rules = in.inhabitants.rules;
  auto run = loop ? std::make_unique<testing::harness>(loop->context(), rules)
                  : std::make_unique<testing::harness>(rules);
  prepare(**run, in.counted);
  target const at{*run, in.inhabitants, in.requests, in.controls, in.counted};
  (*run)->start();
  std::optional<storm> storm{std::in_place, at, seed, number * streams + 1};
  std::this_thread::sleep_for(duration);
  end(*run, storm, chosen.how, in, wrong);

  check_ends(in, wrong);
  if (loop && !loop->runs_dry())
    wrong.push_back("the backend's loop has work left although the runtime is gone");
  check_history(*run, wrong);
  std::ranges::move(in.counted.now().wrong, std::back_inserter(wrong));
  in.counted.runtime(std::string{chosen.name} + (loop ? " on the backend's loop" : ""));
  return wrong;
}

} // namespace chaos
