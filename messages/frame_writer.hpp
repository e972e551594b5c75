#pragma once

#include <bulkhead/messages/outbound_buffer.hpp>
#include <bulkhead/messages/shared_bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::wire {

/// The most bytes that append_quoted() makes of so many: an escape takes six.
constexpr std::size_t longest_quoted(std::size_t size) noexcept {
  return 6 * size + 2;
}

/// Appends text as a JSON string with its quotes. Ill-formed UTF-8 becomes U+FFFD, so that what is
/// written is always valid.
void append_quoted(std::string& out, std::string_view text);

/// The number of one of our own requests; nothing for text that is not exactly how we write one
/// (decimal, no sign, no leading zero, at most 64 bits).
std::optional<std::uint64_t> parse_id(std::string_view text) noexcept;

/// One more member of an error's payload, such as {"retry_after_ms", "250"}.
struct error_member {
  std::string_view name; ///< needs no escaping
  std::string_view json; ///< valid JSON text
};

/// Appends messages to a buffer, each as one frame in the canonical order id, type, traceparent (if
/// there is one), payload. A
/// frame that would be longer than the limit is not written: the call returns false and leaves the
/// buffer as it was.
///
/// Payloads are valid JSON text (see frame_scanner::validate), raw ids and types are those of an
/// envelope, and types are any UTF-8 text.
class frame_writer {
public:
  /// An error's text is cut to so many bytes: it is a sentence, and the reply must fit where the
  /// request did.
  static constexpr std::size_t max_error_text = 4096;

  /// `out` must outlive the writer. `frame_limit` counts a frame's bytes without the prefix; no
  /// more than max_frame_size of it counts.
  frame_writer(outbound_buffer& out, std::size_t frame_limit) noexcept;

  [[nodiscard]] bool request(std::uint64_t id, std::string_view type, std::string_view payload,
                             std::string_view traceparent = {});
  [[nodiscard]] bool notification(std::string_view type, std::string_view payload);

  [[nodiscard]] bool reply(std::string_view raw_id, std::string_view raw_type,
                           std::string_view payload);
  /// The same with an attachment, for a peer that takes them.
  [[nodiscard]] bool reply(std::string_view raw_id, std::string_view raw_type,
                           std::string_view payload, shared_bytes attachment);
  [[nodiscard]] bool partial(std::string_view raw_id, std::string_view raw_type,
                             std::string_view payload);
  /// `{"error": text, "code": code, …}`.
  [[nodiscard]] bool error_reply(std::string_view raw_id, std::string_view raw_type,
                                 std::string_view text, std::string_view code,
                                 std::initializer_list<error_member> more = {});

private:
  bool append_message(std::string_view raw_id, std::string_view type, std::string_view payload,
                      std::string_view traceparent);
  /// The parts of an envelope.
  struct envelope_text {
    std::string_view raw_id, raw_type, suffix, payload;
    std::string_view traceparent{}; ///< empty where it has none

    std::size_t size() const noexcept;
    /// Writes it; returns its end.
    char* write_to(char* out) const;
  };

  bool append_frame(envelope_text const& text);

  outbound_buffer& out_;
  std::size_t frame_limit_;
};

} // namespace bulkhead::wire
