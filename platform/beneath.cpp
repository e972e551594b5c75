#include <bulkhead/platform/beneath.hpp>

#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/file_error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// A rename anywhere on the machine makes openat2 give up on a `..` inside a link (EAGAIN); what
/// still fails after this many attempts is under attack.
constexpr int max_attempts = 128;

/// C libraries have no function for it.
unique_fd openat2(int folder, char const* path, int flags) noexcept {
  open_how how{};
  how.flags = static_cast<decltype(how.flags)>(O_PATH | O_CLOEXEC | flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return unique_fd{static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how))};
}

/// What it fails with where the kernel does not have it, or a seccomp filter denies it.
bool is_missing(int error) noexcept {
  return error == ENOSYS || error == EPERM;
}

result<unique_fd> resolve_beneath(int folder, std::string const& clean, int flags) {
  if (is_refused(fault_point::disk_lookup))
    return file_error(errno);
  for (int attempt = 1;; ++attempt) {
    if (auto found = openat2(folder, clean.empty() ? "." : clean.c_str(), flags))
      return found;
    if (errno == EXDEV || errno == ELOOP)
      return error{errc::path_denied, "a symbolic link leads out of the allowed folder"};
    if (is_missing(errno))
      return walk_beneath(folder, clean, flags);
    if ((errno != EAGAIN && errno != EINTR) || attempt == max_attempts)
      return file_error(errno);
  }
}

/// The next component of `names`, which is removed; empty at the end.
std::string_view take_component(std::string_view& names) noexcept {
  names.remove_prefix(std::min(names.find_first_not_of('/'), names.size()));
  auto const component = names.substr(0, names.find('/'));
  names.remove_prefix(component.size());
  return component;
}

/// Only what names something, with one slash between.
result<std::string> clean_path(std::string_view relative) {
  if (relative.size() >= PATH_MAX)
    return file_error(ENAMETOOLONG);
  if (relative.find('\0') != relative.npos)
    return error{errc::invalid_payload, "a path holds a NUL character"};
  if (relative.starts_with('/'))
    return error{errc::path_denied, "the path is absolute where a relative one belongs"};
  std::string clean;
  for (auto name = take_component(relative); !name.empty(); name = take_component(relative)) {
    if (name == "..")
      return error{errc::path_denied, "the path is not canonical: it holds \"..\""};
    if (name != ".")
      clean.append(clean.empty() ? "" : "/").append(name);
  }
  return clean;
}

error proc_missing() {
  return error{errc::file_unavailable, "/proc is not mounted", "mount it"};
}

bool is_same_object(struct stat const& one, struct stat const& other) noexcept {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// What `path` is below `root`; path_denied where it is somewhere else.
result<std::string> relative_to(std::string_view root, std::string_view path) {
  if (path == root)
    return std::string{};
  auto const prefix = root == "/" ? std::string{root} : std::string{root} + '/';
  if (!path.starts_with(prefix))
    return error{errc::path_denied, "it is not in the allowed folder any more"};
  return std::string{path.substr(prefix.size())};
}

} // namespace

resolver kernel_resolver() noexcept {
  auto const found = openat2(AT_FDCWD, ".", 0);
  return !found && is_missing(errno) ? resolver::walk : resolver::openat2;
}

std::string place::relative() const {
  return parent.relative.empty() ? name : parent.relative + '/' + name;
}

std::string proc_path(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

result<std::string> real_path_of(int fd) {
  constexpr auto mark = std::string_view{" (deleted)"};
  std::array<char, PATH_MAX> buffer;
  auto const size = ::readlink(proc_path(fd).c_str(), buffer.data(), buffer.size());
  if (size < 0)
    return errno == ENOENT ? proc_missing() : file_error(errno);
  auto path = std::string{buffer.data(), static_cast<std::size_t>(size)};
  if (!path.ends_with(mark))
    return path;
  // Either it was deleted, or that is how its name ends.
  struct stat open;
  struct stat named;
  if (::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &named) == 0 && is_same_object(open, named))
    return path;
  return error{errc::file_not_found};
}

result<unique_fd> walk_beneath(int folder, std::string_view clean, int flags) {
  if (is_refused(fault_point::disk_lookup))
    return file_error(errno);
  unique_fd found{::openat(folder, ".", O_PATH | O_CLOEXEC)};
  if (!found)
    return file_error(errno);
  for (auto name = take_component(clean); !name.empty(); name = take_component(clean)) {
    found = unique_fd{
        ::openat(found.get(), std::string{name}.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat seen;
    if (!found || ::fstat(found.get(), &seen) != 0)
      return file_error(errno);
    if (S_ISLNK(seen.st_mode))
      return file_error(ELOOP);
    if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(seen.st_mode))
      return file_error(ENOTDIR);
  }
  return found;
}

folder::folder(unique_fd fd, std::string real_path, resolver how) noexcept
    : fd_{std::move(fd)}
    , real_path_{std::move(real_path)}
    , how_{how} {}

result<folder> folder::open(std::filesystem::path const& path, resolver how) {
  if (is_refused(fault_point::disk_lookup))
    return file_error(errno);
  unique_fd fd{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!fd)
    return file_error(errno);
  auto real_path = real_path_of(fd.get());
  if (!real_path)
    return real_path.error();
  return folder{std::move(fd), std::move(*real_path), how};
}

result<located> folder::locate(std::string_view relative) const {
  auto const clean = clean_path(relative);
  if (!clean)
    return clean.error();
  return locate(*clean, 0);
}

result<located> folder::locate(std::string const& clean, int flags) const {
  auto found = how_ == resolver::openat2 ? resolve_beneath(fd_.get(), clean, flags)
                                         : walk_beneath(fd_.get(), clean, flags);
  if (!found)
    return found.error();
  auto const path = real_path_of(found->get());
  if (!path)
    return path.error();
  auto real = relative_to(real_path_, *path);
  if (!real)
    return real.error();
  return located{std::move(*found), std::move(*real)};
}

result<place> folder::locate_parent(std::string_view relative) const {
  auto clean = clean_path(relative);
  if (!clean)
    return clean.error();
  if (clean->empty())
    return error{errc::path_denied, "the allowed folder itself is not to be changed"};
  auto const slash = clean->rfind('/');
  auto name = clean->substr(slash == clean->npos ? 0 : slash + 1);
  auto parent = locate(slash == clean->npos ? std::string{} : clean->substr(0, slash), O_DIRECTORY);
  if (!parent)
    return parent.error();
  return place{std::move(*parent), std::move(name)};
}

} // namespace bulkhead::platform
