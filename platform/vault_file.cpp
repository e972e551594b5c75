#include <bulkhead/platform/vault_file.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/fault_point.hpp>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

using namespace std::chrono_literals;

constexpr auto owner_only = mode_t{S_IRUSR | S_IWUSR};
constexpr auto others = mode_t{S_IRWXG | S_IRWXO};
/// flock(2) waits for ever or not at all; asking again costs two system calls.
constexpr auto pause_between_attempts = 5ms;

error refused(std::string const& what, int number) {
  return error{errc::secrets_unavailable, "the vault's " + what + ": " + errno_text(number)};
}

error unusable(std::string why, std::string remedy) {
  return error{errc::vault_unusable, std::move(why), std::move(remedy)};
}

result<void> check_own(struct stat const& seen, std::string const& what) {
  if (!S_ISREG(seen.st_mode))
    return unusable(what + " is not a regular file", "move it away, or name another file");
  if (seen.st_uid != ::geteuid())
    return unusable(what + " belongs to another user", "run as that user, or chown the file");
  if ((seen.st_mode & others) != 0)
    return unusable(what + " is open to other users",
                    "chmod 600 the file, and replace the secrets that others could read");
  return {};
}

unique_fd open_in(int folder, std::string const& name, int flags) noexcept {
  // Non-blocking: a FIFO must not hold up whoever opens it.
  return unique_fd{::openat(folder, name.c_str(),
                            flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, owner_only)};
}

/// A file of the vault, checked on the open descriptor; empty where there is none.
result<unique_fd> open_own(int folder, std::string const& name, int flags,
                           std::string const& what) {
  auto file = open_in(folder, name, flags);
  if (!file && errno == ENOENT)
    return file;
  if (!file && errno == ELOOP)
    return unusable(what + " is a symbolic link", "move the link away, or name the file itself");
  struct stat seen {};
  if (!file || ::fstat(file.get(), &seen) != 0)
    return refused("file can't be opened", errno);
  if (auto const own = check_own(seen, what); !own)
    return own.error();
  return file;
}

bool write_all(int file, std::span<unsigned char const> content) noexcept {
  while (!content.empty()) {
    auto const written =
        is_refused(fault_point::disk_write) ? -1 : ::write(file, content.data(), content.size());
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0)
      content = content.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

} // namespace

vault_file::vault_file(std::filesystem::path const& path, std::chrono::milliseconds patience)
    : folder_{path.has_parent_path() ? path.parent_path() : "."}
    , name_{path.filename()}
    , patience_{patience} {}

result<unique_fd> vault_file::open_folder() const {
  if (is_refused(fault_point::disk_lookup))
    return refused("folder can't be opened", errno);
  unique_fd folder{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  struct stat seen {};
  if (!folder || ::fstat(folder.get(), &seen) != 0)
    return refused("folder can't be opened", errno);
  if (seen.st_uid != ::geteuid() && seen.st_uid != 0)
    return unusable("the vault's folder belongs to another user",
                    "keep the vault in a folder of this user's");
  if ((seen.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return unusable("other users can write to the vault's folder", "chmod 700 the folder");
  return folder;
}

result<std::optional<std::vector<unsigned char>>> vault_file::read() const {
  auto const folder = open_folder();
  if (!folder)
    return folder.error();
  auto const file = open_own(folder->get(), name_, O_RDONLY, "the vault");
  if (!file)
    return file.error();
  if (!*file)
    return std::nullopt;
  struct stat seen {};
  if (::fstat(file->get(), &seen) != 0)
    return refused("file can't be read", errno);
  if (std::cmp_greater(seen.st_size, max_vault_size))
    return unusable("the file is larger than any vault", "restore it from a backup");
  // Nobody writes to a file under this name: it has the size that it was finished with.
  std::vector<unsigned char> content(static_cast<std::size_t>(seen.st_size));
  auto missing = std::span{content};
  while (!missing.empty()) {
    auto const got = ::read(file->get(), missing.data(), missing.size());
    if (got < 0 && errno != EINTR)
      return refused("file can't be read", errno);
    if (got == 0)
      return refused("file can't be read", EIO);
    if (got > 0)
      missing = missing.subspan(static_cast<std::size_t>(got));
  }
  return content;
}

result<unique_fd> vault_file::lock() const {
  auto const folder = open_folder();
  if (!folder)
    return folder.error();
  auto lock = open_own(folder->get(), name_ + ".lock", O_RDWR | O_CREAT, "the vault's lock");
  if (!lock)
    return lock.error();
  auto const give_up = std::chrono::steady_clock::now() + patience_;
  while (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return refused("lock can't be taken", errno);
    if (std::chrono::steady_clock::now() > give_up)
      return error{errc::secrets_unavailable, "another process does not let go of the vault",
                   "find the process that holds the vault's lock file (lsof), and end it"};
    std::this_thread::sleep_for(pause_between_attempts);
  }
  return lock;
}

result<void> vault_file::replace(std::span<unsigned char const> content) const {
  auto const folder = open_folder();
  if (!folder)
    return folder.error();
  auto const unfinished = name_ + ".new";
  // Left by a process that was killed: whoever holds the lock is the only one who writes.
  ::unlinkat(folder->get(), unfinished.c_str(), 0);
  auto file = open_in(folder->get(), unfinished, O_WRONLY | O_CREAT | O_EXCL);
  if (!file)
    return refused("new file can't be made", errno);
  if (!write_all(file.get(), content) || ::fsync(file.get()) != 0 ||
      ::renameat(folder->get(), unfinished.c_str(), folder->get(), name_.c_str()) != 0) {
    auto const number = errno;
    ::unlinkat(folder->get(), unfinished.c_str(), 0);
    return refused("new content can't be written", number);
  }
  // The rename itself must survive a loss of power too.
  if (::fsync(folder->get()) != 0)
    return refused("folder can't be written", errno);
  return {};
}

} // namespace bulkhead::platform
