#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace bulkhead {

namespace detail {
class loop_clock;
class run_queue;
} // namespace detail

/// One thread for actors, sockets and timers: a CAF actor system whose scheduler and clock run on
/// one Asio io_context. The io_context is the loop's own, with a thread that runs it, or given by
/// the embedder, who runs it on one thread at a time. A stopped loop has ended every actor and
/// leaves nothing in the io_context that does anything.
///
/// While a loop is not stopped, run() of a given io_context does not return for lack of work.
class loop {
public:
  /// Adds to CAF's configuration before the actor system starts: message types, modules such as
  /// caf::io::middleman.
  using configuration = std::function<void(caf::actor_system_config&)>;

  /// The threads for blocking work. It is mostly disk and keyring, which don't get faster with
  /// more, and two keep one slow keyring from holding up a file.
  static constexpr std::size_t blocking_threads = 2;

  /// Owns an io_context and runs it on a thread of its own, at once.
  explicit loop(configuration const& configure = {});
  /// Uses `given`, which must outlive the loop and be run by at most one thread at a time.
  explicit loop(boost::asio::io_context& given, configuration const& configure = {});
  loop(loop const&) = delete;
  loop& operator=(loop const&) = delete;
  /// stop().
  ~loop();

  boost::asio::io_context& context() noexcept { return context_; }
  caf::actor_system& system() noexcept { return *system_; }

  /// Whether the caller is run by the io_context. Any thread.
  bool is_loop_thread() const;

  /// Gives the actors that have been woken their turns now and not after the current completion
  /// handler, so that a handler which has sent messages can use what the actors answered: one write
  /// for all of them. Bounded; does nothing when it is called by an actor. The loop's thread only.
  void run_ready();

  /// For work that blocks; it comes back into an actor with blocking() or external(). The first
  /// call creates it. Any thread.
  boost::asio::thread_pool& blocking_pool();

  /// Ends every actor, first with exit_reason::user_shutdown and then by force, waits for blocking
  /// work that has begun, and forgets the rest. Where actors end:
  /// - the loop's own io_context: on its thread; don't call this there;
  /// - a given one, called on the thread that runs it: right here;
  /// - a given one that nobody runs, because it was never run, was stopped, or is run by the
  /// calling thread at other times:
  ///   right here;
  /// - a given one that another thread runs: on that thread, which must go on running it until this
  /// returns. One that does
  ///   not take this up within two seconds counts as not being run.
  /// Must not be called by an actor, nor by two threads at once; calling it again does nothing.
  /// Actors that CAF runs on threads of their own (caf::detached) are the caller's to end before.
  void stop();

private:
  using work_guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;

  loop(std::unique_ptr<boost::asio::io_context> owned, configuration const& configure);
  void terminate_on_loop_thread();

  std::unique_ptr<boost::asio::io_context> owned_; ///< null where the io_context was given
  boost::asio::io_context& context_;
  std::shared_ptr<detail::run_queue> queue_;
  std::shared_ptr<detail::loop_clock> clock_;
  std::optional<work_guard> work_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::mutex pool_mutex_;
  std::unique_ptr<boost::asio::thread_pool> pool_;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace bulkhead
