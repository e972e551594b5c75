#include <bulkhead/actors/loop.hpp>

#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/actors/loop_clock.hpp>
#include <bulkhead/actors/loop_scheduler.hpp>
#include <bulkhead/actors/run_queue.hpp>
#include <bulkhead/actors/spawning_scope.hpp>

#include <atomic>
#include <boost/asio/post.hpp>
#include <cassert>
#include <chrono>
#include <future>
#include <utility>

namespace bulkhead {
namespace {

/// How long the thread that runs a given io_context may take to begin with stopping.
constexpr std::chrono::seconds takeover_limit{2};

} // namespace

loop::loop(configuration const& configure)
    : loop{std::make_unique<boost::asio::io_context>(1), configure} {}

loop::loop(std::unique_ptr<boost::asio::io_context> owned, configuration const& configure)
    : loop{*owned, configure} {
  thread_ = std::thread{[this] { context_.run(); }};
  owned_ = std::move(owned);
}

loop::loop(boost::asio::io_context& given, configuration const& configure)
    : context_{given}
    , queue_{std::make_shared<detail::run_queue>(context_)}
    , clock_{std::make_shared<detail::loop_clock>(context_)}
    , work_{context_.get_executor()} {
  add_error_category(config_);
  config_.set("scheduler.max-throughput", detail::run_queue::messages_per_turn);
  if (configure)
    configure(config_);
  config_.module_factories.emplace_back([this](caf::actor_system& system) {
    return std::make_unique<detail::loop_scheduler>(system, queue_, clock_).release();
  });
  spawning_scope const spawning; // CAF's own actors
  system_ = std::make_unique<caf::actor_system>(config_);
  // stop() ends all actors; waiting for one that was never run would take forever.
  system_->await_actors_before_shutdown(false);
}

loop::~loop() {
  stop();
}

bool loop::is_loop_thread() const {
  return queue_->is_loop_thread();
}

void loop::run_ready() {
  queue_->run_ready();
}

boost::asio::thread_pool& loop::blocking_pool() {
  std::lock_guard const lock{pool_mutex_};
  if (!pool_)
    pool_ = std::make_unique<boost::asio::thread_pool>(blocking_threads);
  return *pool_;
}

void loop::stop() {
  if (std::exchange(stopped_, true))
    return;
  auto const here = is_loop_thread();
  assert(!(here && owned_) && "a loop can't wait for its own thread");
  if (here || (!owned_ && queue_->is_left_to_this_thread()))
    queue_->terminate_actors();
  else
    terminate_on_loop_thread();
  if (pool_) {
    pool_->stop();
    pool_->join();
  }
  clock_->cancel_all();
  work_.reset();
  if (owned_) {
    context_.stop();
    thread_.join();
  }
}

void loop::terminate_on_loop_thread() {
  struct handover {
    std::atomic<bool> taken = false;
    std::promise<void> done;
  };
  auto const shared = std::make_shared<handover>();
  auto done = shared->done.get_future();
  boost::asio::post(context_, [shared, queue = queue_] {
    if (shared->taken.exchange(true))
      return;
    queue->terminate_actors();
    shared->done.set_value();
  });
  if (owned_ || done.wait_for(takeover_limit) == std::future_status::ready ||
      shared->taken.exchange(true))
    done.wait();
  else
    queue_->terminate_actors();
}

} // namespace bulkhead
