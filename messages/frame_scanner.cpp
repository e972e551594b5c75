#include <bulkhead/messages/frame_scanner.hpp>

#include <bulkhead/messages/traceparent.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace bulkhead::wire {
namespace {

// What a scanner keeps between frames: enough for the keys of an ordinary frame. A greater frame's
// is given back.
constexpr std::size_t kept_keys = 1024;
constexpr std::size_t kept_key_text = 16 * 1024;

// Up to this many keys are compared with each other, which beats sorting them.
constexpr std::size_t compared_keys = 16;

constexpr bool is_plain(char c) {
  return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\';
}

char const* skip_plain(char const* p, char const* end) noexcept {
#if defined(__SSE2__)
  auto const quote = _mm_set1_epi8('"');
  auto const backslash = _mm_set1_epi8('\\');
  auto const space = _mm_set1_epi8(0x20);
  for (; end - p >= 16; p += 16) {
    auto const block = _mm_loadu_si128(reinterpret_cast<__m128i const*>(p));
    // Signed: bytes of 0x80 and above are less than a space, too.
    auto const low = _mm_cmplt_epi8(block, space);
    auto const marks = _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash));
    if (auto const special = _mm_movemask_epi8(_mm_or_si128(low, marks)); special != 0)
      return p + __builtin_ctz(static_cast<unsigned>(special));
  }
#endif
  return std::find_if_not(p, end, is_plain);
}

// What may stand behind a backslash but u, and what it means.
constexpr std::string_view escapes = "\"\\/bfnrt";
constexpr std::string_view meant = "\"\\/\b\f\n\r\t";

constexpr bool is_high_surrogate(std::uint32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
constexpr bool is_low_surrogate(std::uint32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

char* append_utf8(char* out, std::uint32_t point) {
  auto const put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
  return out;
}

std::uint32_t hex4(char const* digits) {
  std::uint32_t unit = 0;
  std::from_chars(digits, digits + 4, unit, 16);
  return unit;
}

// Decodes text that read_string accepted; returns the end of what it wrote, never more than
// raw.size() bytes.
char* decode(std::string_view raw, char* out) {
  for (auto p = raw.data(), end = p + raw.size(); p != end;) {
    if (*p != '\\') {
      *out++ = *p++;
      continue;
    }
    auto const kind = p[1];
    p += 2;
    if (kind != 'u') {
      *out++ = meant[escapes.find(kind)];
      continue;
    }
    auto point = hex4(p);
    p += 4;
    if (is_high_surrogate(point)) {
      point = 0x10000 + ((point - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
      p += 6;
    }
    out = append_utf8(out, point);
  }
  return out;
}

// The first eight bytes of a key, so that most comparisons of a sort need not follow a pointer.
std::uint64_t head_of(std::string_view key) {
  std::uint64_t head = 0;
  std::memcpy(&head, key.data(), std::min(key.size(), sizeof head));
  return head;
}

// Whether Boost.JSON, which is how callers read a payload, makes no finite double of a decimal
// literal without a sign: it is too great, or a zero with an exponent past a double's, which would
// be multiplied with infinity. Next to the greatest double Boost.JSON is the one to ask, as it
// rounds otherwise than from_chars.
bool overflows(std::string_view literal, std::string_view whole, std::string_view fraction,
               std::int64_t exponent) {
  constexpr std::int64_t greatest = std::numeric_limits<double>::max_exponent10;
  // The power of ten of the first digit that counts.
  std::int64_t power = 0;
  if (whole != "0") {
    power = static_cast<std::int64_t>(whole.size()) - 1;
  } else if (auto const first = fraction.find_first_not_of('0'); first != fraction.npos) {
    power = -1 - static_cast<std::int64_t>(first);
  } else {
    return exponent > greatest;
  }
  power += exponent;
  if (power != greatest)
    return power > greatest;
  boost::system::error_code failed;
  auto const value = boost::json::parse({literal.data(), literal.size()}, failed);
  auto const* const number = value.if_double();
  return number == nullptr || !std::isfinite(*number);
}

/// As many digits as JavaScript writes without an exponent (ECMA-262, Number::toString: up to
/// 1e21). All 64-bit integers have fewer; a longer one is no number that anybody means.
constexpr std::size_t most_integer_digits = 21;

} // namespace

message_type classify(std::string_view type) noexcept {
  using enum message_kind;
  for (auto const& [suffix, kind] :
       {std::pair{response_suffix, response}, {error_suffix, error}, {partial_suffix, partial}})
    if (type.ends_with(suffix))
      return {kind, type.substr(0, type.size() - suffix.size())};
  return {request, type};
}

std::size_t plain_length(std::string_view text) noexcept {
  return static_cast<std::size_t>(skip_plain(text.data(), text.data() + text.size()) - text.data());
}

std::size_t utf8_length(std::string_view text) noexcept {
  auto const in = [text](std::size_t index, unsigned low, unsigned high) {
    auto const byte = index < text.size() ? static_cast<unsigned char>(text[index]) : 0u;
    return low <= byte && byte <= high;
  };
  auto const tail = [&in](std::size_t index) { return in(index, 0x80, 0xBF); };
  if (in(0, 0xC2, 0xDF))
    return tail(1) ? 2 : 0;
  if (in(0, 0xE0, 0xEF)) {
    auto const second = in(0, 0xE0, 0xE0)   ? in(1, 0xA0, 0xBF)
                        : in(0, 0xED, 0xED) ? in(1, 0x80, 0x9F)
                                            : tail(1);
    return second && tail(2) ? 3 : 0;
  }
  if (in(0, 0xF0, 0xF4)) {
    auto const second = in(0, 0xF0, 0xF0)   ? in(1, 0x90, 0xBF)
                        : in(0, 0xF4, 0xF4) ? in(1, 0x80, 0x8F)
                                            : tail(1);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    auto const is_ascii = static_cast<unsigned char>(text.front()) < 0x80;
    auto const length = is_ascii ? 1 : utf8_length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

// ---- entry points ----------------------------------------------------------------------------

std::string unescape(std::string_view raw) {
  std::string text(raw.size(), '\0'); // no escape is shorter than what it means
  text.resize(static_cast<std::size_t>(decode(raw, text.data()) - text.data()));
  return text;
}

// Mostly there is none.
inline void frame_scanner::skip_space() noexcept {
  while (cursor_ != end_ && *cursor_ <= ' ' && (at(' ') || at('\n') || at('\t') || at('\r')))
    ++cursor_;
}

std::optional<errc> frame_scanner::scan(std::string_view frame, envelope& out) {
  begin(frame);
  return finish(read_envelope(out));
}

std::optional<errc> frame_scanner::validate(std::string_view json_text) {
  begin(json_text);
  skip_space();
  return finish(read_value(2));
}

void frame_scanner::begin(std::string_view text) {
  cursor_ = text.data();
  end_ = cursor_ + text.size();
  text_size_ = text.size();
  key_text_size_ = 0;
  keys_.clear();
}

std::optional<errc> frame_scanner::finish(bool good) {
  if (keys_.capacity() > kept_keys)
    keys_ = std::vector<key>{};
  if (key_text_capacity_ > kept_key_text) {
    key_text_.reset();
    key_text_capacity_ = 0;
  }
  if (!good)
    return failure_;
  skip_space();
  return cursor_ == end_ ? std::nullopt : std::optional{errc::json_trailing};
}

// ---- the envelope ----------------------------------------------------------------------------

bool frame_scanner::read_envelope(envelope& out) {
  constexpr unsigned needed_members = 7;
  out.traceparent = {};
  skip_space();
  if (!at('{'))
    return read_value(1) &&
           (skip_space(), fail(cursor_ == end_ ? errc::envelope_invalid : errc::json_trailing));
  ++cursor_;
  skip_space();
  if (at('}'))
    return fail(errc::envelope_invalid);
  for (unsigned seen = 0;;) {
    if (!read_member(out, seen))
      return false;
    skip_space();
    if (at('}')) {
      ++cursor_;
      return (seen & needed_members) == needed_members || fail(errc::envelope_invalid);
    }
    if (!at(','))
      return fail(errc::json_syntax);
    ++cursor_;
    skip_space();
  }
}

bool frame_scanner::read_member(envelope& out, unsigned& seen) {
  std::string_view name;
  if (!read_key(name) || !read_colon())
    return false;
  auto const first_time = [&](unsigned bit) {
    return (seen & bit) == 0 ? (seen |= bit, true) : fail(errc::json_duplicate_key);
  };
  if (name == "id")
    return first_time(1) && read_text(out.raw_id, out.id, id_);
  if (name == "type") {
    if (!first_time(2) || !read_text(out.raw_type, out.type, type_))
      return false;
    auto const size = classify(out.type).base.size();
    return (size >= 1 && size <= max_type_size) || fail(errc::envelope_invalid);
  }
  if (name == "traceparent")
    return first_time(8) && read_traceparent(out.traceparent);
  if (name != "payload")
    return fail(errc::envelope_invalid);
  auto const start = cursor_;
  if (!first_time(4) || !read_value(2))
    return false;
  out.payload = since(start);
  return true;
}

template <std::size_t N>
bool frame_scanner::read_text(std::string_view& raw, std::string_view& text, decoded<N>& room) {
  if (!at('"'))
    return read_value(2) && fail(errc::envelope_invalid);
  literal found;
  if (!read_string(found))
    return false;
  raw = text = found.raw;
  if (found.escaped) {
    // No escape takes more than six bytes for one of text.
    if (raw.size() > 6 * N)
      return fail(errc::envelope_invalid);
    std::array<char, 6 * N> scratch;
    auto const size = static_cast<std::size_t>(decode(raw, scratch.data()) - scratch.data());
    std::copy_n(scratch.data(), std::min(size, N), room.data());
    text = {room.data(), size};
  }
  return text.size() <= N || fail(errc::envelope_invalid);
}

/// It needs no escapes.
bool frame_scanner::read_traceparent(std::string_view& out) {
  if (!at('"'))
    return read_value(2) && fail(errc::envelope_invalid);
  literal found;
  if (!read_string(found))
    return false;
  out = found.raw;
  return is_traceparent(out) || fail(errc::envelope_invalid);
}

// ---- values ----------------------------------------------------------------------------------

bool frame_scanner::read_value(int depth) {
  if (cursor_ == end_)
    return fail(errc::json_syntax);
  switch (*cursor_) {
  case '"': {
    literal unused;
    return read_string(unused);
  }
  case '{':
    return depth <= max_depth ? read_object(depth) : fail(errc::json_depth);
  case '[':
    return depth <= max_depth ? read_array(depth) : fail(errc::json_depth);
  case 't':
    return read_word("true");
  case 'f':
    return read_word("false");
  case 'n':
    return read_word("null");
  default:
    return read_number();
  }
}

bool frame_scanner::read_array(int depth) {
  ++cursor_;
  skip_space();
  if (at(']'))
    return ++cursor_, true;
  for (;;) {
    if (!read_value(depth + 1))
      return false;
    skip_space();
    if (at(']'))
      return ++cursor_, true;
    if (!at(','))
      return fail(errc::json_syntax);
    ++cursor_;
    skip_space();
  }
}

bool frame_scanner::read_object(int depth) {
  auto const first_key = keys_.size();
  ++cursor_;
  skip_space();
  if (at('}'))
    return ++cursor_, true;
  for (;;) {
    std::string_view name;
    if (!read_key(name))
      return false;
    keys_.push_back({name, 0});
    if (!read_colon() || !read_value(depth + 1))
      return false;
    skip_space();
    if (at('}'))
      break;
    if (!at(','))
      return fail(errc::json_syntax);
    ++cursor_;
    skip_space();
  }
  ++cursor_;
  if (has_duplicates(first_key))
    return fail(errc::json_duplicate_key);
  keys_.resize(first_key);
  return true;
}

// Few keys are compared with each other; many are sorted: no hashing, so nothing to flood.
bool frame_scanner::has_duplicates(std::size_t first_key) {
  auto const first = keys_.begin() + static_cast<std::ptrdiff_t>(first_key);
  // The ends tell most keys apart without a call.
  auto const same = [](key const& one, key const& other) {
    auto const a = one.text, b = other.text;
    return a.size() == b.size() &&
           (a.empty() || (a.front() == b.front() && a.back() == b.back() && a == b));
  };
  if (keys_.size() - first_key <= compared_keys) {
    for (auto it = first; it != keys_.end(); ++it)
      if (std::any_of(first, it, [&](key const& earlier) { return same(earlier, *it); }))
        return true;
    return false;
  }
  for (auto it = first; it != keys_.end(); ++it)
    it->head = head_of(it->text);
  std::sort(first, keys_.end(), [](key const& a, key const& b) {
    auto const size_a = a.text.size(), size_b = b.text.size();
    if (a.head != b.head || size_a != size_b)
      return std::tie(a.head, size_a) < std::tie(b.head, size_b);
    return size_a > sizeof a.head && a.text < b.text;
  });
  return std::adjacent_find(first, keys_.end(), same) != keys_.end();
}

bool frame_scanner::read_key(std::string_view& text) {
  literal found;
  if (!at('"'))
    return fail(errc::json_syntax);
  if (!read_string(found))
    return false;
  text = found.escaped ? keep_decoded(found.raw) : found.raw;
  return true;
}

bool frame_scanner::read_colon() {
  skip_space();
  if (!at(':'))
    return fail(errc::json_syntax);
  ++cursor_;
  skip_space();
  return true;
}

std::string_view frame_scanner::keep_decoded(std::string_view raw) {
  if (key_text_capacity_ < text_size_) {
    // Room for all keys of this text, so that it is made before the first one and never moves.
    key_text_ = std::make_unique_for_overwrite<char[]>(text_size_);
    key_text_capacity_ = text_size_;
  }
  auto const start = key_text_.get() + key_text_size_;
  auto const size = static_cast<std::size_t>(decode(raw, start) - start);
  key_text_size_ += size;
  return {start, size};
}

// ---- strings ---------------------------------------------------------------------------------

bool frame_scanner::read_string(literal& out) {
  auto const start = ++cursor_;
  out.escaped = false;
  for (;;) {
    cursor_ = skip_plain(cursor_, end_);
    if (cursor_ == end_)
      return fail(errc::json_syntax);
    auto const c = static_cast<unsigned char>(*cursor_);
    if (c == '"') {
      out.raw = since(start);
      ++cursor_;
      return true;
    }
    if (c == '\\') {
      out.escaped = true;
      if (!read_escape())
        return false;
    } else if (c < 0x20) {
      return fail(errc::json_syntax);
    } else {
      while (cursor_ != end_ && static_cast<unsigned char>(*cursor_) >= 0x80) {
        auto const length = utf8_length(rest());
        if (length == 0)
          return fail(errc::json_encoding);
        cursor_ += length;
      }
    }
  }
}

bool frame_scanner::read_escape() {
  ++cursor_;
  if (cursor_ == end_)
    return fail(errc::json_syntax);
  if (auto const kind = *cursor_++; kind != 'u')
    return escapes.find(kind) != escapes.npos || fail(errc::json_syntax);
  std::uint32_t unit = 0;
  if (!read_hex4(unit))
    return false;
  if (!is_high_surrogate(unit))
    return !is_low_surrogate(unit) || fail(errc::json_encoding);
  if (!rest().starts_with("\\u"))
    return fail(errc::json_encoding);
  cursor_ += 2;
  return read_hex4(unit) && (is_low_surrogate(unit) || fail(errc::json_encoding));
}

bool frame_scanner::read_hex4(std::uint32_t& out) {
  constexpr std::string_view digits = "0123456789abcdefABCDEF";
  if (rest().size() < 4 || rest().substr(0, 4).find_first_not_of(digits) != rest().npos)
    return fail(errc::json_syntax);
  out = hex4(cursor_);
  cursor_ += 4;
  return true;
}

// ---- numbers and words -----------------------------------------------------------------------

bool frame_scanner::read_number() {
  constexpr std::int64_t greatest_exponent = 99'999'999; // and what Boost.JSON can still read
  if (at('-'))
    ++cursor_;
  auto const start = cursor_;
  auto const read_digits = [this](std::string_view& digits) {
    auto const first = cursor_;
    while (at_digit())
      ++cursor_;
    digits = since(first);
    return !digits.empty() || fail(errc::json_syntax);
  };

  std::string_view whole;
  if (!read_digits(whole))
    return false;
  if (whole.size() > 1 && whole.front() == '0')
    return fail(errc::json_syntax);
  auto const has_fraction = at('.');
  std::string_view fraction;
  if (has_fraction && (++cursor_, !read_digits(fraction)))
    return false;
  auto const has_exponent = at('e') || at('E');
  std::int64_t exponent = 0;
  if (has_exponent) {
    ++cursor_;
    auto const down = at('-');
    if (down || at('+'))
      ++cursor_;
    std::string_view digits;
    if (!read_digits(digits))
      return false;
    for (char const digit : digits)
      exponent = std::min(exponent * 10 + (digit - '0'), greatest_exponent + 1);
    if (exponent > greatest_exponent)
      return fail(errc::json_number);
    exponent = down ? -exponent : exponent;
  }
  auto const fits = has_fraction || has_exponent
                        ? !overflows(since(start), whole, fraction, exponent)
                        : whole.size() <= most_integer_digits;
  return fits || fail(errc::json_number);
}

bool frame_scanner::read_word(std::string_view word) {
  if (!rest().starts_with(word))
    return fail(errc::json_syntax);
  cursor_ += word.size();
  return true;
}

} // namespace bulkhead::wire
