#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/frame_writer.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::wire;
using namespace std::string_literals;

namespace {

/// The body of the only frame in a buffer.
std::string body_of(outbound_buffer const& buffer) {
  auto const bytes = buffer.view();
  REQUIRE(bytes.size() > frame_prefix_size);
  std::size_t size = 0;
  for (auto const byte : bytes.substr(0, frame_prefix_size))
    size = size << 8 | static_cast<unsigned char>(byte);
  REQUIRE(bytes.size() == frame_prefix_size + size);
  return std::string{bytes.substr(frame_prefix_size)};
}

/// All bytes of a buffer.
std::string whole(outbound_buffer const& buffer) {
  std::vector<std::string_view> pieces(1000);
  pieces.resize(buffer.pieces(pieces));
  std::string all;
  for (auto const piece : pieces)
    all += piece;
  return all;
}

std::string quoted_text(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

} // namespace

TEST_CASE("messages are written in the canonical order") {
  outbound_buffer out;
  frame_writer writer{out, max_frame_size};
  SECTION("request") {
    REQUIRE(writer.request(17, "greet", R"({"a":1})"));
    CHECK(body_of(out) == R"({"id":"17","type":"greet","payload":{"a":1}})");
  }
  SECTION("request with a trace") {
    REQUIRE(writer.request(17, "greet", "1", "TRACE"));
    CHECK(body_of(out) == R"({"id":"17","type":"greet","traceparent":"TRACE","payload":1})");
  }
  SECTION("request with the greatest id") {
    REQUIRE(writer.request(std::numeric_limits<std::uint64_t>::max(), "t", "1"));
    CHECK(body_of(out) == R"({"id":"18446744073709551615","type":"t","payload":1})");
  }
  SECTION("notification") {
    REQUIRE(writer.notification("cancel", "{}"));
    CHECK(body_of(out) == R"({"id":"","type":"cancel","payload":{}})");
  }
  SECTION("reply") {
    REQUIRE(writer.reply("r1", "greet", "null"));
    CHECK(body_of(out) == R"({"id":"r1","type":"greet-response","payload":null})");
  }
  SECTION("partial") {
    REQUIRE(writer.partial("r1", "greet", "[]"));
    CHECK(body_of(out) == R"({"id":"r1","type":"greet-partial","payload":[]})");
  }
  SECTION("error reply") {
    REQUIRE(writer.error_reply("r1", "greet", "no \"way\"", "permission_denied"));
    CHECK(body_of(out) == R"({"id":"r1","type":"greet-error","payload":)"
                          R"({"error":"no \"way\"","code":"permission_denied"}})");
  }
  SECTION("error reply with more members") {
    REQUIRE(writer.error_reply("r1", "greet", "slow down", "rate_limited",
                               {{"retry_after_ms", "250"}, {"permission", "null"}}));
    CHECK(body_of(out) == R"({"id":"r1","type":"greet-error","payload":{"error":"slow down",)"
                          R"("code":"rate_limited","retry_after_ms":250,"permission":null}})");
  }
}

TEST_CASE("a reply repeats the raw bytes of an escaped id and type") {
  frame_scanner scanner;
  envelope asked;
  std::string const frame =
      R"({"id":"a\",\"type\":\"x","type":"\u0022\n\ud83d\ude00","payload":1})";
  REQUIRE(scanner.scan(frame, asked) == std::nullopt);
  outbound_buffer out;
  REQUIRE(frame_writer{out, max_frame_size}.reply(asked.raw_id, asked.raw_type, "2"));
  envelope reply;
  auto const id = std::string{asked.id};
  auto const type = std::string{asked.type};
  auto const body = body_of(out);
  REQUIRE(scanner.scan(body, reply) == std::nullopt);
  CHECK(reply.id == id);
  CHECK(reply.type == type + "-response");
  CHECK(reply.payload == "2");
}

TEST_CASE("a type that needs escaping survives the way") {
  for (auto const& type :
       {"a\"b"s, "back\\slash"s, "new\nline"s, "zero\0"s, "gr\xC3\xB6\xC3\x9F"s}) {
    outbound_buffer out;
    frame_writer writer{out, max_frame_size};
    REQUIRE((type.size() % 2 == 0 ? writer.request(1, type, "1") : writer.notification(type, "1")));
    frame_scanner scanner;
    envelope back;
    auto const body = body_of(out);
    REQUIRE(scanner.scan(body, back) == std::nullopt);
    CHECK(back.type == type);
  }
}

TEST_CASE("a frame longer than the limit is not written") {
  outbound_buffer out;
  std::string const exact = R"({"id":"1","type":"t","payload":"xxx"})";
  auto const before = R"({"id":"","type":"n","payload":0})"s;
  REQUIRE(frame_writer{out, exact.size()}.notification("n", "0"));
  REQUIRE_FALSE(frame_writer{out, exact.size() - 1}.request(1, "t", R"("xxx")"));
  REQUIRE_FALSE(frame_writer{out, 0}.reply("1", "t", "1"));
  REQUIRE_FALSE(frame_writer{out, 20}.error_reply("1", "t", "text", "code"));
  auto const escaped = R"({"id":"1","type":"\n\n","payload":1})"s;
  REQUIRE_FALSE(frame_writer{out, escaped.size() - 1}.request(1, "\n\n", "1"));
  CHECK(body_of(out) == before);
  out.clear();
  REQUIRE(frame_writer{out, exact.size()}.request(1, "t", R"("xxx")"));
  CHECK(body_of(out) == exact);
}

TEST_CASE("no frame is longer than the protocol allows") {
  outbound_buffer out;
  std::string const payload(max_frame_size, '1');
  CHECK_FALSE(frame_writer{out, ~std::size_t{0}}.request(1, "t", payload));
  CHECK(out.empty());
}

TEST_CASE("an error's text is cut at a character") {
  for (std::size_t const shift : {0u, 1u, 2u, 3u}) {
    auto text = std::string(shift, 'x');
    while (text.size() < 10'000)
      text += "\xE2\x82\xAC";
    outbound_buffer out;
    REQUIRE(frame_writer{out, max_frame_size}.error_reply("1", "t", text, "c"));
    auto const parsed = boost::json::parse(body_of(out));
    auto const cut = std::string{parsed.at("payload").at("error").as_string()};
    CHECK(cut.size() <= frame_writer::max_error_text);
    CHECK(cut.size() > frame_writer::max_error_text - 4);
    CHECK(text.starts_with(cut));
  }
}

TEST_CASE("quoted text reads back as it was") {
  CHECK(quoted_text("") == R"("")");
  CHECK(quoted_text("plain") == R"("plain")");
  CHECK(quoted_text("a\"b\\c/d\n\r\t\b\x01\x1f\x7f") ==
        "\"a\\\"b\\\\c/d\\n\\r\\t\\u0008\\u0001\\u001f\x7f\"");
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  static std::string const parts[] = {"abcdefghijklmnop", "\"", "\\", "\n", "\0"s, "\xC3\xA4",
                                      "\xF0\x9F\x98\x80", "x"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (auto count = random() % 20; count > 0; --count)
      text += parts[random() % std::size(parts)];
    REQUIRE(frame_scanner{}.validate(quoted_text(text)) == std::nullopt);
    REQUIRE(boost::json::parse(quoted_text(text)).as_string() == text);
  }
}

TEST_CASE("ill-formed UTF-8 is replaced, so that what is written is valid") {
  CHECK(quoted_text("a\xFF"
                    "b") == "\"a\xEF\xBF\xBD"
                            "b\"");
  CHECK(quoted_text("\xC3") == "\"\xEF\xBF\xBD\"");
  CHECK(quoted_text("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  std::mt19937_64 random{7};
  for (int round = 0; round < 500; ++round) {
    std::string noise(random() % 40, '.');
    for (auto& byte : noise)
      byte = static_cast<char>(random());
    REQUIRE(frame_scanner{}.validate(quoted_text(noise)) == std::nullopt);
  }
}

TEST_CASE("only the canonical form of an id is ours") {
  CHECK(parse_id("0") == 0u);
  CHECK(parse_id("7") == 7u);
  CHECK(parse_id("1048577") == 1048577u);
  CHECK(parse_id("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  for (auto const* text : {"", "00", "01", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "a",
                           "18446744073709551616", "99999999999999999999999"})
    CHECK_FALSE(parse_id(text).has_value());
  CHECK_FALSE(parse_id("1\0"s).has_value());
}

TEST_CASE("a reply with an attachment reads back as both") {
  frame_decoder decoder{max_frame_size};
  decoder.allow_attachments();
  for (std::size_t const size : {0u, 1u, 4096u, 4097u, 100'000u}) {
    auto const bytes = std::string(size, 'x');
    outbound_buffer out;
    frame_writer writer{out, max_frame_size};
    REQUIRE(writer.reply("r0", "before", "0"));
    REQUIRE(writer.reply("r1", "fs.readFile", R"({"n":1})", shared_bytes::copy_of(bytes)));
    REQUIRE(writer.reply("r2", "after", "2"));
    std::vector<std::string> seen;
    std::vector<char> scratch(1 << 20);
    auto const room = decoder.prepare(scratch);
    auto const sent = whole(out);
    CHECK(sent.size() == out.size());
    std::copy(sent.begin(), sent.end(), room.data());
    REQUIRE(decoder.commit(sent.size(), [&](raw_frame& frame) {
      seen.emplace_back(frame.json);
      if (frame.attachment)
        seen.emplace_back(*frame.attachment);
      return true;
    }) == std::nullopt);
    CHECK(seen == std::vector{R"({"id":"r0","type":"before-response","payload":0})"s,
                              R"({"id":"r1","type":"fs.readFile-response","payload":{"n":1}})"s,
                              bytes, R"({"id":"r2","type":"after-response","payload":2})"s});
  }
}

TEST_CASE("a frame with its attachment is not longer than the limit") {
  auto const json = R"({"id":"1","type":"t-response","payload":0})"s;
  auto const exact = frame_prefix_size + json.size() + 5000;
  auto const attachment = shared_bytes::copy_of(std::string(5000, 'x'));
  outbound_buffer out;
  CHECK_FALSE(frame_writer{out, exact - 1}.reply("1", "t", "0", attachment));
  CHECK(out.empty());
  CHECK(frame_writer{out, exact}.reply("1", "t", "0", attachment));
  CHECK(out.size() == frame_prefix_size + exact);
}

TEST_CASE("a long attachment leaves as it lies") {
  auto const attachment = shared_bytes::copy_of(std::string(100'000, 'x'));
  outbound_buffer out;
  REQUIRE(frame_writer{out, max_frame_size}.reply("1", "t", "0", attachment));
  std::array<std::string_view, 3> pieces;
  REQUIRE(out.pieces(pieces) == 2);
  CHECK(pieces[1].data() == attachment.view().data());
  CHECK(out.capacity() < 10'000);
}

TEST_CASE("a buffer gives back what was appended and attached, through any partial writes") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  outbound_buffer buffer;
  std::string model;
  for (int round = 0; round < 5000; ++round) {
    auto const choice = random() % 4;
    if (choice < 2) {
      std::string const bytes(random() % (choice == 0 ? 1000 : 3 * outbound_buffer::copied_size),
                              static_cast<char>('a' + random() % 26));
      if (choice == 0)
        buffer.append(bytes);
      else
        buffer.attach(shared_bytes::copy_of(bytes));
      model += bytes;
    } else {
      auto const n = random() % (model.size() + 1);
      buffer.consume(n);
      model.erase(0, n);
    }
    REQUIRE(whole(buffer) == model);
    REQUIRE(buffer.size() == model.size());
    REQUIRE(buffer.empty() == model.empty());
    REQUIRE(model.starts_with(buffer.view()));
  }
}

TEST_CASE("a buffer that never empties does not grow without end") {
  outbound_buffer buffer;
  buffer.append(std::string(1000, 'x'));
  for (int i = 0; i < 10'000; ++i) {
    buffer.append(std::string(1000, 'y'));
    buffer.consume(1000);
  }
  CHECK(buffer.size() == 1000);
  CHECK(buffer.capacity() <= 16 * 1024);
}

TEST_CASE("an empty buffer keeps a little memory and gives back a lot") {
  outbound_buffer buffer;
  CHECK(buffer.capacity() == 0);
  buffer.append("x");
  buffer.clear();
  CHECK(buffer.capacity() > 0);
  CHECK(buffer.capacity() <= outbound_buffer::kept_capacity);
  buffer.append(std::string(1 << 20, 'x'));
  buffer.consume((1 << 20) - 1);
  CHECK(buffer.view() == "x");
  buffer.consume(1);
  CHECK(buffer.capacity() == 0);
  buffer.append("again");
  CHECK(buffer.view() == "again");
}

TEST_CASE("a moved buffer leaves an empty one behind") {
  outbound_buffer first;
  first.append("bytes");
  auto second = std::move(first);
  CHECK(second.view() == "bytes");
  outbound_buffer third;
  third.append("other");
  third = std::move(second);
  CHECK(third.view() == "bytes");
  outbound_buffer fourth;
  fourth.swap(third);
  CHECK(fourth.view() == "bytes");
  CHECK(third.empty());
}
