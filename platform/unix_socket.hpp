#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <sys/types.h>

namespace bulkhead::platform {

// Stream sockets of the Unix domain. Every descriptor made here is closed on exec and numbered
// above 2; those on this side don't block. All functions may be called by any thread.

/// The longest path of a socket in bytes: sun_path of sockaddr_un holds 108 with the null byte
/// (unix(7)).
inline constexpr std::size_t max_socket_path = 107;

/// Two connected ends.
struct socket_pair {
  unique_fd ours;   ///< does not block
  unique_fd theirs; ///< for process_spec::inherited; blocks until the child decides otherwise
};

/// Fails with spawn_failed: it is a part of starting a host.
result<socket_pair> make_socketpair();

/// Whether a socket at `path` can be had at all: not empty, no null byte, and no longer than
/// max_socket_path; else socket_path_too_long with both lengths.
result<void> check_socket_path(std::filesystem::path const& path);

/// Listens at `path`. Its folder must be ours, a real folder and closed to others (0700), so that
/// nobody else can put something there. A socket that nobody listens on is replaced; one that is in
/// use, and anything that is not our socket, is refused and left as it was. Fails with
/// socket_path_too_long or state_dir_unusable.
result<unique_fd> listen_at(std::filesystem::path const& path);

/// Connects to `path`, at once or not at all. Fails with socket_path_too_long or connect_failed.
result<unique_fd> connect_to(std::filesystem::path const& path);

/// Who is at the other end, as the kernel knows it. With a socketpair it is the process that made
/// the pair.
struct peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;

  friend bool operator==(peer const&, peer const&) = default;
};

/// The process that connected, or with a connection of ours the one that listened, at that time.
/// Fails with untrusted_peer.
result<peer> peer_of(int socket);

/// How one read or write went.
enum class io_status : std::uint8_t {
  done,        ///< `bytes` were moved, one or more
  would_block, ///< nothing was moved; wait until the socket is ready
  closed,      ///< the peer has closed its end, or is gone
  descriptors, ///< reading only: the peer sent file descriptors along; none of them was let in,
               ///< `bytes` were read
  failed,      ///< anything else; `error_number` says what
};

struct io_outcome {
  io_status status = io_status::failed;
  std::size_t bytes = 0;
  int error_number = 0; ///< errno, with `failed`
};

/// Reads what is there without blocking. `into` must not be empty.
io_outcome read_some(int socket, std::span<std::byte> into) noexcept;

/// Whether there is something to read, beside the end of the stream: nothing is read.
bool holds_bytes(int socket) noexcept;

/// As many pieces as one write takes: eight long attachments with the JSON before each.
inline constexpr std::size_t max_pieces = 16;

/// Writes what fits of 1 to max_pieces pieces, one behind the other, without blocking and without
/// SIGPIPE. None of them may be empty.
io_outcome write_some(int socket, std::span<std::string_view const> pieces) noexcept;

} // namespace bulkhead::platform
