#include "shared/run_until.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/peer_acceptor.hpp>
#include <bulkhead/platform/peer_connector.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace bulkhead::platform;
using namespace std::chrono_literals;
using bulkhead::errc;
using bulkhead::result;
using bulkhead::testing::run_until;
using bulkhead::testing::temporary_directory;

constexpr auto patience = 5s;

errc listening_fails_with(fs::path const& path) {
  auto const listening = listen_at(path);
  return listening ? errc{} : listening.error().code();
}

/// A process that connects to `path` and stays until it is destroyed.
class stranger {
public:
  explicit stranger(fs::path const& path) {
    int ready[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    unique_fd const read{ready[0]};
    unique_fd write{ready[1]};
    pid_ = ::fork();
    if (pid_ == 0) {
      auto const connected = connect_to(path);
      auto const connects = connected.has_value();
      if (::write(write.get(), &connects, sizeof connects) == sizeof connects)
        ::pause();
      ::_exit(0);
    }
    write.reset();
    bool connects = false;
    REQUIRE(::read(read.get(), &connects, sizeof connects) == sizeof connects);
    REQUIRE(connects);
  }
  stranger(stranger&&) = delete;
  ~stranger() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

private:
  pid_t pid_ = 0;
};

io_outcome write_text(int socket, std::string_view text) {
  return write_some(socket, std::span{&text, 1});
}

void send_descriptor(int socket, int fd, std::string_view text) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  REQUIRE(::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

} // namespace

TEST_CASE("of a socket pair our end does not block and theirs does", "[unix_socket]") {
  auto const pair = make_socketpair().value();
  CHECK((::fcntl(pair.ours.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(pair.theirs.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK(::fcntl(pair.ours.get(), F_GETFD) == FD_CLOEXEC);
  CHECK(::fcntl(pair.theirs.get(), F_GETFD) == FD_CLOEXEC);
  CHECK(pair.ours.get() > STDERR_FILENO);
}

TEST_CASE("reads and writes say what happened", "[unix_socket]") {
  auto pair = make_socketpair().value();
  std::array<std::byte, 16> buffer;
  CHECK(read_some(pair.ours.get(), buffer).status == io_status::would_block);
  CHECK(write_text(pair.theirs.get(), "hello").bytes == 5);
  auto const read = read_some(pair.ours.get(), buffer);
  CHECK(read.status == io_status::done);
  CHECK(read.bytes == 5);

  std::string const block(1 << 20, 'x');
  auto written = write_text(pair.ours.get(), block);
  CHECK(written.status == io_status::done);
  while (written.status == io_status::done)
    written = write_text(pair.ours.get(), block);
  CHECK(written.status == io_status::would_block);

  pair.theirs.reset();
  CHECK(read_some(pair.ours.get(), buffer).status == io_status::closed);
  CHECK(write_text(pair.ours.get(), block).status == io_status::closed);
  auto const failed = read_some(-1, buffer);
  CHECK(failed.status == io_status::failed);
  CHECK(failed.error_number == EBADF);
}

TEST_CASE("pieces are written one behind the other", "[unix_socket]") {
  auto const pair = make_socketpair().value();
  std::array<std::string_view, max_pieces> pieces;
  pieces.fill("12");
  pieces.back() = "end";
  auto const written = write_some(pair.ours.get(), pieces);
  CHECK(written.status == io_status::done);
  CHECK(written.bytes == 2 * (max_pieces - 1) + 3);
  std::array<std::byte, 64> buffer;
  auto const read = read_some(pair.theirs.get(), buffer);
  std::string_view const text{reinterpret_cast<char const*>(buffer.data()), read.bytes};
  CHECK(text == "121212121212121212121212121212end");
  CHECK(write_some(-1, pieces).error_number == EBADF);
}

TEST_CASE("descriptors that a peer sends are reported and never let in", "[unix_socket]") {
  auto const pair = make_socketpair().value();
  auto const next_free = [] { return unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}.get(); };
  auto const before = next_free();
  send_descriptor(pair.theirs.get(), STDERR_FILENO, "frame");
  std::array<std::byte, 16> buffer;
  auto const read = read_some(pair.ours.get(), buffer);
  CHECK(read.status == io_status::descriptors);
  CHECK(read.bytes == 5);
  CHECK(next_free() == before);
  CHECK(write_text(pair.theirs.get(), "x").bytes == 1);
  CHECK(read_some(pair.ours.get(), buffer).status == io_status::done);
}

TEST_CASE("a path too long for a socket is refused with both lengths", "[unix_socket]") {
  temporary_directory const folder;
  auto const prefix = folder.path().string() + "/";
  auto const longest = prefix + std::string(max_socket_path - prefix.size(), 's');
  CHECK(check_socket_path(longest).has_value());
  CHECK(listen_at(longest).has_value());
  CHECK(connect_to(longest).has_error());

  auto const too_long = longest + "s";
  auto const refused = listen_at(too_long);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::socket_path_too_long);
  CHECK(refused.error().detail() ==
        "the socket path " + too_long + " has 108 bytes; the kernel allows 107");
  CHECK(connect_to(too_long).error().code() == errc::socket_path_too_long);
  // Before anything else is looked at.
  CHECK(listening_fails_with("/nowhere/" + std::string(200, 's')) == errc::socket_path_too_long);
  CHECK(check_socket_path("").has_error());
}

TEST_CASE("a connection carries bytes and knows its peer", "[unix_socket]") {
  temporary_directory const folder;
  auto const listening = listen_at(folder.path() / "s").value();
  auto const client = connect_to(folder.path() / "s").value();
  unique_fd const server{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  auto const self = peer{::getpid(), ::getuid(), ::getgid()};
  CHECK(peer_of(server.get()).value() == self);
  CHECK(peer_of(client.get()).value() == self);
  CHECK(peer_of(-1).error().code() == errc::untrusted_peer);
}

TEST_CASE("a socket that nobody listens on any more is replaced", "[unix_socket]") {
  temporary_directory const folder;
  auto first = listen_at(folder.path() / "s");
  REQUIRE(first.has_value());
  first->reset();
  REQUIRE(fs::exists(folder.path() / "s"));
  auto const second = listen_at(folder.path() / "s");
  REQUIRE(second.has_value());
  CHECK(connect_to(folder.path() / "s").has_value());
}

TEST_CASE("a socket that is listened on is not stolen", "[unix_socket]") {
  temporary_directory const folder;
  auto const first = listen_at(folder.path() / "s").value();
  CHECK(listening_fails_with(folder.path() / "s") == errc::state_dir_unusable);
  CHECK(connect_to(folder.path() / "s").has_value());
}

TEST_CASE("anything else at a socket's path is refused and left alone", "[unix_socket]") {
  temporary_directory const folder;
  std::ofstream{folder.path() / "file"} << "precious";
  fs::create_directory(folder.path() / "folder");
  fs::create_symlink(folder.path() / "elsewhere", folder.path() / "dangling");
  auto stale = listen_at(folder.path() / "stale");
  stale->reset();
  fs::create_symlink(folder.path() / "stale", folder.path() / "link");
  for (auto const* const name : {"file", "folder", "dangling", "link"}) {
    CHECK(listening_fails_with(folder.path() / name) == errc::state_dir_unusable);
    CHECK(fs::symlink_status(folder.path() / name).type() != fs::file_type::not_found);
  }
  CHECK_FALSE(fs::exists(folder.path() / "elsewhere"));
}

TEST_CASE("a socket's folder must be a private one of our own", "[unix_socket]") {
  temporary_directory const folder;
  auto const shared = folder.path() / "shared";
  fs::create_directory(shared);
  ::chmod(shared.c_str(), 0755);
  auto const refused = listen_at(shared / "s");
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::state_dir_unusable);
  CHECK(refused.error().remedy() == "chmod 700 " + shared.string());

  ::chmod(shared.c_str(), 0700);
  fs::create_symlink(shared, folder.path() / "link");
  CHECK(listening_fails_with(folder.path() / "link" / "s") == errc::state_dir_unusable);
  CHECK(listening_fails_with(shared / "s") == errc{});
  CHECK(listening_fails_with(folder.path() / "missing" / "s") == errc::state_dir_unusable);
  CHECK(listening_fails_with("/tmp/bulkhead-test-socket") == errc::state_dir_unusable);
}

TEST_CASE("the expected process is accepted and strangers are turned away", "[unix_socket]") {
  temporary_directory const folder;
  asio::io_context io;
  auto listening = listen_at(folder.path() / "s").value();
  std::optional<stranger> first{std::in_place, folder.path() / "s"};
  std::optional<stranger> second{std::in_place, folder.path() / "s"};
  std::optional<result<unique_fd>> accepted;
  std::vector<pid_t> refused;
  peer_acceptor const acceptor{
      io.get_executor(), std::move(listening), ::getpid(),
      [&](result<unique_fd> connection) { accepted = std::move(connection); },
      [&](peer who) { refused.push_back(who.pid); }};
  REQUIRE(run_until(io, [&] { return acceptor.strangers() == 2; }));
  CHECK(refused == std::vector{first->pid(), second->pid()});
  CHECK_FALSE(accepted);

  auto const client = connect_to(folder.path() / "s").value();
  REQUIRE(run_until(io, [&] { return accepted.has_value(); }));
  REQUIRE(accepted->has_value());
  CHECK(write_text(client.get(), "x").bytes == 1);
  std::array<std::byte, 4> buffer;
  CHECK(read_some(accepted->value().get(), buffer).bytes == 1);
  // Nobody is let in after it. (The strangers are copies of this process, with the listening
  // socket.)
  first.reset();
  second.reset();
  CHECK(connect_to(folder.path() / "s").has_error());
}

TEST_CASE("a stranger's connection is closed", "[unix_socket]") {
  temporary_directory const folder;
  asio::io_context io;
  auto listening = listen_at(folder.path() / "s").value();
  auto const client = connect_to(folder.path() / "s").value();
  auto const not_us = ::getppid();
  peer_acceptor const acceptor{io.get_executor(), std::move(listening), not_us,
                               [](result<unique_fd> const&) { FAIL("accepted"); }};
  REQUIRE(run_until(io, [&] { return acceptor.strangers() == 1; }));
  std::array<std::byte, 4> buffer;
  CHECK(read_some(client.get(), buffer).status == io_status::closed);
}

TEST_CASE("an acceptor may be destroyed at any time", "[unix_socket]") {
  temporary_directory const folder;
  asio::io_context io;
  int calls = 0;
  std::optional<peer_acceptor> acceptor;
  acceptor.emplace(io.get_executor(), listen_at(folder.path() / "s").value(), ::getpid(),
                   [&](result<unique_fd> const&) { ++calls; });
  auto const client = connect_to(folder.path() / "s").value();
  acceptor.reset();
  io.run_for(patience);
  CHECK(calls == 0);

  auto const strange = [&](peer) {
    ++calls;
    acceptor.reset();
  };
  acceptor.emplace(
      io.get_executor(), listen_at(folder.path() / "s").value(), ::getppid(),
      [&](result<unique_fd> const&) { FAIL("accepted"); }, strange);
  auto const one = connect_to(folder.path() / "s").value();
  auto const two = connect_to(folder.path() / "s").value();
  io.restart();
  io.run_for(patience);
  CHECK(calls == 1);
}

TEST_CASE("connecting is tried again until the peer listens", "[unix_socket]") {
  temporary_directory const folder;
  asio::io_context io;
  std::optional<result<unique_fd>> connected;
  peer_connector const connector{
      io.get_executor(),
      folder.path() / "s",
      ::getpid(),
      [&](result<unique_fd> connection) { connected = std::move(connection); },
      {.attempts = 10, .step = 1ms}};
  CHECK(connector.attempts() == 0);
  REQUIRE(run_until(io, [&] { return connector.attempts() == 3; }));
  CHECK_FALSE(connected);
  auto const listening = listen_at(folder.path() / "s").value();
  REQUIRE(run_until(io, [&] { return connected.has_value(); }));
  CHECK(connected->has_value());
  CHECK(connector.attempts() == 4);
}

TEST_CASE("connecting ends after the last attempt, each a step later than the one before",
          "[unix_socket]") {
  temporary_directory const folder;
  asio::io_context io;
  std::optional<result<unique_fd>> connected;
  auto const begun = std::chrono::steady_clock::now();
  peer_connector const connector{
      io.get_executor(),
      folder.path() / "s",
      ::getpid(),
      [&](result<unique_fd> connection) { connected = std::move(connection); },
      {.attempts = 4, .step = 5ms}};
  REQUIRE(run_until(io, [&] { return connected.has_value(); }));
  CHECK(std::chrono::steady_clock::now() - begun >= (1 + 2 + 3) * 5ms);
  REQUIRE(connected->has_error());
  CHECK(connected->error().code() == errc::connect_failed);
  CHECK(connected->error().detail() == "can't connect to " + (folder.path() / "s").string() +
                                           ": No such file or directory (attempt 4 of 4)");
  CHECK(connector.attempts() == 4);
  CHECK(connect_schedule{}.attempts == 10);
  CHECK(connect_schedule{}.step == 200ms);
}

TEST_CASE("a socket of another process is not taken for the host's", "[unix_socket]") {
  temporary_directory const folder;
  asio::io_context io;
  auto const listening = listen_at(folder.path() / "s").value();
  std::optional<result<unique_fd>> connected;
  auto const keep = [&](result<unique_fd> connection) { connected = std::move(connection); };
  peer_connector const connector{io.get_executor(), folder.path() / "s", ::getppid(), keep};
  REQUIRE(run_until(io, [&] { return connected.has_value(); }));
  CHECK(connected->error().code() == errc::untrusted_peer);
}

TEST_CASE("a path that never can be connected to is not tried again", "[unix_socket]") {
  asio::io_context io;
  std::optional<result<unique_fd>> connected;
  auto const keep = [&](result<unique_fd> connection) { connected = std::move(connection); };
  peer_connector const connector{io.get_executor(), "/" + std::string(200, 's'), ::getpid(), keep};
  REQUIRE(run_until(io, [&] { return connected.has_value(); }));
  CHECK(connected->error().code() == errc::socket_path_too_long);
  CHECK(connector.attempts() == 1);
}

TEST_CASE("a connector may be destroyed at any time", "[unix_socket]") {
  temporary_directory const folder;
  asio::io_context io;
  int calls = 0;
  std::optional<peer_connector> connector;
  connector.emplace(io.get_executor(), folder.path() / "s", ::getpid(),
                    [&](result<unique_fd> const&) { ++calls; });
  REQUIRE(run_until(io, [&] { return connector->attempts() == 1; }));
  connector.reset();
  io.restart();
  io.run_for(patience);
  CHECK(calls == 0);

  auto const listening = listen_at(folder.path() / "s").value();
  connector.emplace(io.get_executor(), folder.path() / "s", ::getpid(),
                    [&](result<unique_fd> const&) {
                      ++calls;
                      connector.reset();
                    });
  io.restart();
  io.run_for(patience);
  CHECK(calls == 1);
}
