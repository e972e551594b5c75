#pragma once

#include <bulkhead/harness/behaviour.hpp>
#include <bulkhead/harness/scripted/step.hpp>
#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/payload.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace bulkhead::testing {

/// What a script says about: a type, and of executeCommand a command. Neither: the start of a
/// process.
struct script_occasion {
  std::string type;
  std::string command;

  friend auto operator<=>(script_occasion const&, script_occasion const&) = default;
};

/// Plays the script of one scripted host to each process that connects to its socket, on a thread
/// of its own. Members may be called by any thread.
class script_player {
public:
  /// Listens there. Throws boost::system::system_error.
  explicit script_player(std::filesystem::path const& socket);
  script_player(script_player const&) = delete;
  script_player& operator=(script_player const&) = delete;
  /// Lets go of all processes, which then end.
  ~script_player();

  void set(script_occasion when, std::vector<script_turn> turns);
  /// To the present process; does nothing without one.
  void play(std::vector<script_turn> turns);
  std::future<payload> request(std::string type, json const& asked,
                               std::chrono::milliseconds within);

  std::vector<json> received(std::string_view type) const;
  bool wait_for_received(std::string_view type, std::size_t count,
                         std::chrono::milliseconds within) const;
  std::size_t starts() const;
  bool wait_for_starts(std::size_t count, std::chrono::milliseconds within) const;
  std::optional<int> wait_for_orphan(std::chrono::milliseconds within) const;

private:
  class process;
  friend class process;
  using turn_ptr = std::shared_ptr<script_turn const>;

  struct script {
    std::vector<turn_ptr> turns;
    std::size_t next = 0;
  };
  struct message {
    std::string type;
    json payload;
  };

  // All of these on the loop's thread.
  void accept();
  void on_started(std::shared_ptr<process> who);
  void on_orphan(int number);
  void on_ended(process const* who);
  void record(std::string_view type, json payload);
  /// What is to be done now, which moves the script on; null where it says nothing.
  turn_ptr next_turn(script_occasion const& when);

  template <class Change>
  void change(Change make) {
    std::lock_guard const lock{mutex_};
    make();
    changed_.notify_all();
  }
  template <class Condition>
  bool wait(std::chrono::milliseconds within, Condition holds) const {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, within, holds);
  }

  boost::asio::io_context loop_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::shared_ptr<process> present_; ///< the one that started last

  mutable std::mutex mutex_; // guards what follows
  mutable std::condition_variable changed_;
  std::map<script_occasion, script> scripts_;
  std::vector<message> received_;
  std::size_t starts_ = 0;
  std::vector<int> orphans_;

  std::thread thread_;
};

} // namespace bulkhead::testing
