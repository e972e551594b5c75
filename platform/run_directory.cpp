#include <bulkhead/platform/run_directory.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/standard_streams.hpp>

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace bulkhead::platform {
namespace {

namespace fs = std::filesystem;

constexpr auto lock_name = "lock";
constexpr auto runs_name = "run";
/// Enough to recognise a runtime by; the path of a socket inside has 107 bytes altogether.
constexpr std::size_t max_name = 12;
/// How deep a left-over folder is removed; a descriptor is open for each level.
constexpr int max_depth = 32;

error unusable(fs::path const& path, std::string const& why, std::string remedy = {}) {
  return error{errc::state_dir_unusable, "can't use " + path.string() + ": " + why,
               std::move(remedy)};
}

unique_fd open_folder(int parent, char const* name) noexcept {
  return unique_fd{::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

/// Opens a folder and makes sure, on the open one, that it is ours alone. Where it is missing it is
/// created.
result<unique_fd> open_private_folder(int parent, char const* name, fs::path const& path) {
  if (::mkdirat(parent, name, S_IRWXU) != 0 && errno != EEXIST)
    return unusable(path, errno_text(errno));
  auto folder = open_folder(parent, name);
  struct stat seen;
  if (!folder || ::fstat(folder.get(), &seen) != 0) {
    auto const failed = errno;
    if (failed == ELOOP || failed == ENOTDIR)
      return unusable(path, "it is not a folder, or a symbolic link to one");
    return unusable(path, errno_text(failed));
  }
  if (seen.st_uid != ::geteuid())
    return unusable(path, "it belongs to user " + std::to_string(seen.st_uid) +
                              ", and this process runs as " + std::to_string(::geteuid()));
  if ((seen.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return unusable(path, "other users can enter it", "chmod 700 " + path.string());
  if (::faccessat(folder.get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
    return unusable(path, errno_text(errno));
  return folder;
}

/// The lock, held; empty where another process holds it or, with errno ENOENT, where there is none.
unique_fd take_lock(int folder, int open_flags, int lock_flags) noexcept {
  unique_fd lock{
      ::openat(folder, lock_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | open_flags, S_IRUSR | S_IWUSR)};
  if (!lock)
    return lock;
  int failed = 0;
  do
    failed = ::flock(lock.get(), LOCK_EX | lock_flags);
  while (failed != 0 && errno == EINTR);
  return failed == 0 ? std::move(lock) : unique_fd{};
}

std::vector<std::string> names_in(int folder) {
  std::vector<std::string> names;
  // A descriptor of its own: the stream closes it and moves its position.
  auto copy = open_folder(folder, ".");
  std::unique_ptr<DIR, int (*)(DIR*)> const stream{copy ? ::fdopendir(copy.get()) : nullptr,
                                                   &::closedir};
  if (!stream)
    return names;
  copy.release();
  while (auto const* const entry = ::readdir(stream.get()))
    if (auto name = std::string{entry->d_name}; name != "." && name != "..")
      names.push_back(std::move(name));
  return names;
}

/// Removes what is there without ever following a symbolic link.
void remove_tree(int parent, char const* name, int depth = 0) {
  if (::unlinkat(parent, name, 0) == 0 || depth == max_depth)
    return;
  if (auto const folder = open_folder(parent, name))
    for (auto const& inside : names_in(folder.get()))
      remove_tree(folder.get(), inside.c_str(), depth + 1);
  ::unlinkat(parent, name, AT_REMOVEDIR);
}

/// The caller holds the lock on `runs`, so that no folder is in the making: one without a lock of
/// its own, or with one that nobody holds, was left behind.
void remove_dead_runs(int runs) {
  for (auto const& name : names_in(runs)) {
    auto const folder = open_folder(runs, name.c_str());
    if (!folder)
      continue;
    auto const lock = take_lock(folder.get(), 0, LOCK_NB);
    if (lock || errno == ENOENT)
      remove_tree(runs, name.c_str());
  }
}

std::string folder_name(std::string_view name) {
  auto kept = std::string{name.substr(0, max_name)};
  auto const is_harmless = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  std::ranges::replace_if(kept, std::not_fn(is_harmless), '_');
  constexpr auto digits = std::string_view{"0123456789abcdefghijklmnopqrstuv"};
  std::random_device random;
  auto suffix = std::string(6, '0');
  std::ranges::generate(suffix, [&] { return digits[random() % digits.size()]; });
  return kept + '-' + std::to_string(::getpid()) + '-' + suffix;
}

bool is_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name != lock_name &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

bool write_all(int file, std::string_view content) noexcept {
  while (!content.empty()) {
    auto const written = ::write(file, content.data(), content.size());
    if (written < 0 && errno != EINTR)
      return false;
    content.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  return true;
}

result<fs::path> write_new_file(int folder, fs::path const& folder_path, std::string_view name,
                                std::string_view content, mode_t mode) {
  auto const plain = std::string{name};
  auto const path = folder_path / plain;
  if (!is_file_name(name))
    return unusable(path, "not a plain file name");
  unique_fd const file{::openat(folder, plain.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR)};
  if (!file)
    return unusable(path, errno_text(errno));
  if (!write_all(file.get(), content) || ::fchmod(file.get(), mode) != 0) {
    auto const failed = errno;
    ::unlinkat(folder, plain.c_str(), 0);
    return unusable(path, errno_text(failed));
  }
  return path;
}

} // namespace

result<unique_fd> open_state_directory(fs::path const& path) {
  // Without a slash at its end, which would make a symbolic link be followed.
  auto const normal = path.lexically_normal();
  auto const folder = normal.has_filename() ? normal : normal.parent_path();
  if (folder.empty())
    return unusable(path, "its path is empty");
  std::error_code failed;
  if (auto const parent = folder.parent_path(); !parent.empty())
    fs::create_directories(parent, failed);
  if (failed)
    return unusable(folder, failed.message());
  return open_private_folder(AT_FDCWD, folder.c_str(), folder);
}

result<unique_fd> open_host_folder(fs::path const& path) {
  if (::geteuid() == 0) {
    unique_fd const there{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (there && ::fchown(there.get(), 0, 0) != 0)
      return unusable(path, errno_text(errno));
  }
  return open_state_directory(path);
}

result<run_directory> run_directory::create(fs::path const& state_dir, std::string_view name) {
  occupy_standard_streams(); // it opens the first descriptors of a runtime
  std::error_code failed;
  auto const absolute = fs::absolute(state_dir, failed).lexically_normal();
  if (failed)
    return unusable(state_dir, failed.message());
  auto const state = open_state_directory(absolute);
  if (!state)
    return state.error();
  auto const runs_path = absolute / runs_name;
  auto runs = open_private_folder(state->get(), runs_name, runs_path);
  if (!runs)
    return runs.error();
  // Held until this function returns: nobody takes the new folder for a dead one before its own
  // lock is held.
  auto const turn = take_lock(runs->get(), O_CREAT, 0);
  if (!turn)
    return unusable(runs_path / lock_name, errno_text(errno));
  remove_dead_runs(runs->get());

  auto const own_name = folder_name(name);
  auto const own_path = runs_path / own_name;
  if (::mkdirat(runs->get(), own_name.c_str(), S_IRWXU) != 0)
    return unusable(own_path, errno_text(errno));
  auto own = open_folder(runs->get(), own_name.c_str());
  auto lock = own ? take_lock(own.get(), O_CREAT | O_EXCL, LOCK_NB) : unique_fd{};
  if (!lock) {
    auto const number = errno;
    remove_tree(runs->get(), own_name.c_str());
    return unusable(own_path, errno_text(number));
  }
  return run_directory{own_path, std::move(*runs), std::move(own), std::move(lock)};
}

run_directory::run_directory(fs::path path, unique_fd runs, unique_fd own, unique_fd lock) noexcept
    : path_{std::move(path)}
    , runs_{std::move(runs)}
    , own_{std::move(own)}
    , lock_{std::move(lock)} {}

run_directory& run_directory::operator=(run_directory&& other) noexcept {
  remove();
  path_ = std::move(other.path_);
  runs_ = std::move(other.runs_);
  own_ = std::move(other.own_);
  lock_ = std::move(other.lock_);
  return *this;
}

run_directory::~run_directory() {
  remove();
}

void run_directory::remove_file(std::string const& name) const noexcept {
  ::unlinkat(own_.get(), name.c_str(), 0);
}

void run_directory::remove() noexcept {
  if (runs_)
    remove_tree(runs_.get(), path_.filename().c_str());
}

result<fs::path> run_directory::write_file(std::string_view name, std::string_view content) const {
  return write_new_file(own_.get(), path_, name, content, S_IRUSR);
}

result<fs::path> run_directory::write_folder(
    std::string_view name,
    std::vector<std::pair<std::string_view, std::string_view>> const& files) const {
  auto const plain = std::string{name};
  auto const path = path_ / plain;
  if (!is_file_name(name))
    return unusable(path, "not a plain file name");
  constexpr mode_t for_all = S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH;
  if (::mkdirat(own_.get(), plain.c_str(), for_all) != 0)
    return unusable(path, errno_text(errno));
  auto const folder = open_folder(own_.get(), plain.c_str());
  if (!folder || ::fchmod(folder.get(), for_all) != 0) // whatever the umask is
    return unusable(path, errno_text(errno));
  for (auto const& [file, content] : files)
    if (auto const written =
            write_new_file(folder.get(), path, file, content, S_IRUSR | S_IRGRP | S_IROTH);
        !written)
      return written.error();
  return path;
}

} // namespace bulkhead::platform
