#include "shared/run_until.hpp"
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/wire_stream.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

/// A stream on one end of a socketpair, with all that it reports kept.
struct heard_stream final : wire_stream::listener {
  explicit heard_stream(std::chrono::milliseconds frame_time)
      : sockets{platform::make_socketpair().value()}
      , stream{std::make_shared<wire_stream>(on, std::move(sockets.ours), 64 << 10, scratch, *this,
                                             frame_time)} {
    stream->start();
  }
  ~heard_stream() { stream->close(); }

  bool on_frame(wire_stream&, wire::envelope const& frame,
                std::optional<shared_bytes> attachment) override {
    types.emplace_back(frame.type);
    if (attachment)
      attachments.push_back(std::move(*attachment));
    stream->outbound().append(answer);
    if (seen)
      seen();
    return true;
  }
  void on_read_end(wire_stream&) override {}
  void on_breach(wire_stream&, errc what) override {
    breach = what;
    context.stop();
  }
  void on_end(wire_stream&) override { context.stop(); }
  void on_traffic(std::size_t, std::size_t out) override {
    if (out != 0)
      writes.push_back(out);
  }

  void send(std::string_view bytes) {
    auto const sent = platform::write_some(sockets.theirs.get(), std::span{&bytes, 1});
    REQUIRE(sent.bytes == bytes.size());
  }
  void run_for(std::chrono::milliseconds within) {
    context.restart();
    context.run_for(within);
  }

  boost::asio::io_context context{1};
  loop on{context};
  std::vector<char> scratch = std::vector<char>(16 << 10);
  platform::socket_pair sockets;
  std::shared_ptr<wire_stream> stream;
  std::vector<std::string> types;
  std::vector<shared_bytes> attachments;
  std::string answer;              // to each frame
  std::function<void()> seen;      // called with each frame
  std::vector<std::size_t> writes; // how many bytes each of them took
  std::optional<errc> breach;
};

std::string frame_of(std::string_view type) {
  auto const body = R"({"id":"1","type":")" + std::string{type} + R"(","payload":{}})";
  return std::string{{'\0', '\0', '\0', static_cast<char>(body.size())}} + body;
}

/// The same with bytes beside the JSON.
std::string attached_frame_of(std::string_view type, std::string_view attachment) {
  auto const json = frame_of(type); // the JSON's length and the JSON
  auto const size = json.size() + attachment.size();
  return std::string{{'\x80', '\0', static_cast<char>(size >> 8), static_cast<char>(size)}} + json +
         std::string{attachment};
}

} // namespace

TEST_CASE("a frame that is begun and not finished in time is a breach") {
  heard_stream host{20ms};
  host.send(frame_of("first") + frame_of("second").substr(0, 10));
  host.run_for(5s);
  CHECK(host.types == std::vector<std::string>{"first"});
  CHECK(host.breach == errc::frame_deadline);
}

TEST_CASE("a frame that is finished in time is no breach, however many pieces it came in") {
  heard_stream host{10s};
  for (char const byte : frame_of("slow")) {
    host.send({&byte, 1});
    host.run_for(1ms);
  }
  CHECK(host.types == std::vector<std::string>{"slow"});
  CHECK_FALSE(host.breach);
}

TEST_CASE("a stream without an unfinished frame may be silent for as long as it likes") {
  heard_stream host{5ms};
  host.send(frame_of("whole"));
  host.run_for(50ms);
  CHECK(host.types == std::vector<std::string>{"whole"});
  CHECK_FALSE(host.breach);
}

TEST_CASE("a frame goes on after a read that filled all there was room for") {
  heard_stream host{10s};
  std::string stream;
  std::size_t frames = 0;
  for (; stream.size() <= host.scratch.size(); ++frames)
    stream += frame_of("type");
  auto const first = std::string_view{stream}.substr(0, host.scratch.size());
  REQUIRE(stream.size() - first.size() > 4); // so that the last one's prefix is in the first read
  host.send(first);
  CHECK(testing::run_until(host.context, [&] { return host.types.size() == frames - 1; }));
  host.send(std::string_view{stream}.substr(first.size()));
  CHECK(
      testing::run_until(host.context, [&] { return host.types.size() == frames || host.breach; }));
  CHECK_FALSE(host.breach);
}

TEST_CASE("the peer gets the first answers while we are at the next frames of the same read") {
  heard_stream host{10s};
  host.answer = std::string(1000, 'a');
  constexpr std::size_t frames = 100;
  std::size_t most_unsent = 0;
  std::string stream;
  for (std::size_t i = 0; i < frames; ++i)
    stream += frame_of("type");
  host.send(stream);
  host.seen = [&] { most_unsent = std::max(most_unsent, host.stream->unsent()); };
  CHECK(testing::run_until(host.context, [&] { return host.types.size() == frames; }));
  CHECK(most_unsent < frames * host.answer.size() / 2);
}

TEST_CASE("answers leave in pieces of 32 frames, or of 64 KiB") {
  heard_stream host{10s};
  std::string hundred;
  for (int i = 0; i < 100; ++i)
    hundred += frame_of("type");
  host.answer = std::string(100, 'a');
  host.send(hundred);
  CHECK(testing::run_until(host.context, [&] { return host.writes.size() == 4; }));
  CHECK(host.writes == std::vector<std::size_t>{3200, 3200, 3200, 400});

  host.writes.clear();
  host.answer = std::string(10'000, 'a');
  std::string ten;
  for (int i = 0; i < 10; ++i)
    ten += frame_of("type");
  host.send(ten);
  CHECK(testing::run_until(host.context, [&] { return host.writes.size() == 2; }));
  CHECK(host.writes == std::vector<std::size_t>{70'000, 30'000});
}

TEST_CASE("what is written in one turn of the loop leaves in one write") {
  heard_stream host{10s};
  for (int i = 0; i < 100; ++i) {
    host.stream->outbound().append("frame");
    host.stream->flush_soon();
  }
  CHECK(testing::run_until(host.context, [&] { return host.stream->unsent() == 0; }));
  CHECK(host.writes == std::vector<std::size_t>{500});
}

TEST_CASE("what comes beside the JSON outlives its read") {
  heard_stream host{10s};
  host.stream->allow_attachments();
  std::string const large(40'000, '3'); // has a buffer of its own
  auto const stream =
      attached_frame_of("first", "one") + frame_of("second") + attached_frame_of("third", large);
  host.send(stream);
  CHECK(testing::run_until(host.context, [&] { return host.types.size() == 3; }));
  CHECK(host.types == std::vector<std::string>{"first", "second", "third"});
  host.send(frame_of("fourth") + attached_frame_of("fifth", std::string(40'000, '5')));
  CHECK(testing::run_until(host.context, [&] { return host.types.size() == 5; }));
  REQUIRE(host.attachments.size() == 3);
  CHECK(host.attachments[0].view() == "one");
  CHECK(host.attachments[1].view() == large);
}

TEST_CASE("secrets are overwritten beside an attachment that is kept") {
  heard_stream host{10s};
  host.stream->allow_attachments();
  auto const large = std::string(40'000, 'x');
  auto const bytes = attached_frame_of("secretStore", large);
  host.send(bytes);
  CHECK(testing::run_until(host.context, [&] { return host.types.size() == 1; }));
  REQUIRE(host.attachments.size() == 1);
  auto const kept = host.attachments[0].view();
  CHECK(kept == large);
  // The JSON lies before it in the same buffer.
  auto const json_size = bytes.size() - 8 - kept.size();
  std::string_view const json{kept.data() - json_size, json_size};
  CHECK(json == std::string(json_size, '\0'));
}

TEST_CASE("attachments leave in their order, however little the socket takes at a time") {
  heard_stream host{10s};
  std::string expected;
  for (std::size_t i = 0; i < 40; ++i) { // more pieces than one write takes
    auto const text = "text " + std::to_string(i);
    std::string const bytes(wire::outbound_buffer::copied_size / 2 * (i % 8),
                            static_cast<char>('a' + i % 26));
    host.stream->outbound().append(text);
    host.stream->outbound().attach(shared_bytes::copy_of(bytes));
    expected += text + bytes;
  }
  CHECK(host.stream->unsent() == expected.size());
  host.stream->flush_soon();
  std::string received;
  std::vector<std::byte> buffer(1000);
  auto const receive = [&] {
    for (;;) {
      auto const read = platform::read_some(host.sockets.theirs.get(), buffer);
      if (read.status != platform::io_status::done)
        return received.size() >= expected.size();
      for (auto const byte : std::span{buffer}.first(read.bytes))
        received += static_cast<char>(byte);
    }
  };
  CHECK(testing::run_until(host.context, receive));
  CHECK(received == expected);
  CHECK(host.stream->unsent() == 0);
}
