#include <bulkhead/platform/atomic_file.hpp>

#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/file_error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

constexpr auto hidden_prefix = std::string_view{".bulkhead-"};
constexpr auto hidden_suffix = std::string_view{".tmp"};
constexpr std::size_t hidden_digits = 16;
/// Two names of 64 random bits never meet; what fails this often has another reason.
constexpr int max_attempts = 4;
constexpr mode_t permission_bits = S_IRWXU | S_IRWXG | S_IRWXO;

/// Owner, group and permissions of the file that is replaced.
result<void> inherit(int fd, int replaced) {
  struct stat old;
  struct stat own;
  if (::fstat(replaced, &old) != 0 || ::fstat(fd, &own) != 0)
    return file_error(errno);
  auto const same_owner = old.st_uid == own.st_uid && old.st_gid == own.st_gid;
  if (!same_owner && ::fchown(fd, old.st_uid, old.st_gid) != 0)
    return error{errc::file_unavailable, "the file belongs to another user, whom a replacement "
                                         "made by this process can't keep"};
  if (::fchmod(fd, old.st_mode & permission_bits) != 0)
    return file_error(errno);
  return {};
}

/// For file systems that can't refuse to replace by themselves, such as NFS: what appears between
/// the look and the rename is replaced.
int rename_where_free(int from_folder, char const* from, int to_folder, char const* to) noexcept {
  struct stat seen;
  if (::fstatat(to_folder, to, &seen, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = EEXIST;
    return -1;
  }
  return errno == ENOENT ? ::renameat(from_folder, from, to_folder, to) : -1;
}

} // namespace

bool is_hidden_name(std::string_view name) noexcept {
  return name.size() == hidden_prefix.size() + hidden_digits + hidden_suffix.size() &&
         name.starts_with(hidden_prefix) && name.ends_with(hidden_suffix);
}

std::string make_hidden_name() {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  std::random_device random;
  auto bits = std::uint64_t{random()} << 32 | random();
  auto middle = std::string(hidden_digits, '0');
  for (auto& digit : middle)
    digit = digits[std::exchange(bits, bits >> 4) & 0xF];
  return std::string{hidden_prefix}.append(middle).append(hidden_suffix);
}

result<void> check_entry_name(std::string_view name) {
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view{"/\0", 2}) != name.npos)
    return error{errc::invalid_payload, "not the name of a file"};
  return {};
}

result<unique_fd> open_replaceable(place const& target, bool overwrite) {
  if (auto valid = check_entry_name(target.name); !valid)
    return valid.error();
  unique_fd present{
      ::openat(target.parent.fd.get(), target.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (!present)
    return errno == ENOENT ? result<unique_fd>{unique_fd{}} : file_error(errno);
  if (!overwrite)
    return error{errc::file_exists};
  struct stat seen;
  if (::fstat(present.get(), &seen) != 0)
    return file_error(errno);
  if (S_ISLNK(seen.st_mode))
    return file_error(ELOOP);
  if (S_ISDIR(seen.st_mode))
    return file_error(EISDIR);
  if (!S_ISREG(seen.st_mode))
    return error{errc::file_unsupported};
  if (seen.st_nlink > 1)
    return error{errc::path_denied, "the file has other hard links, which may be anywhere"};
  if (::faccessat(AT_FDCWD, proc_path(present.get()).c_str(), W_OK, AT_EACCESS) != 0)
    return error{errc::file_unavailable, "the file is write-protected"};
  return present;
}

result<void> write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    auto const written =
        is_refused(fault_point::disk_write) ? -1 : ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR)
      return file_error(errno);
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  return {};
}

result<void> move_entry(int from_folder, std::string const& from, int to_folder,
                        std::string const& to, bool overwrite) {
  auto failed = ::renameat2(from_folder, from.c_str(), to_folder, to.c_str(),
                            overwrite ? 0 : RENAME_NOREPLACE);
  if (failed != 0 && !overwrite && (errno == EINVAL || errno == ENOSYS))
    failed = rename_where_free(from_folder, from.c_str(), to_folder, to.c_str());
  if (failed == 0)
    return {};
  if (errno == EINVAL)
    return error{errc::invalid_payload, "a folder can't be moved into itself"};
  return file_error(errno);
}

result<atomic_file> atomic_file::begin(place const& target, write_options options, mode_t mode) {
  auto const replaced = open_replaceable(target, options.overwrite);
  if (!replaced)
    return replaced.error();
  if (!*replaced && !options.create)
    return error{errc::file_not_found};
  // Nobody reads a replacement before it has the permissions of what it replaces.
  auto const first_mode = *replaced ? static_cast<mode_t>(S_IRUSR | S_IWUSR) : mode;
  for (int attempt = 1;; ++attempt) {
    auto name = make_hidden_name();
    unique_fd fd{::openat(target.parent.fd.get(), name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          first_mode & permission_bits)};
    if (!fd && errno == EEXIST && attempt != max_attempts)
      continue;
    if (!fd)
      return file_error(errno);
    atomic_file file{target, std::move(name), std::move(fd), options.overwrite};
    if (*replaced)
      if (auto inherited = inherit(file.fd_.get(), replaced->get()); !inherited)
        return inherited.error();
    return file;
  }
}

atomic_file::atomic_file(place const& target, std::string hidden_name, unique_fd fd,
                         bool overwrite) noexcept
    : target_{&target}
    , hidden_name_{std::move(hidden_name)}
    , fd_{std::move(fd)}
    , overwrite_{overwrite} {}

atomic_file::atomic_file(atomic_file&& other) noexcept
    : target_{other.target_}
    , hidden_name_{std::exchange(other.hidden_name_, {})}
    , fd_{std::move(other.fd_)}
    , overwrite_{other.overwrite_} {}

atomic_file::~atomic_file() {
  if (!hidden_name_.empty())
    ::unlinkat(target_->parent.fd.get(), hidden_name_.c_str(), 0);
}

result<void> atomic_file::write(std::string_view bytes) {
  return write_all(fd_.get(), bytes);
}

result<void> atomic_file::commit() {
  if (::fsync(fd_.get()) != 0)
    return file_error(errno);
  auto const folder = target_->parent.fd.get();
  if (auto moved = move_entry(folder, hidden_name_, folder, target_->name, overwrite_); !moved)
    return moved.error();
  hidden_name_.clear();
  return {};
}

} // namespace bulkhead::platform
