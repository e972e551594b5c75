#pragma once

#include <bulkhead/harness/scripted/player.hpp>
#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>

#include <boost/asio/steady_timer.hpp>
#include <deque>

namespace bulkhead::testing {

/// One process of a scripted host, as the script's thread sees it: what it reads from the backend
/// comes here, and what it does is ordered from here.
class script_player::process : public std::enable_shared_from_this<process> {
public:
  using socket = boost::asio::local::stream_protocol::socket;

  process(script_player& player, socket connected);

  void start();
  /// A request that the backend made.
  struct call {
    std::string id;
    std::string type;
    json payload;
    bool is_command; ///< its reply is a command's
  };
  /// Does the steps from `at` on. `request` is null where none is to be answered.
  void play(turn_ptr turn, std::shared_ptr<call const> request, std::size_t at = 0);
  void request(std::string type, json const& asked, std::chrono::milliseconds within,
               std::promise<payload> done);

private:
  struct open_request {
    std::promise<payload> done;
    std::unique_ptr<boost::asio::steady_timer> timer;
  };

  void read_head();
  void read_body();
  void on_report();
  void on_bytes(std::string_view bytes);
  void on_frame(std::string_view body);
  void on_request(wire::envelope const& frame);
  void on_reply(wire::message_kind kind, wire::envelope const& frame);
  void end();

  void answer(call const& request, script_step::answer const& how);
  /// Sends it to the backend, or keeps it for as long as it hangs.
  void send(std::string bytes);
  void give(orders::order what, std::string_view body);
  void carry_out(script_step::order const& step);
  void write_some();
  void fail(std::string const& id, errc code);

  script_player& player_;
  socket socket_;
  orders::message_head head_;
  std::string body_;
  std::deque<std::string> unsent_;
  bool ended_ = false;
  bool hangs_ = false;
  std::vector<std::string> owed_; ///< to the backend, while it hangs
  wire::frame_decoder decoder_{wire::max_frame_size};
  wire::frame_scanner scanner_;
  std::map<std::string, open_request, std::less<>> open_; ///< its own, by their ids
  std::uint64_t next_id_ = 0;
};

} // namespace bulkhead::testing
