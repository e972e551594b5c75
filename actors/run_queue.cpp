#include <bulkhead/actors/run_queue.hpp>

#include <bulkhead/actors/spawning_scope.hpp>

#include <boost/asio/post.hpp>
#include <boost/scope_exit.hpp>
#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <caf/send.hpp>
#include <cassert>

namespace bulkhead::detail {
namespace {

/// How often actors that are still there are told to end: some start others while they end.
constexpr int termination_rounds = 4;
/// Turns in each of them, so that actors that never fall silent can't stop the loop from stopping.
constexpr std::size_t turns_per_round = 100'000;

} // namespace

void run_queue::open(caf::actor_system& system) {
  system_ = &system;
  if (is_loop_thread()) {
    loop_thread_ = std::this_thread::get_id();
    phase_ = phase::running;
    return;
  }
  boost::asio::post(context_, [weak = weak_from_this()] {
    auto const self = weak.lock();
    if (!self)
      return;
    self->loop_thread_ = std::this_thread::get_id();
    auto expected = phase::untouched;
    self->phase_.compare_exchange_strong(expected, phase::running);
  });
}

void run_queue::enqueue(caf::resumable* ready) {
  if (phase_ == phase::closed) {
    caf::scheduler::abstract_coordinator::cleanup_and_release(ready);
    return;
  }
  if (is_loop_thread()) {
    exec_later(ready);
    return;
  }
  std::lock_guard const lock{mutex_};
  posted_.push_back(ready);
  if (std::exchange(posted_any_, true))
    return;
  boost::asio::post(context_, [weak = weak_from_this()] {
    if (auto const self = weak.lock(); self && self->phase_ == phase::running) {
      self->take_posted();
      self->run_ready();
    }
  });
}

void run_queue::exec_later(caf::resumable* ready) {
  ready_.push_back(ready);
  if (!in_turn_)
    post_turns();
}

void run_queue::run_ready() {
  if (in_turn_)
    return;
  run_until_idle(turns_per_event);
  if (!ready_.empty())
    post_turns();
}

bool run_queue::is_left_to_this_thread() {
  auto expected = phase::untouched;
  return phase_.compare_exchange_strong(expected, phase::terminating) || context_.stopped() ||
         loop_thread_.load() == std::this_thread::get_id();
}

void run_queue::terminate_actors() {
  assert(!in_turn_ && "an actor can't stop the loop that runs it");
  spawning_scope const last_spawned; // by actors, here, at any time before
  phase_ = phase::terminating;
  for (auto round = 0; round != termination_rounds; ++round) {
    auto const reason = round == 0 ? caf::exit_reason::user_shutdown : caf::exit_reason::kill;
    for (auto const& actor : live_actors())
      caf::anon_send_exit(actor, reason);
    take_posted();
    run_until_idle(turns_per_round);
  }
  // What is left awaits a response and sees no exit message before that.
  for (auto const& actor : live_actors()) {
    auto* const stuck = static_cast<caf::scheduled_actor*>(actor->get());
    stuck->quit(caf::exit_reason::kill);
    stuck->finalize();
  }
  phase_ = phase::closed;
  take_posted();
  for (; !ready_.empty(); ready_.pop_front())
    caf::scheduler::abstract_coordinator::cleanup_and_release(ready_.front());
}

void run_queue::post_turns() {
  if (std::exchange(turns_posted_, true))
    return;
  boost::asio::post(context_, [weak = weak_from_this()] {
    if (auto const self = weak.lock(); self && self->phase_ == phase::running) {
      self->turns_posted_ = false;
      self->run_ready();
    }
  });
}

void run_queue::take_posted() {
  std::lock_guard const lock{mutex_};
  posted_any_ = false;
  ready_.insert(ready_.end(), posted_.begin(), posted_.end());
  posted_.clear();
}

void run_queue::run_until_idle(std::size_t turns) {
  in_turn_ = true;
  BOOST_SCOPE_EXIT_ALL(this) {
    in_turn_ = false;
  };
  for (; turns != 0 && !ready_.empty(); --turns) {
    auto* const next = ready_.front();
    ready_.pop_front();
    run(next);
  }
}

void run_queue::run(caf::resumable* ready) {
  if (ready->subtype() == caf::resumable::scheduled_actor) {
    auto& actor = *static_cast<caf::scheduled_actor*>(ready);
    if (!actor.getf(caf::abstract_actor::is_initialized_flag))
      track(actor);
  }
  switch (ready->resume(this, messages_per_turn)) {
  case caf::resumable::resume_later:
    ready_.push_back(ready);
    break;
  case caf::resumable::awaiting_message:
  case caf::resumable::done:
  case caf::resumable::shutdown_execution_unit:
    caf::intrusive_ptr_release(ready);
    break;
  }
}

void run_queue::track(caf::scheduled_actor& actor) {
  {
    std::lock_guard const lock{mutex_};
    if (!live_.emplace(actor.id(), actor.address()).second)
      return;
  }
  actor.attach_functor([this, id = actor.id()] {
    std::lock_guard const lock{mutex_};
    live_.erase(id);
  });
}

std::vector<caf::strong_actor_ptr> run_queue::live_actors() {
  std::lock_guard const lock{mutex_};
  std::vector<caf::strong_actor_ptr> actors;
  actors.reserve(live_.size());
  for (auto const& [id, address] : live_)
    if (auto actor = caf::actor_cast<caf::strong_actor_ptr>(address))
      actors.push_back(std::move(actor));
  return actors;
}

} // namespace bulkhead::detail
