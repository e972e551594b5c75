#include <bulkhead/messages/frame_writer.hpp>

#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace bulkhead::wire {
namespace {

constexpr std::string_view before_id = R"({"id":")";
constexpr std::string_view before_type = R"(","type":")";
constexpr std::string_view before_trace = R"(","traceparent":")";
constexpr std::string_view before_payload = R"(","payload":)";
constexpr std::string_view after_payload = "}";
constexpr std::size_t envelope_size =
    before_id.size() + before_type.size() + before_payload.size() + after_payload.size();

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

char* put(char* out, std::string_view text) {
  return std::copy_n(text.data(), text.size(), out);
}

char* put_length(char* out, std::size_t size) {
  for (auto shift = 8 * frame_prefix_size; shift > 0;) {
    shift -= 8;
    *out++ = static_cast<char>(size >> shift & 0xFF);
  }
  return out;
}

void append_escaped(std::string& out, unsigned char c) {
  switch (c) {
  case '"':
    out += "\\\"";
    return;
  case '\\':
    out += "\\\\";
    return;
  case '\n':
    out += "\\n";
    return;
  case '\r':
    out += "\\r";
    return;
  case '\t':
    out += "\\t";
    return;
  default:
    break;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u00";
  out += digits[c >> 4];
  out += digits[c & 0xFu];
}

// Cut where a character begins.
std::string_view cut(std::string_view text, std::size_t size) {
  if (text.size() <= size)
    return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
    --size;
  return text.substr(0, size);
}

} // namespace

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    auto const plain = plain_length(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty())
      break;
    auto const c = static_cast<unsigned char>(text.front());
    std::size_t taken = 1;
    if (c < 0x80) {
      append_escaped(out, c);
    } else if (auto const length = utf8_length(text); length != 0) {
      out.append(text.substr(0, length));
      taken = length;
    } else {
      out += replacement;
    }
    text.remove_prefix(taken);
  }
  out += '"';
}

std::optional<std::uint64_t> parse_id(std::string_view text) noexcept {
  auto const end = text.data() + text.size();
  std::uint64_t id = 0;
  auto const [stopped, failed] = std::from_chars(text.data(), end, id);
  auto const canonical = text.size() == 1 || (!text.empty() && text.front() != '0');
  return failed == std::errc{} && stopped == end && canonical ? std::optional{id} : std::nullopt;
}

frame_writer::frame_writer(outbound_buffer& out, std::size_t frame_limit) noexcept
    : out_{out}
    , frame_limit_{std::min(frame_limit, max_frame_size)} {}

bool frame_writer::request(std::uint64_t id, std::string_view type, std::string_view payload,
                           std::string_view traceparent) {
  std::array<char, 20> digits; // of 2^64 - 1
  auto const end = std::to_chars(digits.begin(), digits.end(), id).ptr;
  return append_message({digits.begin(), end}, type, payload, traceparent);
}

bool frame_writer::notification(std::string_view type, std::string_view payload) {
  return append_message({}, type, payload, {});
}

bool frame_writer::reply(std::string_view raw_id, std::string_view raw_type,
                         std::string_view payload) {
  return append_frame({raw_id, raw_type, response_suffix, payload});
}

bool frame_writer::reply(std::string_view raw_id, std::string_view raw_type,
                         std::string_view payload, shared_bytes attachment) {
  envelope_text const text{raw_id, raw_type, response_suffix, payload};
  auto const json_size = text.size();
  auto const size = frame_prefix_size + json_size + attachment.size();
  if (size > frame_limit_)
    return false;
  auto const frame = out_.reserve(2 * frame_prefix_size + json_size);
  auto const json = put_length(put_length(frame, attachment_bit | size), json_size);
  out_.commit(static_cast<std::size_t>(text.write_to(json) - frame));
  out_.attach(std::move(attachment));
  return true;
}

bool frame_writer::partial(std::string_view raw_id, std::string_view raw_type,
                           std::string_view payload) {
  return append_frame({raw_id, raw_type, partial_suffix, payload});
}

bool frame_writer::error_reply(std::string_view raw_id, std::string_view raw_type,
                               std::string_view text, std::string_view code,
                               std::initializer_list<error_member> more) {
  std::string payload = R"({"error":)";
  append_quoted(payload, cut(text, max_error_text));
  payload += R"(,"code":)";
  append_quoted(payload, code);
  for (auto const& [name, json] : more) {
    payload += R"(,")";
    payload += name;
    payload += R"(":)";
    payload += json;
  }
  payload += '}';
  return append_frame({raw_id, raw_type, error_suffix, payload});
}

bool frame_writer::append_message(std::string_view raw_id, std::string_view type,
                                  std::string_view payload, std::string_view traceparent) {
  if (plain_length(type) == type.size())
    return append_frame({raw_id, type, {}, payload, traceparent});
  std::string quoted;
  append_quoted(quoted, type);
  auto const raw_type = std::string_view{quoted}.substr(1, quoted.size() - 2);
  return append_frame({raw_id, raw_type, {}, payload, traceparent});
}

std::size_t frame_writer::envelope_text::size() const noexcept {
  auto const trace_size = traceparent.empty() ? 0 : before_trace.size() + traceparent.size();
  return envelope_size + raw_id.size() + raw_type.size() + suffix.size() + trace_size +
         payload.size();
}

char* frame_writer::envelope_text::write_to(char* out) const {
  out = put(out, before_id);
  out = put(out, raw_id);
  out = put(out, before_type);
  out = put(out, raw_type);
  out = put(out, suffix);
  if (!traceparent.empty())
    out = put(put(out, before_trace), traceparent);
  out = put(out, before_payload);
  out = put(out, payload);
  return put(out, after_payload);
}

bool frame_writer::append_frame(envelope_text const& text) {
  auto const size = text.size();
  if (size > frame_limit_)
    return false;
  auto const frame = out_.reserve(frame_prefix_size + size);
  out_.commit(static_cast<std::size_t>(text.write_to(put_length(frame, size)) - frame));
  return true;
}

} // namespace bulkhead::wire
