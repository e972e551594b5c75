#include <bulkhead/harness/behaviour.hpp>

#include <bulkhead/harness/scripted/step.hpp>
#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>

#include <boost/json/serialize.hpp>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace bulkhead::testing {
namespace {

using orders::order;

template <class T>
std::string bytes_of(T const& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<char const*>(&value), sizeof value};
}

script_step step_of(order what, std::string body = {}) {
  return {script_step::order{what, std::move(body)}};
}

} // namespace

std::string make_frame(std::string_view id, std::string_view type, json const& payload) {
  auto const body = boost::json::serialize(json{{"id", id}, {"type", type}, {"payload", payload}});
  std::string frame;
  for (auto shift = 8 * wire::frame_prefix_size; shift != 0;) {
    shift -= 8;
    frame += static_cast<char>(body.size() >> shift & 0xff);
  }
  return frame + body;
}

behaviour::behaviour(sink into, bool answers)
    : into_{std::move(into)}
    , answers_{answers}
    , turns_(1) {}

behaviour::behaviour(behaviour&& other) noexcept
    : into_{std::exchange(other.into_, nullptr)}
    , answers_{other.answers_}
    , turns_{std::move(other.turns_)} {}

behaviour::~behaviour() {
  if (into_)
    into_(std::move(turns_));
}

behaviour& behaviour::add(script_step step) {
  turns_.back().push_back(std::move(step));
  return *this;
}

behaviour& behaviour::add_answer(script_step step) {
  if (!answers_) {
    into_ = nullptr;
    throw std::logic_error{"there is no request to be answered here: use on() or on_command()"};
  }
  return add(std::move(step));
}

behaviour& behaviour::reply(json payload) {
  return reply_with([payload = std::move(payload)](json const&) { return payload; });
}

behaviour& behaviour::reply_with(std::function<json(json const&)> make) {
  return add_answer({script_step::answer{wire::response_suffix, std::move(make), true}});
}

behaviour& behaviour::error(std::string code, std::string text) {
  auto make = [told = json{{"error", std::move(text)}, {"code", std::move(code)}}](json const&) {
    return told;
  };
  return add_answer({script_step::answer{wire::error_suffix, std::move(make), false}});
}

behaviour& behaviour::partial(json so_far) {
  auto make = [so_far = std::move(so_far)](json const&) { return so_far; };
  return add_answer({script_step::answer{wire::partial_suffix, std::move(make), false}});
}

behaviour& behaviour::never() {
  return *this;
}

behaviour& behaviour::ready() {
  return send_raw(
      make_frame("ready", "extension-host-ready", json{{"ready", true}, {"protocol", 1}}));
}

behaviour& behaviour::request(std::string type, json payload) {
  return add({script_step::request{std::move(type), std::move(payload)}});
}

behaviour& behaviour::reply_to_unknown(std::size_t count) {
  return flood(count, "unknown" + std::string{wire::response_suffix});
}

behaviour& behaviour::flood(std::size_t count, std::string type, json const& payload) {
  std::string_view constexpr before_number = "flood-";
  std::string const id = std::string{before_number} + std::string(orders::number_digits, '0');
  auto const frame = make_frame(id, type, payload);
  orders::flood_head const head{count, frame.find(id) + before_number.size()};
  return add(step_of(order::flood, bytes_of(head) + frame));
}

behaviour& behaviour::send_raw(std::string bytes) {
  return add(step_of(order::send, std::move(bytes)));
}

behaviour& behaviour::print(std::string line) {
  return add(step_of(order::print, std::move(line) + '\n'));
}

behaviour& behaviour::exit(int code) {
  return add(step_of(order::exit, bytes_of(std::int32_t{code})));
}

behaviour& behaviour::crash(int signal) {
  return add(step_of(order::raise, bytes_of(std::int32_t{signal})));
}

behaviour& behaviour::hang() {
  return add(step_of(order::stop_reading));
}

behaviour& behaviour::wake() {
  return add(step_of(order::read_again));
}

behaviour& behaviour::close_connection() {
  return add(step_of(order::close));
}

behaviour& behaviour::ignore_sigterm() {
  return add(step_of(order::ignore_sigterm));
}

behaviour& behaviour::leave_orphan() {
  return add(step_of(order::leave_orphan));
}

behaviour& behaviour::after(std::chrono::milliseconds delay) {
  return add({script_step::pause{delay}});
}

behaviour& behaviour::then() {
  turns_.emplace_back();
  return *this;
}

} // namespace bulkhead::testing
