#pragma once

#include <bulkhead/messages/errc.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::wire {

/// How deep a frame may nest; the envelope object itself is level 1, so a payload may use one level
/// less.
inline constexpr int max_depth = 64;
/// The longest id, in bytes of decoded text.
inline constexpr std::size_t max_id_size = 128;
/// The longest type of a request, in bytes of decoded text. Its replies may be longer by their
/// suffix.
inline constexpr std::size_t max_type_size = 128;

/// What a reply's type has behind the type of its request.
inline constexpr std::string_view response_suffix = "-response";
inline constexpr std::string_view error_suffix = "-error";
inline constexpr std::string_view partial_suffix = "-partial";

/// What the suffix of a type says. A request with an empty id is a notification.
enum class message_kind : std::uint8_t { request, response, error, partial };

/// A type, taken apart.
struct message_type {
  message_kind kind;
  std::string_view base; ///< the request's type; points into the text given
};

/// Takes the reply's suffix off a type. A type without one is a request's, and its own base.
message_type classify(std::string_view type) noexcept;

/// How many bytes `text` begins with that stand in a JSON string as they are and need no check:
/// ASCII but control characters below a space, quote and backslash.
std::size_t plain_length(std::string_view text) noexcept;

/// The length of the UTF-8 sequence of several bytes that `text` begins with; 0 where it is
/// ill-formed: overlong, a surrogate, past U+10FFFF, cut short (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text) noexcept;

/// Whether all of it is well-formed.
bool is_utf8(std::string_view text) noexcept;

/// What the text between two quotes means. `raw` was accepted by a scanner.
std::string unescape(std::string_view raw);

/// One message as it came. Everything but decoded text points into the frame.
struct envelope {
  std::string_view
      id; ///< decoded; empty for a notification; may point into the scanner, until its next scan
  std::string_view type;        ///< decoded, as `id`
  std::string_view raw_id;      ///< the bytes between the quotes: what a reply repeats
  std::string_view raw_type;    ///< as `raw_id`; a reply's type is this and a suffix
  std::string_view payload;     ///< JSON text, checked, without the space around it
  std::string_view traceparent; ///< W3C Trace Context; empty where the frame has none
};

/// Checks a frame's body in one pass without building anything and tells where its parts are. It
/// accepts exactly what the protocol allows, reports the first thing that is wrong (a repeated key
/// at the end of its object), needs O(n log n) time whatever the frame holds, and allocates nothing
/// once it has seen a few frames, unless an object has more than 1024 keys or keys have more than
/// 16 KiB of escaped text. For one thread at a time; one scanner can serve many connections.
///
/// Beyond RFC 8259 it refuses: ill-formed UTF-8 and lone surrogates (json_encoding), nesting past
/// max_depth (json_depth), a key twice in one object after decoding (json_duplicate_key), and as
/// json_number integers outside int64 and uint64, numbers that Boost.JSON would read as infinity or
/// as no number (beyond a double, next to its greatest, or zero with an exponent past 308), and
/// exponents past 99999999. A number too small for a double is accepted: it rounds to zero.
class frame_scanner {
public:
  /// Scans one frame's body into `out`; nothing, or what is wrong with it. On an error `out` is
  /// unspecified.
  [[nodiscard]] std::optional<errc> scan(std::string_view frame, envelope& out);

  /// Checks any JSON value as strictly as a payload; space around it is allowed.
  [[nodiscard]] std::optional<errc> validate(std::string_view json_text);

private:
  /// Text between two quotes, checked but not decoded.
  struct literal {
    std::string_view raw;
    bool escaped;
  };
  struct key {
    std::string_view text;
    std::uint64_t head; // its first bytes as a number; only where keys are sorted
  };
  template <std::size_t N>
  using decoded = std::array<char, N>;

  // All of them leave cursor_ behind what they read, or set failure_ and return false.
  bool read_envelope(envelope& out);
  bool read_member(envelope& out, unsigned& seen);
  template <std::size_t N>
  bool read_text(std::string_view& raw, std::string_view& text, decoded<N>& room);
  bool read_traceparent(std::string_view& out);
  bool read_value(int depth);
  bool read_array(int depth);
  bool read_object(int depth);
  bool read_key(std::string_view& text);
  bool read_colon();
  bool read_string(literal& out);
  bool read_escape();
  bool read_hex4(std::uint32_t& out);
  bool read_number();
  bool read_word(std::string_view word);
  bool has_duplicates(std::size_t first_key);

  void begin(std::string_view text);
  std::optional<errc> finish(bool good);
  bool fail(errc code) noexcept { return failure_ = code, false; }
  bool at(char c) const noexcept { return cursor_ != end_ && *cursor_ == c; }
  bool at_digit() const noexcept { return cursor_ != end_ && *cursor_ >= '0' && *cursor_ <= '9'; }
  std::string_view rest() const noexcept { return {cursor_, end_}; }
  std::string_view since(char const* begin) const noexcept { return {begin, cursor_}; }
  void skip_space() noexcept;
  std::string_view keep_decoded(std::string_view raw);

  char const* cursor_ = nullptr;
  char const* end_ = nullptr;
  errc failure_{};
  std::vector<key> keys_; // of the objects being read, innermost last
  // Keys that had escapes, decoded. It is as long as the text scanned: decoding never makes text
  // longer.
  std::unique_ptr<char[]> key_text_;
  std::size_t key_text_capacity_ = 0;
  std::size_t key_text_size_ = 0;
  std::size_t text_size_ = 0;
  decoded<max_id_size> id_;
  decoded<max_type_size + response_suffix.size()> type_;
};

} // namespace bulkhead::wire
