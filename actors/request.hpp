#pragma once

#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/payload.hpp>

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace bulkhead {

class inbound_call;

/// What an extension asks of the backend. A handle on one open request: cheap to copy, valid for as
/// long as it is held, usable on the loop's thread.
class request {
public:
  explicit request(std::shared_ptr<inbound_call> call) noexcept;

  /// The host that asks: whose connection it came on, whatever the payload says.
  std::string_view host() const noexcept;
  std::string_view type() const noexcept;
  /// The W3C traceparent that the extension sent with it, mostly that of the request which it
  /// serves meanwhile; empty without one. It is the extension's word.
  std::string_view traceparent() const noexcept;
  /// Parsed at the first call.
  json const& payload() const;
  /// The payload's JSON text as it came.
  std::string_view payload_text() const noexcept;
  /// The extension took the request back, or is gone: nobody waits for the answer any more.
  bool is_cancelled() const noexcept;
  /// Sends a partial reply.
  void progress(json const& so_far) const;

private:
  std::shared_ptr<inbound_call> call_;
};

/// Thrown by a handler to tell the extension what went wrong; both texts travel to it, so they must
/// not name what it may not know.
class request_error : public std::runtime_error {
public:
  request_error(std::string code, std::string const& message)
      : std::runtime_error{message}
      , code_{std::move(code)} {}
  std::string const& code() const noexcept { return code_; }

private:
  std::string code_;
};

/// The two shapes of a handler: one that answers at once and one that is an Asio coroutine.
using request_handler = std::variant<std::function<json(request const&)>,
                                     std::function<boost::asio::awaitable<json>(request)>>;

/// Wraps whatever can be called with a request.
template <class Handler>
request_handler make_request_handler(Handler handler) {
  using answer = std::invoke_result_t<Handler&, request>;
  if constexpr (std::is_same_v<answer, boost::asio::awaitable<json>>)
    return std::function<boost::asio::awaitable<json>(request)>{std::move(handler)};
  else if constexpr (std::is_void_v<answer>)
    return std::function<json(request const&)>{
        [handler = std::move(handler)](request const& asked) mutable -> json {
          handler(asked);
          return boost::json::object{};
        }};
  else
    return std::function<json(request const&)>{
        [handler = std::move(handler)](request const& asked) mutable -> json {
          return json(handler(asked));
        }};
}

} // namespace bulkhead
