#pragma once

#include <bulkhead/messages/errc.hpp>
#include <bulkhead/messages/reason.hpp>

#include <boost/system/result.hpp>
#include <exception>
#include <string>
#include <utility>

namespace bulkhead {

/// A failure that was expected to be possible: who, what happened with a stable code, why, what to
/// do. A value that can be thrown; the library itself throws it only where a completion token asks
/// for exceptions (a future, an awaitable).
class error : public std::exception {
public:
  /// No error; what boost::system::result gives for one that holds a value.
  error() = default;
  /// `detail` says what is special about this one; it replaces the code's own sentence where it is
  /// not empty.
  explicit error(errc code, std::string detail = {}, std::string remedy = {});

  errc code() const noexcept { return code_; }
  /// What happened, as one sentence.
  std::string const& detail() const noexcept { return detail_; }
  /// What to do about it; empty where nothing can be done.
  std::string const& remedy() const noexcept { return remedy_; }
  /// The host concerned; empty where none is.
  std::string const& host() const noexcept { return host_; }
  /// The type of the message concerned; empty where none is.
  std::string const& message_type() const noexcept { return message_type_; }
  /// Why the host is not there any more, with connection_lost and host_not_running; else none.
  reason host_reason() const noexcept { return host_reason_; }
  /// With remote_error: the code that the other side gave, such as "permission_denied"; else empty.
  std::string const& remote_code() const noexcept { return remote_code_; }

  error&& with_host(std::string host) && { return host_ = std::move(host), refresh(); }
  error&& with_message_type(std::string type) && {
    return message_type_ = std::move(type), refresh();
  }
  error&& with_host_reason(reason why) && { return host_reason_ = why, refresh(); }
  error&& with_remote_code(std::string code) && {
    return remote_code_ = std::move(code), refresh();
  }

  /// All of it on one line: `formatter: the host ended while the request was open (connection_lost,
  /// 4003; exit_code) - …`.
  char const* what() const noexcept override { return text_.c_str(); }

private:
  error&& refresh();

  errc code_{};
  reason host_reason_ = reason::none;
  std::string detail_;
  std::string remedy_;
  std::string host_;
  std::string message_type_;
  std::string remote_code_;
  std::string text_;
};

/// What boost::system::result calls for value() on a failure.
[[noreturn]] inline void throw_exception_from_error(error const& failed,
                                                    boost::source_location const&) {
  throw failed;
}

/// A value or the error that took its place.
template <class T>
using result = boost::system::result<T, error>;

} // namespace bulkhead
