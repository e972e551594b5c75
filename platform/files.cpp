#include <bulkhead/platform/files.hpp>

#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/file_error.hpp>
#include <bulkhead/platform/regular_file.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

constexpr std::size_t read_step = 64 * 1024;

error too_large(std::size_t max_bytes) {
  return error{errc::file_too_large,
               "the file is longer than " + std::to_string(max_bytes) + " bytes"};
}

/// What a name is, itself; empty where there is nothing.
result<std::optional<file_type>> type_at(place const& where) {
  struct stat seen;
  if (::fstatat(where.parent.fd.get(), where.name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0)
    return std::optional{type_of(seen.st_mode)};
  if (errno == ENOENT)
    return std::optional<file_type>{};
  return file_error(errno);
}

result<void> remove_name(int folder, std::string const& name, int flags) {
  if (::unlinkat(folder, name.c_str(), flags) != 0 && errno != ENOENT)
    return file_error(errno);
  return {};
}

/// Asks about every entry below, before anything is done to one of them.
result<void> check_below(int folder, entry_check const& allowed) {
  if (!allowed)
    return {};
  auto walk = tree_walk::begin(folder);
  if (!walk)
    return walk.error();
  for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
    if (step == tree_walk::step::left)
      continue;
    if (!allowed(walk->relative(), walk->type()))
      return error{errc::path_denied, "something below the folder must not be touched"};
    if (walk->type() == file_type::directory)
      if (auto entered = walk->enter(); !entered && entered.error().code() != errc::file_not_found)
        return entered;
  }
  return {};
}

/// Measures it first, so that a tree beyond the limits stays whole.
result<void> remove_below(int folder, entry_check const& allowed) {
  auto const any = [](std::string_view, file_type) { return true; };
  if (auto checked = check_below(folder, allowed ? allowed : any); !checked)
    return checked;
  auto walk = tree_walk::begin(folder);
  if (!walk)
    return walk.error();
  for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
    result<void> done;
    if (step == tree_walk::step::left) {
      done = remove_name(walk->folder(), walk->name(), AT_REMOVEDIR);
    } else if (allowed && !allowed(walk->relative(), walk->type())) {
      done = error{errc::path_denied, "something below the folder must not be touched"};
    } else if (walk->type() != file_type::directory) {
      done = remove_name(walk->folder(), walk->name(), 0);
    } else {
      done = walk->enter();
      if (!done && done.error().code() == errc::file_not_found)
        done = {};
    }
    if (!done)
      return done;
  }
  return {};
}

} // namespace

result<file_status> status_of(located const& object) {
  struct stat seen;
  if (::fstat(object.fd.get(), &seen) != 0)
    return file_error(errno);
  return file_status{type_of(seen.st_mode), static_cast<std::uint64_t>(seen.st_size),
                     std::int64_t{seen.st_mtim.tv_sec} * 1000 + seen.st_mtim.tv_nsec / 1'000'000,
                     std::uint64_t{seen.st_nlink}};
}

result<shared_bytes> read_file(located const& object, std::size_t max_bytes) {
  auto const file = open_regular(object.fd.get());
  if (!file)
    return file.error();
  struct stat seen;
  if (::fstat(file->get(), &seen) != 0)
    return file_error(errno);
  auto const expected = static_cast<std::size_t>(seen.st_size);
  if (expected > max_bytes)
    return too_large(max_bytes);
  // One byte more than there should be, so that the end is seen without another step.
  auto capacity = expected + 1;
  auto content = std::make_unique_for_overwrite<char[]>(capacity);
  for (std::size_t size = 0;;) {
    auto const got = ::read(file->get(), content.get() + size, capacity - size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return file_error(errno);
    size += static_cast<std::size_t>(got);
    if (size > max_bytes)
      return too_large(max_bytes);
    if (got == 0) {
      std::string_view const all{content.get(), size};
      return shared_bytes{std::shared_ptr<char[]>{std::move(content)}, all};
    }
    if (size == capacity) {
      capacity += std::min(std::max(read_step, size), max_bytes - size + 1);
      auto larger = std::make_unique_for_overwrite<char[]>(capacity);
      std::copy_n(content.get(), size, larger.get());
      content = std::move(larger);
    }
  }
}

result<shared_bytes> read_next(int file, std::size_t most) {
  std::shared_ptr<char[]> const content = std::make_unique_for_overwrite<char[]>(most);
  std::size_t size = 0;
  while (size < most) {
    auto const got = ::read(file, content.get() + size, most - size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return file_error(errno);
    if (got == 0)
      break;
    size += static_cast<std::size_t>(got);
  }
  return shared_bytes{content, {content.get(), size}};
}

result<std::vector<directory_entry>> read_directory(located const& object,
                                                    std::size_t max_entries) {
  auto entries = entries_of(object.fd.get(), max_entries);
  if (entries)
    std::erase_if(*entries, [](auto const& entry) { return is_hidden_name(entry.name); });
  return entries;
}

result<void> write_file(place const& target, std::string_view bytes, write_options options) {
  auto file = atomic_file::begin(target, options);
  if (!file)
    return file.error();
  if (auto written = file->write(bytes); !written)
    return written;
  return file->commit();
}

result<void> create_directory(place const& target) {
  if (auto valid = check_entry_name(target.name); !valid)
    return valid;
  constexpr mode_t mode = S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH;
  if (is_refused(fault_point::disk_write) ||
      ::mkdirat(target.parent.fd.get(), target.name.c_str(), mode) != 0)
    return file_error(errno);
  return {};
}

result<void> remove_entry(place const& target, bool recursive, entry_check const& allowed) {
  if (auto valid = check_entry_name(target.name); !valid)
    return valid;
  auto const type = type_at(target);
  if (!type)
    return type.error();
  if (!*type)
    return error{errc::file_not_found};
  auto const is_folder = **type == file_type::directory;
  auto const parent = target.parent.fd.get();
  if (is_folder && recursive) {
    auto const folder = open_folder(parent, target.name);
    if (!folder)
      return folder.error();
    if (auto removed = remove_below(folder->get(), allowed); !removed)
      return removed;
  }
  if (::unlinkat(parent, target.name.c_str(), is_folder ? AT_REMOVEDIR : 0) != 0)
    return file_error(errno);
  return {};
}

result<void> rename_entry(place const& from, place const& to, bool overwrite,
                          entry_check const& allowed) {
  if (auto valid = check_entry_name(from.name); !valid)
    return valid;
  auto const type = type_at(from);
  if (!type)
    return type.error();
  if (!*type)
    return error{errc::file_not_found};
  auto const is_folder = **type == file_type::directory;
  auto const replaced = open_replaceable(to, overwrite);
  auto const is_over_folder =
      !replaced && replaced.error().code() == errc::file_is_a_directory && is_folder;
  if (!replaced && !is_over_folder)
    return replaced.error();
  if (is_folder && allowed) {
    auto const folder = open_folder(from.parent.fd.get(), from.name);
    if (!folder)
      return folder.error();
    if (auto checked = check_below(folder->get(), allowed); !checked)
      return checked;
  }
  return move_entry(from.parent.fd.get(), from.name, to.parent.fd.get(), to.name, overwrite);
}

result<std::uint64_t> tree_size(located const& object) {
  auto walk = tree_walk::begin(object.fd.get());
  if (!walk)
    return walk.error();
  std::uint64_t bytes = 0;
  for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
    if (step == tree_walk::step::left)
      continue;
    struct stat seen;
    if (walk->type() == file_type::file &&
        ::fstatat(walk->folder(), walk->name().c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0)
      bytes += static_cast<std::uint64_t>(seen.st_size);
    if (walk->type() != file_type::directory)
      continue;
    auto const entered = walk->enter();
    if (!entered && entered.error().code() != errc::file_not_found &&
        entered.error().code() != errc::path_denied)
      return entered.error();
  }
  return bytes;
}

result<std::uint64_t> size_of(located const& object) {
  auto const status = status_of(object);
  if (!status)
    return status.error();
  if (status->type == file_type::directory)
    return tree_size(object);
  return status->type == file_type::file ? status->size : 0;
}

result<found_files> find_files(located const& object, file_search const& search,
                               std::stop_token stop) {
  found_files found;
  auto walk = tree_walk::begin(object.fd.get(), {.max_entries = search.max_visited});
  if (!walk && walk.error().code() == errc::limit_exceeded)
    return found_files{{}, false};
  if (!walk)
    return walk.error();
  auto const prefix = object.relative.empty() ? std::string{} : object.relative + '/';
  for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
    if (stop.stop_requested()) {
      found.complete = false;
      return found;
    }
    if (step == tree_walk::step::left)
      continue;
    auto relative = prefix + walk->relative();
    if (walk->type() == file_type::directory && (!search.enter || search.enter(relative))) {
      auto const entered = walk->enter();
      // What vanished is not there, and another file system is not asked for.
      if (!entered && entered.error().code() != errc::file_not_found &&
          entered.error().code() != errc::path_denied)
        found.complete = false;
    } else if (walk->type() == file_type::file && !is_hidden_name(walk->name()) &&
               (!search.take || search.take(relative))) {
      if (found.files.size() == search.max_results) {
        found.complete = false;
        return found;
      }
      found.files.push_back(std::move(relative));
    }
  }
  return found;
}

} // namespace bulkhead::platform
