#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <caf/actor_addr.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduled_actor.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace bulkhead::detail {

/// Runs actors on the thread that runs an Asio io_context: an actor woken there joins a
/// first-in-first-out queue that costs no lock and no system call, one woken elsewhere is posted.
/// No burst of messages keeps sockets and timers waiting, and no handler it leaves in the
/// io_context touches it once it has ended.
class run_queue final : public caf::execution_unit, public std::enable_shared_from_this<run_queue> {
public:
  /// Messages an actor may consume before the next one gets its turn. CAF's default is no limit,
  /// with which an actor that sends to itself never gives the thread back.
  static constexpr std::size_t messages_per_turn = 64;
  /// Turns before sockets and timers get theirs: with messages of 0.2 us about 3 ms at worst, and
  /// far more than the few turns that a batch of frames takes.
  static constexpr std::size_t turns_per_event = 256;

  explicit run_queue(boost::asio::io_context& context)
      : context_{context} {}

  /// Call once, right after construction: from here on it is known which thread runs the
  /// io_context.
  void open(caf::actor_system& system);

  /// Any thread. Takes over the caller's reference to `ready`.
  void enqueue(caf::resumable* ready);
  /// The loop's thread only: what actors call for an actor that they wake.
  void exec_later(caf::resumable* ready) override;
  /// The loop's thread only: gives the actors that are ready their turns, at most turns_per_event;
  /// the rest follows after the next I/O events. Does nothing when it is called by an actor.
  void run_ready();

  bool is_loop_thread() const { return context_.get_executor().running_in_this_thread(); }

  /// True unless some other thread may be running the io_context right now. In that case, unless it
  /// has been run before, nothing of the queue will run any more when somebody begins to.
  bool is_left_to_this_thread();

  /// On the loop's thread or where nobody runs the io_context: ends every actor, first with
  /// user_shutdown, then by force, and refuses those that come later. Must not be called by an
  /// actor.
  void terminate_actors();

private:
  enum class phase { untouched, running, terminating, closed };

  void post_turns();
  void take_posted();
  void run(caf::resumable* ready);
  void run_until_idle(std::size_t turns);
  void track(caf::scheduled_actor& actor);
  std::vector<caf::strong_actor_ptr> live_actors();

  boost::asio::io_context& context_;
  std::atomic<phase> phase_ = phase::untouched;
  std::atomic<std::thread::id> loop_thread_;

  // Touched by the thread that runs actors only.
  std::deque<caf::resumable*> ready_;
  bool in_turn_ = false;
  bool turns_posted_ = false;

  std::mutex mutex_;
  std::vector<caf::resumable*> posted_;
  bool posted_any_ = false;
  std::unordered_map<caf::actor_id, caf::actor_addr> live_;
};

} // namespace bulkhead::detail
