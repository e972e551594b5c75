#pragma once

#include <bulkhead/messages/json.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bulkhead::testing {

struct script_step;
/// Steps that are done one after the other.
using script_turn = std::vector<script_step>;

/// What a scripted host does when something comes: steps in their order, and after then() those of
/// the next time; the last turn stays. It takes effect as a whole at the end of the statement that
/// it is written in. For one thread.
class [[nodiscard]] behaviour {
public:
  behaviour(behaviour&&) noexcept;
  behaviour& operator=(behaviour&&) = delete;
  ~behaviour();

  // ---- answers; std::logic_error where nothing was asked ----
  /// A command's reply is its result. Any number of replies may be given; all but the first break
  /// the protocol.
  behaviour& reply(json payload = boost::json::object{});
  /// The reply is made of what was asked: of a command its array of arguments. Runs on the script's
  /// thread.
  behaviour& reply_with(std::function<json(json const& asked)> make);
  behaviour& error(std::string code, std::string text);
  behaviour& partial(json so_far);
  /// No answer; the same as no steps, for those who read it.
  behaviour& never();

  // ---- what it sends by itself ----
  /// Says that it is ready: what on_start() does unless told otherwise.
  behaviour& ready();
  /// A request to the backend whose answer nobody waits for.
  behaviour& request(std::string type, json payload = boost::json::object{});
  /// So many replies to requests that never were.
  behaviour& reply_to_unknown(std::size_t count = 1);
  /// So many messages of that type as fast as the connection takes them, each with another id. What
  /// follows begins when all are sent.
  behaviour& flood(std::size_t count, std::string type,
                   json const& payload = boost::json::object{});
  /// Any bytes, as they are.
  behaviour& send_raw(std::string bytes);
  /// A line of output.
  behaviour& print(std::string line);

  // ---- what becomes of the process ----
  behaviour& exit(int code);
  /// Sends itself this signal.
  behaviour& crash(int signal = SIGSEGV);
  /// Neither reads nor answers from now on, not even pings.
  behaviour& hang();
  /// Goes on after hang(), with what it owes.
  behaviour& wake();
  /// Closes its end and runs on.
  behaviour& close_connection();
  behaviour& ignore_sigterm();
  /// Starts a process that leaves its session, holds its output open and ends with the script.
  behaviour& leave_orphan();

  // ---- how it goes ----
  /// What follows is done that much later.
  behaviour& after(std::chrono::milliseconds delay);
  /// What follows is for the next time.
  behaviour& then();

private:
  friend class scripted_host;
  using sink = std::function<void(std::vector<script_turn>)>;
  /// `into` gets all turns at the end.
  behaviour(sink into, bool answers);

  behaviour& add(script_step step);
  behaviour& add_answer(script_step step);

  sink into_;
  bool answers_;
  std::vector<script_turn> turns_;
};

} // namespace bulkhead::testing
