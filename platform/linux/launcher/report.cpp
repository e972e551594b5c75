#include <bulkhead/platform/linux/launcher/report.hpp>

#include <bulkhead/platform/linux/launcher/stages.hpp>

#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

launch_plan const* loaded = nullptr;
int report_socket = status_socket;

constexpr int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

std::uint64_t now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

} // namespace

launch_plan const& plan() noexcept {
  return *loaded;
}

char const* string_at(text where) noexcept {
  return reinterpret_cast<char const*>(loaded) + where;
}

void load_plan(step where) noexcept {
  struct stat seen {};
  if (::fstat(plan_file, &seen) != 0)
    fail(where, errno);
  auto const size = static_cast<std::size_t>(seen.st_size);
  if (size < sizeof(launch_plan))
    fail(where, EBADMSG);
  auto const held = ::fcntl(plan_file, F_GET_SEALS);
  if (held < 0 || (held & seals) != seals)
    fail(where, EPERM);
  auto* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, plan_file, 0);
  if (at == MAP_FAILED)
    fail(where, errno);
  loaded = static_cast<launch_plan const*>(at);
  if (loaded->magic != plan_magic || loaded->version != plan_version || loaded->size != size)
    fail(where, EBADMSG);
  if (loaded->fail_at == static_cast<std::uint32_t>(where))
    fail(where, EPROTO);
}

void tell_through(int socket) noexcept {
  report_socket = socket;
}

int tell(status_record record, int descriptor) noexcept {
  record.magic = record_magic;
  record.when = now();
  iovec bytes{&record, sizeof record};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)]{};
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  ssize_t sent = 0;
  do
    sent = ::sendmsg(report_socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -1 : 0;
}

bool hear(int socket, status_record& record, int& descriptor) noexcept {
  iovec bytes{&record, sizeof record};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)]{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = 0;
  do
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  descriptor = -1;
  auto const* const header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return size == static_cast<ssize_t>(sizeof record);
}

void fail(step where, int number, int which) noexcept {
  status_record record{};
  record.kind = status_kind::failed;
  record.where = where;
  record.number = number;
  record.value = which;
  tell(record);
  ::_exit(exit_failed);
}

bool is_orphaned() noexcept {
  // The library shuts its side down for a launch that is to end, and the kernel closes it for a
  // library that has ended.
  pollfd library{status_socket, POLLRDHUP, 0};
  return ::poll(&library, 1, 0) > 0;
}

} // namespace bulkhead::launcher
