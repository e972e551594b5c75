#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/frame_decoder.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::wire;
using namespace std::string_literals;

namespace {

std::string prefix(std::size_t size) {
  std::string bytes;
  for (auto shift : {24, 16, 8, 0})
    bytes += static_cast<char>(size >> shift & 0xFF);
  return bytes;
}

std::string frame(std::string const& body) {
  return prefix(body.size()) + body;
}

/// With any length of the JSON, right or wrong.
std::string attached_frame(std::size_t json_size, std::string const& rest) {
  return prefix(attachment_bit | (frame_prefix_size + rest.size())) + prefix(json_size) + rest;
}

std::string attached_frame(std::string const& json, std::string const& attachment) {
  return attached_frame(json.size(), json + attachment);
}

/// Reads a stream through a decoder as a connection does.
struct reader {
  explicit reader(std::size_t limit = max_frame_size, std::size_t scratch_size = 64 * 1024)
      : decoder{limit}
      , scratch(scratch_size) {}

  /// Offers `bytes` as one read after another, each of at most `most`.
  std::optional<errc> feed(std::string_view bytes, std::size_t most = ~std::size_t{0}) {
    while (!bytes.empty()) {
      auto const room = decoder.prepare(scratch);
      auto const n = std::min({bytes.size(), room.size(), most});
      std::copy_n(bytes.data(), n, room.data());
      bytes.remove_prefix(n);
      ++reads;
      auto const failed = decoder.commit(n, [this](raw_frame& frame) {
        frames.emplace_back(frame.json);
        attachments.push_back(frame.attachment ? std::optional{frame.take_attachment()}
                                               : std::nullopt);
        return true;
      });
      // The scratch belongs to another connection now.
      std::fill(scratch.begin(), scratch.end(), '!');
      if (failed)
        return failed;
    }
    return std::nullopt;
  }

  frame_decoder decoder;
  std::vector<char> scratch;
  std::vector<std::string> frames;
  std::vector<std::optional<shared_bytes>> attachments; // one for each frame
  std::size_t reads = 0;
};

/// As if it came in reads of all sizes.
template <class Reader, class Below>
void feed_in_reads(Reader& split, std::string_view stream, Below below) {
  while (!stream.empty()) {
    static constexpr std::size_t reads[] = {1, 3, 5, 100, 4096, 20'000, 200'000};
    auto const n = std::min(stream.size(), 1 + below(reads[below(std::size(reads))]));
    REQUIRE(split.feed(stream.substr(0, n)) == std::nullopt);
    stream.remove_prefix(n);
  }
}

} // namespace

TEST_CASE("any split of the bytes gives the same frames") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  auto const below = [&](std::size_t bound) { return random() % bound; };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> bodies;
    std::string stream;
    for (auto count = 1 + below(20); count > 0; --count) {
      static constexpr std::size_t sizes[] = {1, 2, 100, 4092, 4093, 5000, 9000, 70'000};
      auto& body = bodies.emplace_back(1 + below(sizes[below(std::size(sizes))]), '.');
      std::ranges::generate(body, [&] { return static_cast<char>(random()); });
      stream += frame(body);
    }
    reader split{max_frame_size, std::size_t{1} << (1 + below(16))};
    feed_in_reads(split, stream, below);
    REQUIRE(split.frames == bodies);
    REQUIRE_FALSE(split.decoder.mid_frame());
    REQUIRE(split.decoder.held_bytes() == 0);
  }
}

TEST_CASE("a stream cut at every byte gives the same frames") {
  auto const stream = frame("first") + frame("x") + frame(std::string(300, 'y'));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    reader r;
    REQUIRE(r.feed(std::string_view{stream}.substr(0, cut)) == std::nullopt);
    REQUIRE(r.feed(std::string_view{stream}.substr(cut)) == std::nullopt);
    REQUIRE(r.frames == std::vector{"first"s, "x"s, std::string(300, 'y')});
  }
  reader bytewise;
  REQUIRE(bytewise.feed(stream, 1) == std::nullopt);
  CHECK(bytewise.frames.size() == 3);
}

TEST_CASE("a whole frame is a view of the bytes that were read") {
  frame_decoder decoder{100};
  std::vector<char> scratch(1024);
  auto const bytes = frame("abc");
  auto const room = decoder.prepare(scratch);
  REQUIRE(room.data() == scratch.data());
  std::copy(bytes.begin(), bytes.end(), room.data());
  std::string_view seen;
  REQUIRE(decoder.commit(bytes.size(), [&](raw_frame& frame) { return seen = frame.json, true; }) ==
          std::nullopt);
  CHECK(seen == "abc");
  CHECK(seen.data() == scratch.data() + frame_prefix_size);
  CHECK(decoder.held_bytes() == 0);
}

TEST_CASE("a frame of length 0 is frame_empty and a longer one than the limit frame_too_large") {
  for (auto const& [size, expected] : {std::pair{std::size_t{0}, errc::frame_empty},
                                       {11, errc::frame_too_large},
                                       {max_frame_size, errc::frame_too_large},
                                       {0xFFFFFFFF, errc::frame_too_large}}) {
    for (auto const most : {1u, 2u, 4u, 100u}) {
      reader r{10};
      CHECK(r.feed(frame("good") + prefix(size) + frame("never"), most) == expected);
      CHECK(r.frames == std::vector{"good"s});
      CHECK(r.decoder.held_bytes() == 0);
      CHECK_FALSE(r.decoder.mid_frame());
      CHECK(r.feed(frame("never")) == expected);
      CHECK(r.frames.size() == 1);
    }
  }
  for (auto const scratch : {1u, 5u, 64u}) {
    reader r{10, scratch};
    CHECK(r.feed(frame("good") + prefix(11) + "x") == errc::frame_too_large);
    CHECK(r.decoder.held_bytes() == 0);
  }
  reader exact{10};
  CHECK(exact.feed(frame("0123456789")) == std::nullopt);
  CHECK(exact.frames.size() == 1);
}

TEST_CASE("no limit goes past the protocol's own") {
  reader r{~std::size_t{0}};
  CHECK(r.feed(prefix(max_frame_size + 1)) == errc::frame_too_large);
  reader none{0};
  CHECK(none.feed(frame("x")) == std::nullopt);
  CHECK(none.feed(frame("xy")) == errc::frame_too_large);
}

TEST_CASE("memory is taken for what came, not for what was announced") {
  reader r;
  REQUIRE(r.feed(prefix(max_frame_size) + "x") == std::nullopt);
  CHECK(r.decoder.mid_frame());
  CHECK(r.decoder.held_bytes() <= 256);
  for (std::size_t came = 5; came < 1 << 20; came += 10'000) {
    REQUIRE(r.decoder.held_bytes() <= std::max<std::size_t>(256, 2 * came));
    REQUIRE(r.feed(std::string(10'000, 'x')) == std::nullopt);
  }
  // A buffer never grows past its frame.
  reader whole;
  REQUIRE(whole.feed(prefix(10'000) + std::string(9'999, 'x')) == std::nullopt);
  CHECK(whole.decoder.held_bytes() == 10'004);
  REQUIRE(whole.feed("x") == std::nullopt);
  CHECK(whole.decoder.held_bytes() == 0);
}

TEST_CASE("the start of a frame does not cost the frames behind it a read") {
  std::string stream;
  for (int i = 0; i < 100; ++i)
    stream += frame("message " + std::to_string(i));
  reader r;
  REQUIRE(r.feed(std::string_view{stream}.substr(0, 7)) == std::nullopt);
  REQUIRE(r.feed(std::string_view{stream}.substr(7)) == std::nullopt);
  CHECK(r.reads == 2);
  CHECK(r.frames.size() == 100);
}

TEST_CASE("a huge frame is read in few reads and not copied over and over") {
  reader r;
  std::string const body(8 << 20, 'x');
  REQUIRE(r.feed(frame(body) + frame("next")) == std::nullopt);
  REQUIRE(r.frames.size() == 2);
  CHECK(r.frames[0] == body);
  CHECK(r.reads < 20); // one of the scratch, then doubling
}

TEST_CASE("a handler that stops may destroy the decoder") {
  std::vector<char> scratch(64 * 1024);
  SECTION("in frames that were read whole") {
    auto decoder = std::make_unique<frame_decoder>(100);
    auto const bytes = frame("a") + frame("b") + frame("c") + "\0"s;
    std::copy(bytes.begin(), bytes.end(), decoder->prepare(scratch).data());
    std::string seen;
    CHECK(decoder->commit(bytes.size(), [&](raw_frame& frame) {
      seen += frame.json;
      if (frame.json == "b")
        decoder.reset();
      return decoder != nullptr;
    }) == std::nullopt);
    CHECK(seen == "ab");
  }
  SECTION("in a frame that has its own buffer") {
    auto decoder = std::make_unique<frame_decoder>(max_frame_size);
    auto const bytes = frame(std::string(100'000, 'x'));
    std::string seen;
    for (std::string_view left = bytes; decoder;) {
      auto const room = decoder->prepare(scratch);
      auto const n = std::min(left.size(), room.size());
      std::copy_n(left.data(), n, room.data());
      left.remove_prefix(n);
      REQUIRE(decoder->commit(n, [&](raw_frame& frame) {
        decoder.reset();
        seen = frame.json; // still there
        return false;
      }) == std::nullopt);
    }
    CHECK(seen.size() == 100'000);
  }
}

// ---- attachments ------------------------------------------------------------------------------

namespace {

/// A reader whose peer may send attachments.
struct attachment_reader : reader {
  explicit attachment_reader(std::size_t limit = max_frame_size,
                             std::size_t scratch_size = 64 * 1024)
      : reader{limit, scratch_size} {
    decoder.allow_attachments();
  }

  /// What came beside the frame of that number; "none" where nothing did.
  std::string beside(std::size_t index) const {
    return attachments.at(index) ? std::string{attachments[index]->view()} : "none";
  }
};

} // namespace

TEST_CASE("an attachment comes apart from its JSON, wherever the stream is cut") {
  auto const stream = frame("first") + attached_frame("{}", "bytes") + attached_frame("{}", "") +
                      attached_frame("[1]", std::string(300, 'y')) + frame("last");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    attachment_reader r;
    REQUIRE(r.feed(std::string_view{stream}.substr(0, cut)) == std::nullopt);
    REQUIRE(r.feed(std::string_view{stream}.substr(cut)) == std::nullopt);
    REQUIRE(r.frames == std::vector{"first"s, "{}"s, "{}"s, "[1]"s, "last"s});
    REQUIRE(r.beside(0) == "none");
    REQUIRE(r.beside(1) == "bytes");
    REQUIRE(r.beside(2).empty());
    REQUIRE(r.beside(3) == std::string(300, 'y'));
    REQUIRE(r.beside(4) == "none");
    REQUIRE_FALSE(r.decoder.mid_frame());
  }
}

TEST_CASE("any split of the bytes gives the same attachments") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  auto const below = [&](std::size_t bound) { return random() % bound; };
  for (int round = 0; round < 100; ++round) {
    std::vector<std::string> bodies;
    std::vector<std::string> beside;
    std::string stream;
    for (auto count = 1 + below(10); count > 0; --count) {
      static constexpr std::size_t sizes[] = {1, 2, 100, 4092, 5000, 9000, 70'000};
      auto& body = bodies.emplace_back(1 + below(100), 'j');
      auto& attachment = beside.emplace_back(below(sizes[below(std::size(sizes))]), '.');
      std::ranges::generate(attachment, [&] { return static_cast<char>(random()); });
      if (below(3) == 0) {
        attachment = "none";
        stream += frame(body);
      } else {
        stream += attached_frame(body, attachment);
      }
    }
    attachment_reader split{max_frame_size, std::size_t{1} << (1 + below(16))};
    feed_in_reads(split, stream, below);
    REQUIRE(split.frames == bodies);
    for (std::size_t i = 0; i < beside.size(); ++i)
      REQUIRE(split.beside(i) == beside[i]);
    REQUIRE(split.decoder.held_bytes() == 0);
  }
}

TEST_CASE("a long attachment is not copied out of the buffer that it was read to") {
  attachment_reader r;
  auto const attachment = std::string(100'000, 'x');
  auto const bytes = attached_frame("{}", attachment);
  std::string_view left = bytes;
  char const* read_end = nullptr;
  std::optional<shared_bytes> kept;
  while (!left.empty()) {
    auto const room = r.decoder.prepare(r.scratch);
    auto const n = std::min(left.size(), room.size());
    std::copy_n(left.data(), n, room.data());
    left.remove_prefix(n);
    read_end = room.data() + n;
    REQUIRE(r.decoder.commit(n, [&](raw_frame& frame) {
      kept = frame.take_attachment();
      return true;
    }) == std::nullopt);
  }
  REQUIRE(kept);
  CHECK(kept->view() == attachment);
  CHECK(kept->view().data() + kept->size() == read_end);
}

TEST_CASE("the JSON beside an attachment is neither empty nor longer than its frame") {
  struct mistake {
    std::string bytes;
    std::size_t seen_after; // so many bytes say it
  };
  for (auto const& [bytes, seen_after] :
       {mistake{attached_frame(0, "{}"), 8}, mistake{attached_frame(3, "{}"), 8},
        mistake{attached_frame(0xFFFFFFFF, "{}"), 8},
        // Not even room for the length, or for nothing behind it.
        mistake{prefix(attachment_bit | 1) + "x", 4}, mistake{prefix(attachment_bit | 3), 4},
        mistake{prefix(attachment_bit | 4) + prefix(0), 4}}) {
    for (auto const most : {1u, 3u, 100u}) {
      attachment_reader r;
      CHECK(r.feed(frame("good") + bytes + frame("never"), most) == errc::attachment_invalid);
      CHECK(r.frames == std::vector{"good"s});
      CHECK(r.decoder.held_bytes() == 0);
      CHECK(r.feed(frame("never")) == errc::attachment_invalid);
    }
    attachment_reader r;
    CHECK(r.feed(std::string_view{bytes}.substr(0, seen_after - 1), 1) == std::nullopt);
    CHECK(r.feed(std::string_view{bytes}.substr(seen_after - 1, 1)) == errc::attachment_invalid);
  }
  attachment_reader all_json;
  CHECK(all_json.feed(attached_frame("{}", "")) == std::nullopt);
  CHECK(all_json.beside(0).empty());
}

TEST_CASE("an attachment counts towards the frame's limit") {
  attachment_reader exact{4 + 2 + 4};
  CHECK(exact.feed(attached_frame("{}", "1234")) == std::nullopt);
  CHECK(exact.beside(0) == "1234");
  CHECK(exact.feed(attached_frame("{}", "12345")) == errc::frame_too_large);
  attachment_reader any;
  CHECK(any.feed(prefix(attachment_bit | (max_frame_size + 1))) == errc::frame_too_large);
  attachment_reader empty;
  CHECK(empty.feed(prefix(attachment_bit)) == errc::frame_empty);
}

TEST_CASE("memory is taken for what came of an attachment, not for what was announced") {
  attachment_reader r;
  REQUIRE(r.feed(prefix(attachment_bit | max_frame_size) + prefix(2) + "{}x") == std::nullopt);
  CHECK(r.decoder.held_bytes() <= 256);
}

TEST_CASE("who was not allowed attachments sent a frame that is too long") {
  for (auto const most : {1u, 100u}) {
    reader r;
    CHECK(r.feed(frame("good") + attached_frame("{}", "bytes"), most) == errc::frame_too_large);
    CHECK(r.frames == std::vector{"good"s});
  }
}

TEST_CASE("attachments may be allowed between two frames of one read") {
  std::vector<char> scratch(1024);
  frame_decoder decoder{max_frame_size};
  auto const bytes = frame("ready") + attached_frame("{}", "bytes");
  std::copy(bytes.begin(), bytes.end(), decoder.prepare(scratch).data());
  std::string seen;
  CHECK(decoder.commit(bytes.size(), [&](raw_frame& frame) {
    decoder.allow_attachments();
    seen += frame.attachment.value_or(frame.json);
    return true;
  }) == std::nullopt);
  CHECK(seen == "readybytes");
}
