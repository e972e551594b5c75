#include <bulkhead/messages/audit_record.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace bulkhead {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

// The members in their order; each text stands between two of these.
constexpr std::string_view before_seq = R"({"v":1,"seq":)";
constexpr std::string_view before_time = R"(,"time":")";
constexpr std::string_view before_previous = R"(","prev":")";
constexpr std::string_view before_host = R"(","host":")";
constexpr std::string_view before_what = R"(","what":")";
constexpr std::string_view before_object = R"(","object":")";
constexpr std::string_view before_rule = R"(","rule":")";
constexpr std::string_view before_outcome = R"(","outcome":")";
constexpr std::string_view before_code = R"(","code":")";
constexpr std::string_view before_count = R"(","count":)";
constexpr std::string_view before_hash = R"(,"hash":")";
constexpr std::string_view line_end = R"("})";

constexpr std::size_t time_size = std::string_view{"2026-03-01T12:00:00.000250Z"}.size();

struct character {
  char32_t code;
  std::size_t size; ///< 0 where the bytes are no character
};

constexpr unsigned char byte_at(std::string_view text, std::size_t i) noexcept {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

constexpr bool continues(unsigned char byte) noexcept {
  return (byte & 0xC0) == 0x80;
}

/// The UTF-8 character at the start of `text` (RFC 3629, section 4): no overlong form, no
/// surrogate, nothing above U+10FFFF.
character first_character(std::string_view text) noexcept {
  unsigned const first = byte_at(text, 0);
  if (first < 0x80)
    return {first, 1};
  std::size_t const size = first < 0xC2   ? 0
                           : first < 0xE0 ? 2
                           : first < 0xF0 ? 3
                           : first < 0xF5 ? 4
                                          : 0;
  if (size == 0)
    return {0, 0};
  char32_t code = first & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    auto const next = byte_at(text, i);
    if (!continues(next))
      return {0, 0};
    code = code << 6 | (next & 0x3Fu);
  }
  constexpr std::array<char32_t, 5> lowest{0, 0, 0x80, 0x800, 0x10000};
  auto const is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < lowest[size] || is_surrogate || code > 0x10FFFF ? character{0, 0}
                                                                : character{code, size};
}

/// Control characters, line and paragraph separator, and what changes the order in which text is
/// shown (CVE-2021-42574). All of them lie below U+10000.
constexpr bool must_be_escaped(char32_t code) noexcept {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C ||
         (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

void append_escape(std::string& out, char32_t code) {
  out += "\\u";
  for (auto const shift : {12, 8, 4, 0})
    out += hex_digits[static_cast<std::size_t>(code >> shift & 0xF)];
}

std::string_view bounded(std::string_view text) noexcept {
  if (text.size() <= max_audit_text)
    return text;
  auto size = max_audit_text;
  // A character has at most three bytes behind its first.
  for (auto i = 0; i < 3 && continues(byte_at(text, size)); ++i)
    --size;
  return text.substr(0, size);
}

void append_text(std::string& out, std::string_view text) {
  auto rest = bounded(text);
  auto const cut = text.size() - rest.size();
  while (!rest.empty()) {
    auto const [code, size] = first_character(rest);
    if (size == 0) {
      auto const byte = byte_at(rest, 0);
      out += {'\\', '\\', 'x', hex_digits[byte >> 4], hex_digits[byte & 0xF]};
    } else if (must_be_escaped(code)) {
      append_escape(out, code);
    } else {
      if (code == '"' || code == '\\')
        out += '\\';
      out += rest.substr(0, size);
    }
    rest.remove_prefix(std::max<std::size_t>(size, 1));
  }
  if (cut != 0)
    out += " … (" + std::to_string(cut) + " bytes more)";
}

/// Takes a line apart from its start to its end.
class cursor {
public:
  explicit cursor(std::string_view line) noexcept
      : line_{line} {}

  void expect(std::string_view literal) noexcept {
    if (line_.substr(at_).starts_with(literal))
      at_ += literal.size();
    else
      failed_ = true;
  }

  std::uint64_t number() noexcept {
    std::uint64_t value = 0;
    auto const* const from = line_.data() + at_;
    auto const [end, wrong] = std::from_chars(from, line_.data() + line_.size(), value);
    failed_ = failed_ || wrong != std::errc{} || (*from == '0' && end != from + 1);
    at_ += static_cast<std::size_t>(end - from);
    return value;
  }

  /// Up to the quote that ends it.
  std::string_view text() noexcept {
    auto const from = at_;
    while (at_ < line_.size() && line_[at_] != '"' && byte_at(line_, at_) >= 0x20)
      at_ += line_[at_] == '\\' ? 2u : 1u;
    at_ = std::min(at_, line_.size());
    return line_.substr(from, at_ - from);
  }

  std::string_view hash() noexcept {
    auto const found = text();
    failed_ = failed_ || found.size() != audit_hash_size ||
              found.find_first_not_of(hex_digits) != found.npos;
    return found;
  }

  std::string_view before() const noexcept { return line_.substr(0, at_); }
  bool is_done() const noexcept { return !failed_ && at_ == line_.size(); }

private:
  std::string_view line_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

} // namespace

std::string_view to_string(audit_outcome outcome) noexcept {
  switch (outcome) {
  case audit_outcome::allowed:
    return "allowed";
  case audit_outcome::denied:
    return "denied";
  case audit_outcome::failed:
    return "failed";
  case audit_outcome::noted:
    return "noted";
  }
  return "failed";
}

std::string audit_time(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  auto const instant = floor<microseconds>(time);
  auto const day = floor<days>(instant);
  year_month_day const date{day};
  hh_mm_ss const clock{instant - day};
  std::array<char, 64> text;
  auto const size = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", int{date.year()},
      unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

void append_audit_body(std::string& out, audit_record const& record, audit_position const& last) {
  out += before_seq;
  out += std::to_string(last.seq + 1);
  out += before_time;
  out += audit_time(record.time);
  out += before_previous;
  out += last.hash;
  out += before_host;
  append_text(out, record.host);
  out += before_what;
  append_text(out, record.what);
  out += before_object;
  append_text(out, record.object);
  out += before_rule;
  append_text(out, record.rule);
  out += before_outcome;
  out += to_string(record.outcome);
  out += before_code;
  if (record.code != errc{})
    out += to_string(record.code);
  out += before_count;
  out += std::to_string(record.count);
}

void append_audit_hash(std::string& out, std::string_view hash) {
  out += before_hash;
  out += hash;
  out += line_end;
  out += '\n';
}

std::optional<audit_line> read_audit_line(std::string_view line) noexcept {
  audit_line read;
  cursor at{line};
  at.expect(before_seq);
  read.seq = at.number();
  at.expect(before_time);
  read.time = at.text();
  at.expect(before_previous);
  read.previous_hash = at.hash();
  at.expect(before_host);
  at.text();
  at.expect(before_what);
  read.what = at.text();
  at.expect(before_object);
  read.object = at.text();
  at.expect(before_rule);
  at.text();
  at.expect(before_outcome);
  read.outcome = at.text();
  at.expect(before_code);
  at.text();
  at.expect(before_count);
  at.number();
  read.body = at.before();
  at.expect(before_hash);
  read.hash = at.hash();
  at.expect(line_end);
  if (!at.is_done() || read.time.size() != time_size)
    return std::nullopt;
  return read;
}

} // namespace bulkhead
