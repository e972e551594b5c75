#include "shared/run_until.hpp"
#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <boost/asio/io_context.hpp>
#include <spdlog/logger.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

struct no_handler final : call_handler {
  void complete(result<payload>) override {}
  boost::asio::cancellation_slot cancellation_slot() noexcept override { return {}; }
};

/// A link and the host's end of its socket. The socket keeps the bounds of what is written, which a
/// stream does not: one read of it is one write of the link, and the other way round.
struct linked {
  linked() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) ==
            0);
    theirs = platform::unique_fd{ends[0]};
    link = std::make_shared<host_link>(
        host_link::surroundings{on, rules.hosts.front(), record, router, scratch});
    link->set_supervisor([](host_signal const&) {});
    link->set_admission([this](inbound_batch_ptr batch) {
      decided.push_back(batch->size());
      link->admitted(std::move(batch)); // undecided: denied
    });
    link->attach(1, {platform::unique_fd{ends[1]}, {}});
    wire::outbound_buffer ready;
    REQUIRE(wire::frame_writer{ready, wire::max_frame_size}.request(1, "extension-host-ready",
                                                                    R"({"ready":true})"));
    write(ready.view());
    REQUIRE(frames_of_next_write() == 1);
    link->open();
    record.update([](host_status& now) { now.state = host_state::Running; });
  }
  ~linked() { link->detach(reason::requested, {}); }

  void write(std::string_view bytes) const {
    REQUIRE(platform::write_some(theirs.get(), std::span{&bytes, 1}).bytes == bytes.size());
  }

  /// `count` requests of the host, in one write.
  void ask(std::uint64_t count) const {
    wire::outbound_buffer out;
    wire::frame_writer writer{out, wire::max_frame_size};
    for (std::uint64_t id = 0; id < count; ++id)
      REQUIRE(writer.request(id, "work", "{}"));
    write(out.view());
  }

  void call() {
    link->send({"greet", payload{std::string{"{}"}}, deadline{10s}, {}},
               std::make_unique<no_handler>());
  }

  /// How many frames the link's next write has; 0 where there is none.
  std::size_t frames_of_next_write() {
    std::size_t frames = 0;
    wire::frame_decoder decoder{wire::max_frame_size};
    std::vector<char> bytes(64 << 10);
    auto const room = decoder.prepare(bytes);
    testing::run_until(context, [&] {
      if (frames != 0)
        return true;
      auto const got = platform::read_some(theirs.get(), std::as_writable_bytes(room));
      if (got.status != platform::io_status::done)
        return false;
      REQUIRE_FALSE(decoder.commit(got.bytes, [&](wire::raw_frame&) { return ++frames != 0; }));
      return frames != 0;
    });
    CHECK_FALSE(decoder.mid_frame());
    return frames;
  }

  policy rules = parse_policy("[hosts.x]\ncommand = [\"x\"]\nruntime = \"command\"\n"
                              "sandbox.require = \"none\"",
                              "/base");
  boost::asio::io_context context{1};
  loop on{context};
  std::vector<char> scratch = std::vector<char>(64 << 10);
  host_record record{"x"};
  request_router router{on, std::make_shared<spdlog::logger>("quiet")};
  platform::unique_fd theirs;
  std::shared_ptr<host_link> link;
  std::vector<std::size_t> decided; // the sizes of the batches
};

} // namespace

TEST_CASE("what is asked of a host in one turn leaves in one write") {
  linked x;
  for (int i = 0; i < 100; ++i)
    x.call();
  CHECK(x.frames_of_next_write() == 100);
  x.call();
  CHECK(x.frames_of_next_write() == 1);
}

TEST_CASE("the requests of one read are decided on together") {
  linked x;
  x.ask(64);
  x.frames_of_next_write();
  CHECK(x.decided == std::vector<std::size_t>{64});
  x.ask(1);
  x.frames_of_next_write();
  CHECK(x.decided == std::vector<std::size_t>{64, 1});
}

TEST_CASE("the answers to the requests of one read leave together") {
  linked x;
  x.ask(30); // no more than one piece
  CHECK(x.frames_of_next_write() == 30);
}
