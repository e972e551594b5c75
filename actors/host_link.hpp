#pragma once

#include <bulkhead/actors/external.hpp>
#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/actors/inbound_calls.hpp>
#include <bulkhead/actors/loop_timer.hpp>
#include <bulkhead/actors/outbound_calls.hpp>
#include <bulkhead/actors/request_router.hpp>
#include <bulkhead/actors/wire_stream.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bulkhead {

/// The sockets of one process of a host. With one socket for both directions `incoming` is empty.
struct link_sockets {
  platform::unique_fd requests; ///< carries our requests and the host's replies
  platform::unique_fd incoming; ///< carries the host's requests and our replies
};

/// Everything that is said between the backend and one host: our open requests, the host's open
/// requests, the handshake and the count of violations. It outlives the host's processes: requests
/// made while none is Running wait here. The ipc_connection actor owns it; the public API calls
/// send() directly. Loop thread.
class host_link final : public std::enable_shared_from_this<host_link>,
                        private wire_stream::listener {
public:
  static constexpr std::string_view ping_type = "ping";

  /// What a link works with; all of it outlives the link.
  struct surroundings {
    loop& on;
    host_policy const& policy;
    host_record& record;
    request_router& router;
    std::span<char> scratch;
  };

  explicit host_link(surroundings around);
  ~host_link();

  /// Whom it tells what happens to the connection; set before the first attach().
  void set_supervisor(std::function<void(host_signal)> tell) { tell_supervisor_ = std::move(tell); }
  /// Who decides on the host's requests and answers with admitted(); set before the first attach().
  void set_admission(std::function<void(inbound_batch_ptr)> ask) {
    ask_admission_ = std::move(ask);
  }

  // ---- our requests ----

  /// Sends a request, or lets it wait while the host is on its way up. Its id for cancel(); nothing
  /// if it failed at once. The handler completes exactly once, never before this returns.
  std::optional<std::uint64_t> send(call_request call, std::unique_ptr<call_handler> handler);
  /// A request of Bulkhead's own, such as deactivate-extension: it passes the state check and the
  /// bounds on the host's queue, so that no flood keeps it away.
  void send_control(std::string type, payload asked, deadline by,
                    std::unique_ptr<call_handler> handler);
  /// Ends a request with errc::request_cancelled and tells the host. Does nothing for one that has
  /// ended.
  void cancel(std::uint64_t id);
  /// A request of ours that the host has and has not answered.
  struct open_call {
    std::string type;
    outbound_calls::clock::time_point since;
  };
  /// Those of the backend, Bulkhead's own pings left out; the oldest first, `most` of them.
  std::vector<open_call> oldest_calls(std::size_t most) const;
  /// Requests of ours that have not ended.
  std::size_t open_calls() const noexcept { return calls_.size(); }
  /// Completes once no request of ours is open.
  void when_idle(completer<void> done);

  // ---- the life of a process, as the supervisor orders it ----

  /// The host was asked to start and will be Starting before long: requests wait for it.
  void expect_start() noexcept { start_expected_ = true; }
  /// A new process is connected. Nothing but its ready message is accepted until open().
  void attach(std::uint64_t generation, link_sockets sockets);
  /// The host is Running: what waited is sent.
  void open();
  /// When the present process said something for the first time.
  std::optional<std::chrono::steady_clock::time_point> first_heard() const noexcept {
    return first_heard_;
  }
  /// The process is gone: requests that were sent to it fail with connection_lost, those that wait
  /// go on waiting.
  void detach(reason why, std::string const& detail);
  /// The host will not come back by itself: requests that wait fail with host_not_running.
  void refuse(reason why, std::string const& detail);

  // ---- the host's requests ----

  /// The verdicts on a batch that went through ask_admission.
  void admitted(inbound_batch_ptr batch);
  /// Sends the reply of an open request; see inbound_call.
  void reply(inbound_call const& call, std::string_view payload);
  void reply(inbound_call const& call, std::string_view payload, shared_bytes attachment);
  void reply_error(inbound_call const& call, std::string_view code, std::string_view text,
                   std::initializer_list<wire::error_member> more);
  void reply_partial(inbound_call const& call, std::string_view payload);

  /// Whether both sides said at the handshake that they take attachments.
  bool takes_attachments() const noexcept { return attachments_; }

  /// Whether the host leaves so many bytes unread that answers which take much memory had better
  /// not be made yet.
  bool is_behind() const noexcept;
  /// Completes once it is not behind any more, or gone.
  void when_caught_up(completer<void> done);

  /// Tells the process of that generation something that it never answers. False where it is gone
  /// or too far behind in reading: nothing was sent then.
  bool notify(std::uint64_t generation, std::string_view type, std::string_view payload);

  std::string const& host() const noexcept { return around_.policy.id; }
  loop& on() const noexcept { return around_.on; }

private:
  enum class phase : std::uint8_t { detached, handshaking, ready, open };

  bool on_frame(wire_stream& from, wire::envelope const& frame,
                std::optional<shared_bytes> attachment) override;
  void on_read_end(wire_stream& from) override;
  void on_breach(wire_stream& from, errc what) override;
  void on_end(wire_stream& from) override;
  void on_sent(wire_stream& from) override;
  void on_traffic(std::size_t in, std::size_t out) override;

  void on_reply(wire::message_kind kind, std::string_view base_type, wire::envelope const& frame);
  void on_request(wire::envelope const& frame, std::optional<shared_bytes> attachment);
  void on_notification(wire::envelope const& frame);
  void on_ready(wire::envelope const& frame);
  /// Counts a violation; past its budget the streams are closed and the supervisor is told.
  void violated(errc what);

  void transmit(std::uint64_t id, outbound_calls::call const& call, std::string_view payload);
  void tell_cancelled(std::uint64_t id);
  /// Calls a function of the backend's. What it throws surfaces from io_context::run(), as with
  /// Asio's own operations, and not in the middle of a frame.
  template <class Function>
  void call_backend(Function function);
  /// Writes one frame of an answer: `write` takes a frame_writer and says whether it fitted.
  template <class Write>
  void answer(Write write);
  void allow_attachments();
  void fail_later(std::unique_ptr<call_handler> handler, error why);
  void complete(std::unique_ptr<call_handler> handler, result<payload> ended);
  void tell_idle();
  void tell_caught_up();
  void serve_admitted();
  void serve(std::shared_ptr<inbound_call> const& call);
  void close_streams();
  void arm_timer();
  wire_stream* incoming() const noexcept { return incoming_ ? incoming_.get() : requests_.get(); }
  error describe_loss(errc code, reason why, std::string const& detail) const;

  surroundings around_;
  std::function<void(host_signal)> tell_supervisor_;
  std::function<void(inbound_batch_ptr)> ask_admission_;
  std::optional<completer<void>> idle_;
  std::vector<completer<void>> behind_; // who waits until the host has caught up
  outbound_calls calls_;
  inbound_calls asked_;
  loop_timer timer_;
  std::optional<outbound_calls::clock::time_point> armed_for_;

  phase phase_ = phase::detached;
  bool start_expected_ = false;
  std::uint64_t generation_ = 0;
  std::optional<std::chrono::steady_clock::time_point> first_heard_;
  bool attachments_ = false;
  std::map<errc, std::uint32_t> violations_; // of the present process, by their code
  std::shared_ptr<wire_stream> requests_;
  std::shared_ptr<wire_stream> incoming_;
};

} // namespace bulkhead
