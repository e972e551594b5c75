// Bytes from a hostile host through decoder and scanner: the split of the bytes must not matter,
// frames and attachments must be those that a plain reading of the lengths finds, and what is
// accepted must be JSON to an independent parser, too. The first four bytes of an input choose the
// split, the limit and whether there may be attachments, the rest is the stream.
#include "fuzz_target.hpp"

#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/frame_writer.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

using namespace bulkhead;
using fuzz::require;

namespace {

struct received {
  std::string json;
  std::optional<std::string> attachment{};

  bool operator==(received const&) const = default;
};

struct settings {
  std::size_t limit;
  /// So many frames come before attachments are allowed.
  std::size_t plain_frames;
};

struct outcome {
  std::vector<received> frames;
  std::optional<errc> failure;
  bool mid_frame = false;

  bool operator==(outcome const&) const = default;
};

std::size_t number_at(std::string_view bytes, std::size_t at) {
  std::size_t number = 0;
  for (auto i = at; i < at + 4; ++i)
    number = number * 256 + static_cast<unsigned char>(bytes[i]);
  return number;
}

/// The frames of a stream that is there as a whole.
outcome read_plainly(std::string_view stream, settings with) {
  constexpr std::size_t attached = 0x8000'0000;
  outcome result;
  while (stream.size() >= 4) {
    auto size = number_at(stream, 0);
    auto const may_be_attached = result.frames.size() >= with.plain_frames;
    auto const is_attached = may_be_attached && size >= attached;
    if (is_attached)
      size -= attached;
    if (size == 0 || size > with.limit) {
      result.failure = size == 0 ? errc::frame_empty : errc::frame_too_large;
      return result;
    }
    if (is_attached) {
      auto const json_size = stream.size() >= 8 ? number_at(stream, 4) : 1;
      if (json_size == 0 || 4 + json_size > size) {
        result.failure = errc::attachment_invalid;
        return result;
      }
    }
    if (stream.size() < 4 + size)
      break;
    auto const body = stream.substr(4, size);
    if (is_attached) {
      auto const json_size = number_at(body, 0);
      result.frames.push_back(
          {std::string{body.substr(4, json_size)}, std::string{body.substr(4 + json_size)}});
    } else {
      result.frames.push_back({std::string{body}});
    }
    stream.remove_prefix(4 + size);
  }
  result.mid_frame = !stream.empty();
  return result;
}

/// `next_size()` says how many bytes the next read brings at most.
template <class F>
outcome decode(std::string_view stream, settings with, std::size_t scratch_size, F next_size) {
  wire::frame_decoder decoder{with.limit};
  if (with.plain_frames == 0)
    decoder.allow_attachments();
  std::vector<char> scratch(scratch_size);
  outcome result;
  std::size_t came = 0;
  while (!stream.empty() && !result.failure) {
    auto const size = next_size();
    if (size % 3 == 0) { // a read for which nothing is there after all
      require(!decoder.prepare(scratch).empty(), "there is always room to read to");
      result.failure = decoder.commit(0, [](wire::raw_frame&) {
        require(false, "nothing makes no frame");
        return true;
      });
      require(!result.failure, "nothing is no mistake");
      std::fill(scratch.begin(), scratch.end(), '!');
    }
    auto const room = decoder.prepare(scratch);
    require(!room.empty(), "there is always room to read to");
    auto const n = std::min({stream.size(), room.size(), std::max<std::size_t>(size, 1)});
    std::copy_n(stream.data(), n, room.data());
    stream.remove_prefix(n);
    came += n;
    result.failure = decoder.commit(n, [&](wire::raw_frame& frame) {
      auto const beside = frame.attachment ? frame.attachment->size() : 0;
      require(!frame.json.empty() && frame.json.size() + beside <= with.limit,
              "a frame's size is within the limit");
      auto& kept = result.frames.emplace_back(received{std::string{frame.json}});
      if (frame.attachment)
        kept.attachment = frame.take_attachment().view();
      if (result.frames.size() == with.plain_frames)
        decoder.allow_attachments();
      return true;
    });
    require(decoder.held_bytes() <= std::max<std::size_t>(256, 2 * came),
            "memory is taken for what came only");
    std::fill(scratch.begin(), scratch.end(), '!');
  }
  result.mid_frame = decoder.mid_frame();
  return result;
}

void check_reply(wire::frame_scanner& scanner, wire::envelope const& asked) {
  wire::outbound_buffer out;
  if (!wire::frame_writer{out, wire::max_frame_size}.reply(asked.raw_id, asked.raw_type, "{}"))
    return;
  auto const id = std::string{asked.id};
  auto const type = std::string{asked.type};
  wire::envelope reply;
  auto const refused = scanner.scan(out.view().substr(wire::frame_prefix_size), reply);
  // A reply to a reply may be longer than a type can be.
  if (wire::classify(type).kind != wire::message_kind::request)
    return;
  require(!refused && reply.id == id && reply.payload == "{}", "a reply repeats the id");
  require(reply.type == type + std::string{wire::response_suffix}, "a reply repeats the type");
}

bool has_only_finite_numbers(boost::json::value const& value) {
  if (auto const* const object = value.if_object())
    return std::ranges::all_of(
        *object, [](auto const& member) { return has_only_finite_numbers(member.value()); });
  if (auto const* const array = value.if_array())
    return std::ranges::all_of(*array, has_only_finite_numbers);
  return !value.is_double() || std::isfinite(value.get_double());
}

/// A reply that repeats the attachment comes back as it was written.
void check_attached_reply(wire::envelope const& asked, std::string const& attachment) {
  wire::outbound_buffer out;
  if (!wire::frame_writer{out, wire::max_frame_size}.reply(asked.raw_id, asked.raw_type, "{}",
                                                           shared_bytes::copy_of(attachment)))
    return;
  std::array<std::string_view, 3> pieces;
  std::string written;
  for (auto const piece : std::span{pieces}.first(out.pieces(pieces)))
    written += piece;
  require(written.size() == out.size(), "a reply has at most two pieces");
  auto const read = read_plainly(written, {wire::max_frame_size, 0});
  require(read.frames.size() == 1 && !read.failure && !read.mid_frame, "a reply is one frame");
  require(read.frames[0].attachment == attachment, "the attachments agree");
  wire::outbound_buffer plain;
  require(wire::frame_writer{plain, wire::max_frame_size}.reply(asked.raw_id, asked.raw_type, "{}"),
          "a reply is shorter without its attachment");
  require(plain.view().substr(wire::frame_prefix_size) == read.frames[0].json,
          "the attachment changes nothing of the JSON");
}

void check_frame(std::string const& frame, std::optional<std::string> const& attachment = {}) {
  wire::frame_scanner scanner;
  wire::envelope found;
  if (scanner.scan(frame, found))
    return;
  boost::json::parse_options options;
  options.max_depth = static_cast<std::size_t>(wire::max_depth);
  boost::system::error_code failed;
  auto const parsed = boost::json::parse(frame, failed, {}, options);
  require(!failed, "an accepted frame is JSON to Boost.JSON");
  auto const& envelope = parsed.as_object();
  auto const* const trace = envelope.if_contains("traceparent");
  require(envelope.size() == (trace ? 4U : 3U),
          "an envelope has three members, or a trace besides");
  require(trace ? trace->as_string() == found.traceparent : found.traceparent.empty(),
          "the traces agree");
  require(envelope.at("id").as_string() == found.id, "the ids agree");
  require(envelope.at("type").as_string() == found.type, "the types agree");
  auto const payload =
      boost::json::parse({found.payload.data(), found.payload.size()}, failed, {}, options);
  require(!failed && has_only_finite_numbers(payload), "an accepted number is one");
  require(payload == envelope.at("payload"), "the payloads agree");

  auto const kept = std::string{found.payload};
  if (attachment)
    check_attached_reply(found, *attachment);
  check_reply(scanner, found);
  require(!scanner.validate(kept), "a payload is valid by itself");
  std::string quoted;
  wire::append_quoted(quoted, frame);
  require(boost::json::parse(quoted).as_string() == frame, "quoted text reads back");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  constexpr std::size_t choices = 4;
  if (size < choices)
    return 0;
  auto const stream = fuzz::text_of(bytes, size).substr(choices);
  settings const with{bytes[0] % 4 == 0 ? std::size_t{64} : std::size_t{1} << 20,
                      bytes[0] >= 0x40 ? std::size_t{bytes[0] >= 0x80} : ~std::size_t{0}};

  auto const whole = decode(stream, with, stream.size() + 1, [&] { return stream.size(); });
  require(whole == read_plainly(stream, with), "the lengths say which frames there are");
  auto const bytewise = decode(stream, with, 16'384, [] { return 1u; });
  require(whole == bytewise, "one read and reads of one byte give the same frames");
  auto const scratch_size = std::size_t{1} << bytes[1] % 15;
  auto const split = decode(stream, with, scratch_size, [&, turn = 0u]() mutable {
    return static_cast<std::size_t>(bytes[2 + turn++ % 2]);
  });
  require(whole == split, "one read and split reads give the same frames");

  for (auto const& frame : whole.frames)
    check_frame(frame.json, frame.attachment);
  // Most mutations break a length prefix: look at the rest as one body, too.
  check_frame(std::string{stream});
  if (stream.size() > wire::frame_prefix_size)
    check_frame(std::string{stream.substr(wire::frame_prefix_size)}, std::string{stream});
  return 0;
}
