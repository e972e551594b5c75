#include <bulkhead/actors/host_link.hpp>

#include <bulkhead/config/defaults.hpp>
#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/messages/sensitive.hpp>

#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>

#include <exception>
#include <utility>

namespace bulkhead {
namespace {

using clock = deadline::clock;

constexpr std::string_view ready_type = "extension-host-ready";
constexpr std::int64_t protocol_version = 1;

/// How many violations that may be an honest mistake (a reply too many) are forgiven.
constexpr std::uint32_t lesser_violation_budget = 10;

bool is_lesser(errc what) noexcept {
  return what == errc::unknown_reply || what == errc::id_in_use;
}

bool has_use_for_attachment(wire::message_kind kind, wire::envelope const& frame) noexcept {
  if (kind != wire::message_kind::request || frame.id.empty())
    return false;
  auto const* const served = find_served_request(frame.type);
  return served && served->takes_attachment;
}

/// Instead of a reply that is longer than a frame may be.
bool refuse_long_reply(wire::frame_writer& writer, inbound_call const& call) {
  return writer.error_reply(call.raw_id(), call.raw_type(),
                            describe(errc::payload_too_large).sentence,
                            to_string(errc::payload_too_large));
}

/// The error reply of the other side as our own error.
error remote_error(wire::envelope const& frame) {
  auto const told = payload{std::string{frame.payload}};
  auto const text = [&](std::string_view name) -> std::string {
    auto const* const members = told.value().if_object();
    auto const* const found = members ? members->if_contains(name) : nullptr;
    return found && found->is_string() ? std::string{found->get_string()} : std::string{};
  };
  return error{errc::remote_error, text("error")}.with_remote_code(text("code"));
}

} // namespace

host_link::host_link(surroundings around)
    : around_{std::move(around)}
    , calls_{around_.policy.limits.in_flight}
    , asked_{around_.policy.limits.in_flight}
    , timer_{around_.on.context()} {}

host_link::~host_link() {
  close_streams();
}

// ---- our requests -----------------------------------------------------------------------------

std::optional<std::uint64_t> host_link::send(call_request call,
                                             std::unique_ptr<call_handler> handler) {
  auto& counters = around_.record.counters;
  counters.requests.fetch_add(1, std::memory_order_relaxed);
  auto const now = clock::now();
  auto const refuse = [&](errc code) {
    fail_later(std::move(handler), error{code}.with_host(host()).with_message_type(call.type));
    return std::nullopt;
  };

  auto const state = around_.record.state();
  auto const is_up = state == host_state::Running && phase_ == phase::open;
  auto const is_down =
      state == host_state::Stopped || state == host_state::Stopping || state == host_state::Crashed;
  if (is_down && !start_expected_) {
    auto const last = around_.record.snapshot();
    fail_later(std::move(handler), describe_loss(errc::host_not_running, last.why, last.detail));
    return std::nullopt;
  }
  if (call.by.has_passed(now))
    return refuse(errc::request_timeout);
  auto const unsent = requests_ ? requests_->unsent() : 0;
  if (calls_.is_full() || unsent + calls_.waiting_bytes() >= defaults::outbound_high_water)
    return refuse(errc::overloaded);

  auto const text = call.asked.text();
  auto waiting = is_up ? std::nullopt : std::optional{std::string{text}};
  auto const id = calls_.add({.type = std::move(call.type),
                              .handler = std::move(handler),
                              .on_progress = std::move(call.on_progress),
                              .waiting = std::move(waiting),
                              .traceparent = std::move(call.traceparent)},
                             call.by, now);
  if (is_up)
    transmit(id, *calls_.find(id), text);
  arm_timer();
  return id;
}

void host_link::send_control(std::string type, payload asked, deadline by,
                             std::unique_ptr<call_handler> handler) {
  if (phase_ < phase::ready) // it is about this process and no later one
    return fail_later(std::move(handler),
                      error{errc::connection_lost}.with_host(host()).with_message_type(type));
  auto const id =
      calls_.add({.type = std::move(type), .handler = std::move(handler), .is_control = true}, by,
                 clock::now());
  transmit(id, *calls_.find(id), asked.text());
  arm_timer();
}

std::vector<host_link::open_call> host_link::oldest_calls(std::size_t most) const {
  std::vector<open_call> open;
  calls_.for_each([&](outbound_calls::call const& each) {
    if (!each.waiting && each.type != ping_type)
      open.push_back({each.type, each.since});
  });
  std::ranges::sort(open, {}, &open_call::since);
  open.resize(std::min(open.size(), most));
  return open;
}

void host_link::when_idle(completer<void> done) {
  idle_.emplace(std::move(done));
  tell_idle();
}

bool host_link::is_behind() const noexcept {
  return requests_ && incoming()->unsent() > defaults::outbound_high_water;
}

void host_link::when_caught_up(completer<void> done) {
  if (!is_behind())
    return done();
  behind_.push_back(std::move(done));
}

void host_link::tell_caught_up() {
  for (auto& done : std::exchange(behind_, {}))
    done();
}

void host_link::tell_idle() {
  if (!idle_ || calls_.size() != 0)
    return;
  auto done = std::move(*idle_);
  idle_.reset();
  done();
}

void host_link::transmit(std::uint64_t id, outbound_calls::call const& call,
                         std::string_view text) {
  wire::frame_writer writer{requests_->outbound(), around_.policy.limits.frame};
  if (writer.request(id, call.type, text, call.traceparent))
    return requests_->flush_soon();
  auto failed = error{errc::payload_too_large}.with_host(host()).with_message_type(call.type);
  fail_later(std::move(calls_.take(id)->handler), std::move(failed));
}

void host_link::cancel(std::uint64_t id) {
  auto ended = calls_.take(id);
  if (!ended)
    return;
  if (!ended->waiting)
    tell_cancelled(id);
  fail_later(std::move(ended->handler),
             error{errc::request_cancelled}.with_host(host()).with_message_type(ended->type));
}

void host_link::tell_cancelled(std::uint64_t id) {
  calls_.expect_late_reply(id);
  if (phase_ != phase::open)
    return;
  // It is short and rare: it passes the high-water mark, so that a host which is swamped still
  // hears of it.
  wire::frame_writer writer{requests_->outbound(), around_.policy.limits.frame};
  if (writer.notification("cancel", R"({"id":")" + std::to_string(id) + R"("})"))
    requests_->flush_soon();
}

void host_link::arm_timer() {
  auto const wake = calls_.next_wake();
  if (!wake || (armed_for_ && *armed_for_ <= *wake))
    return;
  armed_for_ = wake;
  timer_.expires_at(*wake);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code failed) {
    auto const self = weak.lock();
    if (failed || !self)
      return;
    self->armed_for_.reset();
    self->calls_.expire(clock::now(), [&](std::uint64_t id, outbound_calls::call ended) {
      auto why = error{errc::request_timeout}.with_host(self->host()).with_message_type(ended.type);
      if (!ended.waiting)
        self->tell_cancelled(id);
      self->complete(std::move(ended.handler), std::move(why));
    });
    self->arm_timer();
  });
}

template <class Function>
void host_link::call_backend(Function function) {
  try {
    function();
  } catch (...) {
    boost::asio::post(around_.on.context(),
                      [thrown = std::current_exception()] { std::rethrow_exception(thrown); });
  }
}

void host_link::complete(std::unique_ptr<call_handler> handler, result<payload> ended) {
  if (!ended)
    around_.record.counters.failed.fetch_add(1, std::memory_order_relaxed);
  tell_idle();
  call_backend([&] { handler->complete(std::move(ended)); });
}

void host_link::fail_later(std::unique_ptr<call_handler> handler, error why) {
  around_.record.counters.failed.fetch_add(1, std::memory_order_relaxed);
  boost::asio::post(around_.on.context(), [self = shared_from_this(), handler = std::move(handler),
                                           why = std::move(why)]() mutable {
    self->tell_idle();
    handler->complete(std::move(why));
  });
}

error host_link::describe_loss(errc code, reason why, std::string const& detail) const {
  auto const happened = detail.empty() ? std::string{describe(why).sentence} : detail;
  return error{code, std::string{describe(code).sentence} + ": " + happened}
      .with_host(host())
      .with_host_reason(why);
}

// ---- the life of a process --------------------------------------------------------------------

void host_link::attach(std::uint64_t generation, link_sockets sockets) {
  generation_ = generation;
  attachments_ = false;
  start_expected_ = false;
  phase_ = phase::handshaking;
  first_heard_.reset();
  violations_.clear();
  auto const connect = [&](platform::unique_fd socket) {
    auto stream =
        std::make_shared<wire_stream>(around_.on, std::move(socket), around_.policy.limits.frame,
                                      around_.scratch, static_cast<wire_stream::listener&>(*this));
    stream->start();
    return stream;
  };
  requests_ = connect(std::move(sockets.requests));
  if (sockets.incoming)
    incoming_ = connect(std::move(sockets.incoming));
}

void host_link::open() {
  if (phase_ != phase::ready)
    return;
  phase_ = phase::open;
  calls_.send_waiting([this](std::uint64_t id, outbound_calls::call const& call,
                             std::string const& text) { transmit(id, call, text); });
}

void host_link::detach(reason why, std::string const& detail) {
  phase_ = phase::detached;
  close_streams();
  asked_.abandon_all();
  calls_.forget_late_replies();
  auto const lost = describe_loss(errc::connection_lost, why, detail);
  for (auto& call : calls_.take_if([](auto const& c) { return !c.waiting; }))
    complete(std::move(call.handler), error{lost}.with_message_type(call.type));
}

void host_link::refuse(reason why, std::string const& detail) {
  start_expected_ = false;
  auto const refused = describe_loss(errc::host_not_running, why, detail);
  for (auto& call : calls_.take_if([](auto const& c) { return c.waiting.has_value(); }))
    complete(std::move(call.handler), error{refused}.with_message_type(call.type));
}

void host_link::close_streams() {
  tell_caught_up();
  for (auto* const stream : {&requests_, &incoming_})
    if (auto const closed = std::exchange(*stream, nullptr))
      closed->close();
}

template <class Write>
void host_link::answer(Write write) {
  if (phase_ == phase::detached)
    return;
  auto& stream = *incoming();
  auto const before = stream.outbound().size();
  if (write(wire::frame_writer{stream.outbound(), around_.policy.limits.frame}))
    stream.flush_replies_soon(stream.outbound().size() - before);
}

void host_link::on_traffic(std::size_t in, std::size_t out) {
  if (in != 0 && !first_heard_)
    first_heard_ = std::chrono::steady_clock::now();
  auto& counters = around_.record.counters;
  counters.bytes_in.fetch_add(in, std::memory_order_relaxed);
  counters.bytes_out.fetch_add(out, std::memory_order_relaxed);
}

// ---- what the host sends ----------------------------------------------------------------------

bool host_link::on_frame(wire_stream& from, wire::envelope const& frame,
                         std::optional<shared_bytes> attachment) {
  auto const [kind, base] = wire::classify(frame.type);
  if (attachment && !has_use_for_attachment(kind, frame))
    violated(errc::attachment_unwanted);
  else if (kind != wire::message_kind::request)
    on_reply(kind, base, frame);
  else if (&from != incoming())
    violated(errc::wrong_direction);
  else if (phase_ == phase::handshaking || frame.type == ready_type)
    on_ready(frame);
  else if (frame.id.empty() && frame.type == "cancel")
    on_notification(frame);
  else
    on_request(frame, std::move(attachment));
  return from.is_open();
}

void host_link::on_ready(wire::envelope const& frame) {
  if (frame.type != ready_type || frame.id.empty())
    return violated(errc::not_ready);
  if (phase_ != phase::handshaking)
    return violated(errc::ready_twice);
  auto const said = payload{std::string{frame.payload}};
  auto const* const members = said.value().if_object();
  auto const* const ready = members ? members->if_contains("ready") : nullptr;
  auto const* const version = members ? members->if_contains("protocol") : nullptr;
  if (!ready || *ready != json(true) || (version && *version != json(protocol_version)))
    return violated(errc::ready_invalid);
  phase_ = phase::ready;
  auto const* const attachments = members->if_contains("attachments");
  if (attachments && *attachments == json(true))
    allow_attachments();
  auto const limits = R"({"frame":)" + std::to_string(around_.policy.limits.frame) +
                      R"(,"in_flight":)" + std::to_string(around_.policy.limits.in_flight) +
                      (attachments_ ? R"(,"attachments":true})" : "}");
  answer([&](wire::frame_writer writer) {
    return writer.reply(frame.raw_id, frame.raw_type, limits);
  });
  auto const* const runtime = members->if_contains("runtime");
  tell_supervisor_(
      {host_signal::kind::ready, generation_, reason::ready, 0,
       runtime && runtime->is_string() ? std::string{runtime->get_string()} : std::string{}});
}

void host_link::allow_attachments() {
  attachments_ = true;
  for (auto* const stream : {requests_.get(), incoming()})
    stream->allow_attachments();
}

void host_link::on_reply(wire::message_kind kind, std::string_view base_type,
                         wire::envelope const& frame) {
  auto const id = wire::parse_id(frame.id);
  auto* const open = id ? calls_.find(*id) : nullptr;
  if (!open || open->waiting || open->type != base_type) {
    auto const is_late = id && (kind == wire::message_kind::partial ? calls_.expects_late_reply(*id)
                                                                    : calls_.take_late_reply(*id));
    return is_late ? void() : violated(errc::unknown_reply);
  }
  if (kind == wire::message_kind::partial) {
    if (open->on_progress) {
      auto const tell = open->on_progress; // the call may end in it
      call_backend([&] { tell(payload{std::string{frame.payload}}); });
    }
    return;
  }
  auto ended = std::move(*calls_.take(*id));
  if (kind == wire::message_kind::response)
    complete(std::move(ended.handler), payload{std::string{frame.payload}});
  else
    complete(std::move(ended.handler),
             remote_error(frame).with_host(host()).with_message_type(std::move(ended.type)));
}

void host_link::on_request(wire::envelope const& frame, std::optional<shared_bytes> attachment) {
  around_.record.counters.received.fetch_add(1, std::memory_order_relaxed);
  if (!asked_.is_full())
    return asked_.add(host(), generation_, frame, std::move(attachment));
  if (!frame.id.empty())
    answer([&](wire::frame_writer writer) {
      return writer.error_reply(frame.raw_id, frame.raw_type, describe(errc::overloaded).sentence,
                                to_string(errc::overloaded));
    });
}

void host_link::on_notification(wire::envelope const& frame) {
  auto const told = payload{std::string{frame.payload}};
  auto const* const members = told.value().if_object();
  auto const* const id = members ? members->if_contains("id") : nullptr;
  if (id && id->is_string())
    asked_.cancel(std::string_view{id->get_string()});
}

void host_link::on_read_end(wire_stream&) {
  if (auto batch = asked_.take_read())
    ask_admission_(std::move(batch));
}

void host_link::on_breach(wire_stream&, errc what) {
  violated(what);
}

void host_link::on_end(wire_stream&) {
  tell_supervisor_(
      {host_signal::kind::end_of_stream, generation_, reason::connection_closed, 0, {}});
}

void host_link::on_sent(wire_stream&) {
  if ((behind_.empty() && !asked_.has_admitted()) || is_behind())
    return;
  tell_caught_up();
  serve_admitted();
}

void host_link::violated(errc what) {
  around_.record.counters.violations.fetch_add(1, std::memory_order_relaxed);
  ++violations_[what];
  std::uint32_t lesser = 0;
  for (auto const& [code, count] : violations_)
    lesser += is_lesser(code) ? count : 0;
  if (is_lesser(what) && lesser < lesser_violation_budget)
    return;
  close_streams();
  phase_ = phase::detached;
  auto told = std::string{describe(what).sentence} + " (" + std::string{to_string(what)} + ", " +
              std::to_string(static_cast<int>(what)) + ")";
  if (lesser > 1) {
    auto separator = "; in all: ";
    for (auto const& [code, count] : violations_) {
      told += separator + std::string{to_string(code)} + " x " + std::to_string(count);
      separator = ", ";
    }
  }
  tell_supervisor_({host_signal::kind::violation, generation_, reason::protocol_violation,
                    static_cast<std::int32_t>(what), std::move(told)});
}

// ---- the host's requests, decided on ----------------------------------------------------------

void host_link::admitted(inbound_batch_ptr batch) {
  if (phase_ == phase::detached || batch->generation() != generation_)
    return; // the process that asked is gone
  auto const is_busy = asked_.has_admitted();
  asked_.admitted(std::move(batch));
  if (!is_busy)
    serve_admitted();
}

/// Nothing more is answered while the host leaves too much unread: what it asks for may be long.
void host_link::serve_admitted() {
  while (phase_ != phase::detached && asked_.has_admitted() && !is_behind())
    serve(asked_.next(weak_from_this()));
}

void host_link::serve(std::shared_ptr<inbound_call> const& call) {
  if (!asked_.open(call))
    return violated(errc::id_in_use);
  if (call->decision() == verdict::admitted) {
    around_.router.route(call, around_.record);
    if (asked_.take_early_cancel(*call))
      call->cancel();
    return;
  }
  around_.record.counters.denied.fetch_add(1, std::memory_order_relaxed);
  call->refuse();
}

void host_link::reply(inbound_call const& call, std::string_view text) {
  asked_.forget(call);
  if (is_sensitive(call.type()) && phase_ != phase::detached)
    incoming()->outbound().expect_secrets();
  answer([&](wire::frame_writer writer) {
    return writer.reply(call.raw_id(), call.raw_type(), text) || refuse_long_reply(writer, call);
  });
}

void host_link::reply(inbound_call const& call, std::string_view text, shared_bytes attachment) {
  asked_.forget(call);
  answer([&](wire::frame_writer writer) {
    return writer.reply(call.raw_id(), call.raw_type(), text, std::move(attachment)) ||
           refuse_long_reply(writer, call);
  });
}

void host_link::reply_error(inbound_call const& call, std::string_view code, std::string_view text,
                            std::initializer_list<wire::error_member> more) {
  asked_.forget(call);
  answer([&](wire::frame_writer writer) {
    return writer.error_reply(call.raw_id(), call.raw_type(), text, code, more);
  });
}

bool host_link::notify(std::uint64_t generation, std::string_view type, std::string_view text) {
  if (phase_ != phase::open || generation != generation_ ||
      requests_->unsent() >= defaults::outbound_high_water)
    return false;
  wire::frame_writer writer{requests_->outbound(), around_.policy.limits.frame};
  if (!writer.notification(type, text))
    return false;
  requests_->flush_soon();
  return true;
}

void host_link::reply_partial(inbound_call const& call, std::string_view text) {
  answer([&](wire::frame_writer writer) {
    return writer.partial(call.raw_id(), call.raw_type(), text);
  });
}

} // namespace bulkhead
