#include <bulkhead/platform/file_tree.hpp>

#include <bulkhead/platform/file_error.hpp>

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <utility>

namespace bulkhead::platform {
namespace {

/// The type that the folder itself records; not all file systems do.
std::optional<file_type> recorded_type(unsigned char recorded) noexcept {
  return recorded == DT_UNKNOWN ? std::nullopt
                                : std::optional{type_of(static_cast<mode_t>(DTTOIF(recorded)))};
}

std::optional<file_type> looked_up_type(int folder, char const* name) noexcept {
  struct stat seen;
  if (::fstatat(folder, name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
    return std::nullopt;
  return type_of(seen.st_mode);
}

} // namespace

file_type type_of(mode_t mode) noexcept {
  if (S_ISREG(mode))
    return file_type::file;
  if (S_ISDIR(mode))
    return file_type::directory;
  return S_ISLNK(mode) ? file_type::symlink : file_type::other;
}

result<unique_fd> open_folder(int parent, std::string const& name) {
  // Not O_NOFOLLOW with O_DIRECTORY alone: that calls a symbolic link no directory.
  unique_fd const seen{::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  struct stat status;
  if (!seen || ::fstat(seen.get(), &status) != 0)
    return file_error(errno);
  if (!S_ISDIR(status.st_mode))
    return file_error(S_ISLNK(status.st_mode) ? ELOOP : ENOTDIR);
  unique_fd opened{::openat(seen.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!opened)
    return file_error(errno);
  return opened;
}

result<std::vector<directory_entry>> entries_of(int folder, std::size_t max_entries) {
  // A descriptor of its own: the stream closes it and moves its position.
  unique_fd own{::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::unique_ptr<DIR, int (*)(DIR*)> const stream{own ? ::fdopendir(own.get()) : nullptr,
                                                   &::closedir};
  if (!stream)
    return file_error(errno);
  own.release();
  std::vector<directory_entry> entries;
  for (;;) {
    errno = 0;
    auto const* const entry = ::readdir(stream.get());
    if (!entry && errno != 0)
      return file_error(errno);
    if (!entry)
      break;
    auto name = std::string{entry->d_name};
    if (name == "." || name == "..")
      continue;
    if (entries.size() == max_entries)
      return error{errc::file_too_large,
                   "the folder has more than " + std::to_string(max_entries) + " entries"};
    auto type = recorded_type(entry->d_type);
    if (!type)
      type = looked_up_type(folder, entry->d_name);
    if (type) // else it was deleted since
      entries.push_back({std::move(name), *type});
  }
  std::ranges::sort(entries, {}, &directory_entry::name);
  return entries;
}

tree_walk::tree_walk(tree_limits limits, dev_t device) noexcept
    : limits_{limits}
    , device_{device} {}

result<tree_walk> tree_walk::begin(int top, tree_limits limits) {
  unique_fd fd{::openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  struct stat seen;
  if (!fd || ::fstat(fd.get(), &seen) != 0)
    return file_error(errno);
  tree_walk walk{limits, seen.st_dev};
  if (auto begun = walk.descend(std::move(fd), {}, {}); !begun)
    return begun.error();
  return walk;
}

tree_walk::step tree_walk::next() {
  auto& here = levels_.back();
  if (here.next < here.entries.size()) {
    current_ = std::move(here.entries[here.next++]);
    return step::met;
  }
  if (levels_.size() == 1)
    return step::done;
  current_ = {std::move(here.name), file_type::directory};
  levels_.pop_back();
  return step::left;
}

result<void> tree_walk::enter() {
  if (levels_.size() == limits_.max_depth)
    return error{errc::limit_exceeded, "more than " + std::to_string(limits_.max_depth) +
                                           " folders are inside each other"};
  auto fd = open_folder(folder(), name());
  if (!fd) {
    auto const code = fd.error().code();
    auto const replaced = code == errc::path_denied || code == errc::file_not_a_directory;
    return replaced ? error{errc::file_not_found} : fd.error();
  }
  struct stat seen;
  if (::fstat(fd->get(), &seen) != 0)
    return file_error(errno);
  if (seen.st_dev != device_)
    return error{errc::path_denied, "another file system is mounted there"};
  return descend(std::move(*fd), name(), relative() + '/');
}

result<void> tree_walk::descend(unique_fd fd, std::string name, std::string prefix) {
  auto entries = entries_of(fd.get(), limits_.max_entries - entries_);
  if (!entries && entries.error().code() == errc::file_too_large) {
    entries_ = limits_.max_entries;
    return error{errc::limit_exceeded, "more than " + std::to_string(limits_.max_entries) +
                                           " files and folders are in it"};
  }
  if (!entries)
    return entries.error();
  entries_ += entries->size();
  levels_.push_back({std::move(fd), std::move(name), std::move(prefix), std::move(*entries)});
  return {};
}

} // namespace bulkhead::platform
