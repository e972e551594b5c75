#include <bulkhead/platform/unix_socket.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

static_assert(sizeof(sockaddr_un::sun_path) == max_socket_path + 1);

/// Only the host itself connects, once; the rest is room for strangers that are turned away.
constexpr int backlog = 8;

/// The address of a path that check_socket_path() has let pass.
class address {
public:
  explicit address(std::filesystem::path const& path) noexcept {
    std::ranges::copy(path.native(), name_.sun_path);
  }

  int bind(int socket) const noexcept { return ::bind(socket, get(), sizeof name_); }
  int connect(int socket) const noexcept { return ::connect(socket, get(), sizeof name_); }

private:
  sockaddr const* get() const noexcept { return reinterpret_cast<sockaddr const*>(&name_); }

  sockaddr_un name_{.sun_family = AF_UNIX, .sun_path = {}};
};

unique_fd make_socket() noexcept {
  return above_standard_streams(
      unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)});
}

error refused(std::filesystem::path const& path, std::string const& why, std::string remedy = {}) {
  return error{errc::state_dir_unusable, "can't listen at " + path.string() + ": " + why,
               std::move(remedy)};
}

result<unique_fd> open_private_folder(std::filesystem::path const& socket_path) {
  auto const folder = socket_path.parent_path();
  unique_fd opened{::open(folder.empty() ? "." : folder.c_str(),
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  struct stat seen;
  if (!opened || ::fstat(opened.get(), &seen) != 0)
    return refused(socket_path, "its folder: " + errno_text(errno));
  if (seen.st_uid != ::geteuid())
    return refused(socket_path, "its folder belongs to another user");
  if ((seen.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return refused(socket_path, "its folder is open to other users",
                   "chmod 700 " + folder.string());
  return opened;
}

bool is_our_socket(int folder, char const* name) noexcept {
  struct stat seen;
  return ::fstatat(folder, name, &seen, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(seen.st_mode) &&
         seen.st_uid == ::geteuid();
}

bool has_listener(address const& where) noexcept {
  auto const probe = make_socket();
  return !probe || where.connect(probe.get()) == 0 || errno != ECONNREFUSED;
}

io_outcome failure(int number) noexcept {
  switch (number) {
  case EAGAIN:
    return {io_status::would_block};
  case EPIPE:
  case ECONNRESET:
    return {io_status::closed};
  default:
    return {io_status::failed, 0, number};
  }
}

} // namespace

result<socket_pair> make_socketpair() {
  int ends[2];
  unique_fd ours;
  unique_fd theirs;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
    ours = above_standard_streams(std::move(ours));
    theirs = above_standard_streams(std::move(theirs));
  }
  if (!ours || !theirs || ::fcntl(ours.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0)
    return error{errc::spawn_failed, "can't create a socket pair: " + errno_text(errno)};
  return socket_pair{std::move(ours), std::move(theirs)};
}

result<void> check_socket_path(std::filesystem::path const& path) {
  auto const& text = path.native();
  if (text.empty() || text.find('\0') != text.npos)
    return error{errc::state_dir_unusable, "not a path for a socket: \"" + text + '"'};
  if (text.size() > max_socket_path)
    return error{errc::socket_path_too_long,
                 "the socket path " + text + " has " + std::to_string(text.size()) +
                     " bytes; the kernel allows " + std::to_string(max_socket_path)};
  return {};
}

result<unique_fd> listen_at(std::filesystem::path const& path) {
  if (auto const usable = check_socket_path(path); !usable)
    return usable.error();
  auto const folder = open_private_folder(path);
  if (!folder)
    return folder.error();
  auto socket = make_socket();
  if (!socket)
    return refused(path, errno_text(errno));

  auto const name = path.filename();
  address const where{path};
  auto bound = where.bind(socket.get());
  if (bound != 0 && errno == EADDRINUSE) {
    if (!is_our_socket(folder->get(), name.c_str()))
      return refused(path, "something that is not our socket is there");
    if (has_listener(where))
      return refused(path, "another process listens there");
    ::unlinkat(folder->get(), name.c_str(), 0);
    bound = where.bind(socket.get());
  }
  if (bound != 0 || ::listen(socket.get(), backlog) != 0)
    return refused(path, errno_text(errno));
  // bind() takes a path only: make sure that it led to the folder that was checked.
  if (!is_our_socket(folder->get(), name.c_str()))
    return refused(path, "its folder was replaced meanwhile");
  return socket;
}

result<unique_fd> connect_to(std::filesystem::path const& path) {
  if (auto const usable = check_socket_path(path); !usable)
    return usable.error();
  auto socket = make_socket();
  if (!socket || address{path}.connect(socket.get()) != 0)
    return error{errc::connect_failed,
                 "can't connect to " + path.string() + ": " + errno_text(errno)};
  return socket;
}

result<peer> peer_of(int socket) {
  ucred seen{};
  socklen_t size = sizeof seen;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &seen, &size) != 0)
    return error{errc::untrusted_peer, "can't tell who is at the other end: " + errno_text(errno)};
  return peer{seen.pid, seen.uid, seen.gid};
}

io_outcome read_some(int socket, std::span<std::byte> into) noexcept {
  iovec buffer{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  // Without room for control messages the kernel drops descriptors that were sent along and says so
  // with MSG_CTRUNC: they never become ours, not even for a moment (unix(7), SCM_RIGHTS).
  ssize_t size = 0;
  do
    size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size < 0)
    return failure(errno);
  auto const bytes = static_cast<std::size_t>(size);
  if ((message.msg_flags & MSG_CTRUNC) != 0)
    return {io_status::descriptors, bytes};
  return {bytes == 0 ? io_status::closed : io_status::done, bytes};
}

bool holds_bytes(int socket) noexcept {
  std::byte first{};
  ssize_t size = 0;
  do
    size = ::recv(socket, &first, 1, MSG_DONTWAIT | MSG_PEEK);
  while (size < 0 && errno == EINTR);
  return size > 0;
}

io_outcome write_some(int socket, std::span<std::string_view const> pieces) noexcept {
  std::array<iovec, max_pieces> buffers;
  msghdr message{};
  message.msg_iov = buffers.data();
  for (auto const piece : pieces)
    buffers[message.msg_iovlen++] = {const_cast<char*>(piece.data()), piece.size()};
  ssize_t size = 0;
  do
    size = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (size < 0 && errno == EINTR);
  if (size < 0)
    return failure(errno);
  return {io_status::done, static_cast<std::size_t>(size)};
}

} // namespace bulkhead::platform
