#include <bulkhead/harness/scripted/process.hpp>

#include <bulkhead/messages/error.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

namespace bulkhead::testing {
namespace {

/// What decides between the alternatives of a variant.
template <class... Cases>
struct cases : Cases... {
  using Cases::operator()...;
};

/// What Bulkhead itself asks of every host is answered properly where the script says nothing.
std::optional<json> usual_reply(std::string_view type) {
  if (type == "ping")
    return boost::json::object{};
  if (type == "activate-extension" || type == "deactivate-extension")
    return boost::json::object{{"success", true}};
  if (type == "list-extensions")
    return boost::json::object{{"extensions", boost::json::array{}}};
  return std::nullopt;
}

script_turn turn_without_script(std::string_view type, std::string_view command) {
  auto const constantly = [](std::string_view suffix, json told) {
    return script_turn{{script_step::answer{
        suffix, [told = std::move(told)](json const&) { return told; }, false}}};
  };
  if (auto usual = usual_reply(type))
    return constantly(wire::response_suffix, std::move(*usual));
  auto const what = command.empty() ? type : command;
  return constantly(wire::error_suffix,
                    {{"error", "the script does not say what to do with " + std::string{what}},
                     {"code", "not_in_script"}});
}

json const* member(json const& of, std::string_view name) {
  auto const* const members = of.if_object();
  return members ? members->if_contains(name) : nullptr;
}

std::string text_member(json const& of, std::string_view name) {
  auto const* const found = member(of, name);
  return found && found->is_string() ? std::string{found->get_string()} : std::string{};
}

std::exception_ptr failure(error why) {
  return std::make_exception_ptr(std::move(why));
}

} // namespace

script_player::process::process(script_player& player, socket connected)
    : player_{player}
    , socket_{std::move(connected)} {}

void script_player::process::start() {
  read_head();
}

// ---- what the process tells -------------------------------------------------------------------

void script_player::process::read_head() {
  boost::asio::async_read(socket_, boost::asio::buffer(&head_, sizeof head_),
                          [self = shared_from_this()](auto failed, std::size_t) {
                            if (failed)
                              return self->end();
                            self->read_body();
                          });
}

void script_player::process::read_body() {
  body_.resize(head_.size);
  boost::asio::async_read(socket_, boost::asio::buffer(body_),
                          [self = shared_from_this()](auto failed, std::size_t) {
                            if (failed)
                              return self->end();
                            self->on_report();
                            self->read_head();
                          });
}

void script_player::process::on_report() {
  std::int32_t number = 0;
  std::memcpy(&number, body_.data(), std::min(sizeof number, body_.size()));
  switch (static_cast<orders::report>(head_.kind)) {
  case orders::report::started:
    return player_.on_started(shared_from_this());
  case orders::report::orphaned:
    return player_.on_orphan(number);
  case orders::report::received:
    return on_bytes(body_);
  }
}

void script_player::process::on_bytes(std::string_view bytes) {
  std::array<char, 4096> scratch;
  while (!bytes.empty()) {
    auto const room = decoder_.prepare(scratch);
    auto const size = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    auto const breach = decoder_.commit(size, [this](wire::raw_frame& frame) {
      on_frame(frame.json);
      return true;
    });
    if (breach)
      return; // the backend's own tests are about that
  }
}

void script_player::process::on_frame(std::string_view body) {
  wire::envelope frame;
  if (scanner_.scan(body, frame))
    return;
  auto const kind = wire::classify(frame.type).kind;
  if (kind == wire::message_kind::request)
    on_request(frame);
  else
    on_reply(kind, frame);
}

void script_player::process::on_request(wire::envelope const& frame) {
  call request{std::string{frame.id}, std::string{frame.type},
               payload{std::string{frame.payload}}.value(), frame.type == "executeCommand"};
  auto const command = request.is_command ? text_member(request.payload, "command") : "";
  auto turn = player_.next_turn({request.type, command});
  if (!turn && request.is_command)
    turn = player_.next_turn({request.type, {}});
  if (!turn && !request.id.empty())
    turn = std::make_shared<script_turn const>(turn_without_script(request.type, command));
  player_.record(request.type, request.payload);
  if (turn)
    play(std::move(turn), std::make_shared<call const>(std::move(request)));
}

void script_player::process::on_reply(wire::message_kind kind, wire::envelope const& frame) {
  auto const found = open_.find(frame.id);
  if (kind == wire::message_kind::partial || found == open_.end())
    return;
  auto ended = std::move(found->second);
  open_.erase(found);
  payload told{std::string{frame.payload}};
  if (kind == wire::message_kind::response)
    return ended.done.set_value(std::move(told));
  auto const& said = told.value();
  ended.done.set_exception(
      failure(error{errc::remote_error, text_member(said, "error")}.with_remote_code(
          text_member(said, "code"))));
}

void script_player::process::end() {
  ended_ = true;
  while (!open_.empty())
    fail(open_.begin()->first, errc::connection_lost);
  player_.on_ended(this);
}

// ---- what it is told --------------------------------------------------------------------------

void script_player::process::play(turn_ptr turn, std::shared_ptr<call const> request,
                                  std::size_t at) {
  for (; at != turn->size() && !ended_; ++at) {
    auto const& step = (*turn)[at].what;
    if (auto const* const pause = std::get_if<script_step::pause>(&step)) {
      auto timer =
          std::make_shared<boost::asio::steady_timer>(socket_.get_executor(), pause->length);
      timer->async_wait(
          [self = shared_from_this(), timer, turn, request, next = at + 1](auto failed) {
            if (!failed)
              self->play(turn, request, next);
          });
      return;
    }
    std::visit(cases{[&](script_step::answer const& how) {
                       if (request)
                         answer(*request, how);
                     },
                     [&](script_step::request const& made) {
                       send(make_frame("s" + std::to_string(next_id_++), made.type, made.payload));
                     },
                     [&](script_step::order const& order) { carry_out(order); },
                     [](script_step::pause const&) {}},
               step);
  }
}

void script_player::process::answer(call const& request, script_step::answer const& how) {
  auto const* const arguments = request.is_command ? member(request.payload, "args") : nullptr;
  try {
    auto told = how.make(arguments ? *arguments : request.payload);
    if (how.is_result && request.is_command)
      told = {{"success", true}, {"result", std::move(told)}};
    send(make_frame(request.id, request.type + std::string{how.suffix}, told));
  } catch (std::exception const& failed) {
    send(make_frame(request.id, request.type + std::string{wire::error_suffix},
                    {{"error", failed.what()}, {"code", "script_failed"}}));
  }
}

void script_player::process::carry_out(script_step::order const& step) {
  if (step.what == orders::order::send)
    return send(step.body);
  if (step.what == orders::order::stop_reading)
    hangs_ = true;
  give(step.what, step.body);
  if (step.what == orders::order::read_again) {
    hangs_ = false;
    for (auto& bytes : std::exchange(owed_, {}))
      send(std::move(bytes));
  }
}

void script_player::process::request(std::string type, json const& asked,
                                     std::chrono::milliseconds within, std::promise<payload> done) {
  auto const id = "s" + std::to_string(next_id_++);
  auto timer = std::make_unique<boost::asio::steady_timer>(socket_.get_executor(), within);
  timer->async_wait([self = shared_from_this(), id](auto failed) {
    if (!failed)
      self->fail(id, errc::request_timeout);
  });
  open_.emplace(id, open_request{std::move(done), std::move(timer)});
  send(make_frame(id, type, asked));
}

void script_player::process::fail(std::string const& id, errc code) {
  auto const ended = open_.extract(id);
  if (ended)
    ended.mapped().done.set_exception(failure(error{code}));
}

void script_player::process::send(std::string bytes) {
  if (hangs_)
    owed_.push_back(std::move(bytes));
  else
    give(orders::order::send, bytes);
}

void script_player::process::give(orders::order what, std::string_view body) {
  orders::message_head const head{static_cast<std::uint32_t>(what),
                                  static_cast<std::uint32_t>(body.size())};
  std::string message(sizeof head, '\0');
  std::memcpy(message.data(), &head, sizeof head);
  message += body;
  unsent_.push_back(std::move(message));
  if (unsent_.size() == 1)
    write_some();
}

void script_player::process::write_some() {
  boost::asio::async_write(socket_, boost::asio::buffer(unsent_.front()),
                           [self = shared_from_this()](auto failed, std::size_t) {
                             self->unsent_.pop_front();
                             if (!failed && !self->unsent_.empty())
                               self->write_some();
                           });
}

} // namespace bulkhead::testing
