#include "shared/run_until.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <fcntl.h>
#include <optional>
#include <random>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using bulkhead::platform::line_splitter;
using bulkhead::platform::output_reader;
using bulkhead::platform::unique_fd;
using bulkhead::testing::run_until;
using lines = std::vector<std::string>;

constexpr auto patience = 5s;

lines split(std::string_view bytes, std::size_t chunk = std::string_view::npos) {
  lines seen;
  line_splitter splitter;
  auto const sink = [&](std::string_view line) { seen.emplace_back(line); };
  for (; !bytes.empty(); bytes.remove_prefix(std::min(chunk, bytes.size())))
    splitter.feed(bytes.substr(0, chunk), sink);
  splitter.finish(sink);
  return seen;
}

struct pipe_pair {
  pipe_pair() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  void put(std::string_view text) const {
    REQUIRE(::write(write.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  unique_fd read;
  unique_fd write;
};

} // namespace

TEST_CASE("lines end at LF or CR LF and the last needs no end", "[output_lines]") {
  CHECK(split("one\ntwo\r\n\nlast") == lines{"one", "two", "", "last"});
  CHECK(split("one\n") == lines{"one"});
  CHECK(split("last\r") == lines{"last"});
  CHECK(split("").empty());
  CHECK(split("\n\r\n") == lines{"", ""});
}

TEST_CASE("control characters are escaped and tabs are kept", "[output_lines]") {
  CHECK(split("\x1b[31mred\x7f\ta\rb\b") == lines{"\\x1b[31mred\\x7f\ta\\x0db\\x08"});
  CHECK(split(std::string_view{"a\0b", 3}) == lines{"a\\x00b"});
  CHECK(split("\xc2\x85 \xc2\x9b") == lines{"\\u{85} \\u{9b}"});
}

TEST_CASE("what reorders or breaks text on a terminal is escaped", "[output_lines]") {
  CHECK(split("\u202e\u202a\u2066\u2069") == lines{"\\u{202e}\\u{202a}\\u{2066}\\u{2069}"});
  CHECK(split("\u200e\u200f\u061c") == lines{"\\u{200e}\\u{200f}\\u{61c}"});
  CHECK(split("\u2028\u2029") == lines{"\\u{2028}\\u{2029}"});
}

TEST_CASE("other text in UTF-8 stays as it is", "[output_lines]") {
  auto const text = std::string{"grüße – 日本語 😀 \u00a0\u2027\u202f\u2065\u206a\uffff\U0010ffff"};
  CHECK(split(text) == lines{text});
}

TEST_CASE("bytes that are not UTF-8 are escaped one by one", "[output_lines]") {
  CHECK(split("\xff\x80") == lines{"\\xff\\x80"});
  CHECK(split("\xc0\xaf") == lines{"\\xc0\\xaf"});                   // overlong
  CHECK(split("\xe0\x80\xaf") == lines{"\\xe0\\x80\\xaf"});          // overlong
  CHECK(split("\xf0\x80\x80\xaf") == lines{"\\xf0\\x80\\x80\\xaf"}); // overlong
  CHECK(split("\xed\xa0\x80") == lines{"\\xed\\xa0\\x80"});          // a surrogate
  CHECK(split("\xf4\x90\x80\x80") == lines{"\\xf4\\x90\\x80\\x80"}); // above U+10FFFF
  CHECK(split("\xe2\x82!") == lines{"\\xe2\\x82!"});                 // cut short
  CHECK(split("\xe2\x82\xe2\x82\xac") == lines{"\\xe2\\x82€"});      // and begun anew
  CHECK(split("\xe2\x82\nx\xf0") == lines{"\\xe2\\x82", "x\\xf0"});  // at the line's end
}

TEST_CASE("a long line is cut and says how much is missing", "[output_lines]") {
  auto const full = std::string(line_splitter::max_line, 'a');
  CHECK(split(full + "\n") == lines{full});
  CHECK(split(full + "\r\n") == lines{full});
  CHECK(split(full + "b\nnext") == lines{full + " … (1 bytes more)", "next"});
  CHECK(split(full + "bc\r\n") == lines{full + " … (2 bytes more)"});
  // A character or an escape is never cut in two.
  CHECK(split(full.substr(1) + "€b") == lines{full.substr(1) + " … (4 bytes more)"});
  CHECK(split(full.substr(3) + "\x1b" + "b") == lines{full.substr(3) + " … (2 bytes more)"});
}

TEST_CASE("any split of the bytes gives the same lines", "[output_lines]") {
  std::mt19937 random{20240229};
  auto const pieces = lines{"a",    "plain text", "\n",   "\r\n", "\r",     "\x1b", "€",
                            "\xe2", "\x82",       "\xf0", "😀",    "\u202e", "\xff", "\t"};
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    if (round % 8 == 0)
      bytes.assign(line_splitter::max_line - 20, 'x');
    for (int i = 0; i < 60; ++i)
      bytes += pieces[random() % pieces.size()];
    auto const whole = split(bytes);
    REQUIRE(split(bytes, 1) == whole);
    REQUIRE(split(bytes, 1 + random() % 30) == whole);
  }
}

TEST_CASE("a line without end takes constant memory", "[output_lines]") {
  constexpr std::size_t chunks = 800;
  auto const chunk = std::string(64 * 1024, 'x');
  auto const resident = [] {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss; // KiB
  };
  lines seen;
  line_splitter splitter;
  auto const sink = [&](std::string_view line) { seen.emplace_back(line); };
  auto const before = resident();
  for (std::size_t i = 0; i < chunks; ++i)
    splitter.feed(chunk, sink);
  CHECK(resident() - before < 4096);
  CHECK(seen.empty());
  splitter.feed("\n", sink);
  auto const dropped = chunks * chunk.size() - line_splitter::max_line;
  CHECK(splitter.dropped_bytes() == dropped);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].substr(line_splitter::max_line) ==
        " … (" + std::to_string(dropped) + " bytes more)");
}

TEST_CASE("a reader delivers lines until the end of the stream", "[output_lines]") {
  asio::io_context io;
  pipe_pair pipe;
  lines seen;
  bool ended = false;
  output_reader const reader{io.get_executor(), std::move(pipe.read),
                             [&](std::string_view line) { seen.emplace_back(line); },
                             [&] { ended = true; }};
  pipe.put("one\ntw");
  REQUIRE(run_until(io, [&] { return seen.size() == 1; }));
  pipe.put("o\nlast");
  REQUIRE(run_until(io, [&] { return seen.size() == 2; }));
  CHECK_FALSE(ended);
  pipe.write.reset();
  REQUIRE(run_until(io, [&] { return ended; }));
  CHECK(seen == lines{"one", "two", "last"});
}

TEST_CASE("a flood of output does not hold up the event loop", "[output_lines]") {
  asio::io_context io;
  pipe_pair pipe;
  auto const flood = std::string(60 * 1024, '\n');
  pipe.put(flood);
  std::size_t seen = 0;
  std::size_t seen_at_turn = 0;
  output_reader const reader{io.get_executor(), std::move(pipe.read),
                             [&](std::string_view) { ++seen; }};
  REQUIRE(run_until(io, [&] { return seen != 0; }));
  bool turned = false;
  asio::post(io, [&] {
    turned = true;
    seen_at_turn = seen;
  });
  REQUIRE(run_until(io, [&] { return turned; }));
  CHECK(seen_at_turn < flood.size() / 4);
  CHECK(run_until(io, [&] { return seen == flood.size(); }));
}

TEST_CASE("a reader may be destroyed by its own sink", "[output_lines]") {
  asio::io_context io;
  pipe_pair pipe;
  pipe.put("one\ntwo\nthree");
  pipe.write.reset();
  int calls = 0;
  std::optional<output_reader> reader;
  reader.emplace(
      io.get_executor(), std::move(pipe.read),
      [&](std::string_view) {
        ++calls;
        reader.reset();
      },
      [&] { ++calls; });
  io.run_for(patience);
  CHECK(calls == 1);
}

TEST_CASE("a reader may be destroyed by its own end and before any line", "[output_lines]") {
  asio::io_context io;
  pipe_pair pipe;
  pipe.write.reset();
  int ends = 0;
  std::optional<output_reader> reader;
  reader.emplace(
      io.get_executor(), std::move(pipe.read), [](std::string_view) {},
      [&] {
        ++ends;
        reader.reset();
      });
  io.run_for(patience);
  CHECK(ends == 1);

  pipe_pair other;
  other.put("line\n");
  int calls = 0;
  reader.emplace(io.get_executor(), std::move(other.read), [&](std::string_view) { ++calls; });
  reader.reset();
  io.restart();
  io.run_for(patience);
  CHECK(calls == 0);
}
