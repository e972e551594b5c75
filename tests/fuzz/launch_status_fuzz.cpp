// What a launcher could say if it were not ours: messages on the status socket, each with a byte of
// length and one of how many descriptors come with it; the end of the outer process is told first.
#include "fuzz_target.hpp"

#include <bulkhead/platform/linux/launch_report.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::platform;
using fuzz::require;

namespace {

struct socket_pair {
  socket_pair() {
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0,
            "there are sockets");
    library = unique_fd{ends[0]};
    launcher = unique_fd{ends[1]};
  }
  unique_fd library;
  unique_fd launcher;
};

/// Sends all of it, and that many descriptors, at most three.
void send(int socket, std::span<unsigned char const> bytes, std::size_t descriptors) {
  std::vector<unsigned char> content{bytes.begin(), bytes.end()};
  iovec part{content.data(), content.size()};
  std::array<int, 3> const sent{socket, socket, socket};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof sent)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptors > 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
    std::memcpy(CMSG_DATA(header), sent.data(), descriptors * sizeof(int));
  }
  require(::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()),
          "a message is sent");
}

/// The number that the next descriptor will get: the same as before where none was left open.
int next_descriptor() {
  return unique_fd{::dup(STDERR_FILENO)}.get();
}

/// What is true of a report whatever was said.
void check(launch_report const& report) {
  require(report.landlock >= 0, "a version is no negative number");
  require(report.end.has_value() == report.ended.has_value(), "an end has its time");
  require(report.used.has_value() == report.ended.has_value(), "an end has its usage");
  if (report.end)
    require(report.end->kind != exit_kind::not_started, "what ended was started");
  if (report.failure) {
    auto const shown = to_error(*report.failure);
    require(shown.code() == errc::sandbox_step_failed, "a failure has its code");
    require(!shown.detail().empty(), "a failure says what failed");
  }
}

void check_end(launch_report report, exit_status outer, bool killed) {
  auto const settled = settle(report, outer, killed, "bwrap: no");
  if (report.end)
    require(settled == *report.end, "how the program ended is what its sandbox saw");
  else if (killed && !report.failure)
    require(settled.kind == exit_kind::signaled, "what was killed was killed");
  require((settled.kind == exit_kind::not_started) == (!report.end && report.failure),
          "what never ran has a reason");
  require(!to_string(settled).empty(), "an end can be said");
  require(settle(report, outer, killed, {}) == settled, "what is settled stays so");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  static socket_pair const sockets;
  if (size < 2)
    return 0;
  // What waitid tells: an exit code, or a signal.
  exit_status const outer = bytes[0] % 2 == 0
                                ? exit_status{exit_kind::exited, bytes[1], false}
                                : exit_status{exit_kind::signaled, bytes[1] % 65, false};
  std::span<unsigned char const> rest{bytes + 2, size - 2};
  launch_report report;
  received_record received;
  constexpr std::size_t choices = 2;
  auto const next = next_descriptor();
  while (rest.size() >= choices) {
    auto const length = std::min<std::size_t>(rest[0], rest.size() - choices);
    auto const descriptors = std::size_t{rest[1]} % 4;
    auto const message = rest.subspan(choices, length);
    rest = rest.subspan(choices + length);
    send(sockets.launcher.get(), message, descriptors);
    auto const read = read_status(sockets.library.get(), received);
    require(read != status_read::nothing, "a message comes");
    bool const is_ours = length == sizeof(launch::status_record) &&
                         std::memcmp(message.data(), &launch::record_magic, 4) == 0;
    require((read == status_read::record) == is_ours, "only a launcher's record is one");
    require(static_cast<bool>(received.descriptor) == (descriptors > 0),
            "a descriptor comes with the message that has one");
    received.descriptor.reset();
    require(next_descriptor() == next, "no other descriptor is left open");
    if (read == status_read::end)
      break;
    require(std::memcmp(&received.record, message.data(), length) == 0,
            "a record is what was sent");
    take(received.record, report);
    check(report);
  }
  for (bool const killed : {false, true})
    check_end(report, outer, killed);
  require(read_status(sockets.library.get(), received) == status_read::nothing,
          "a message is read once");
  return 0;
}
