#include <bulkhead/platform/watched_tree.hpp>

#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/platform/atomic_file.hpp>
#include <bulkhead/platform/file_error.hpp>
#include <bulkhead/platform/file_tree.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

using wire::utf8_length;
using kind = change::kind;

constexpr std::uint32_t appears = IN_CREATE | IN_MOVED_TO;
constexpr std::uint32_t disappears = IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t changes_itself = IN_MODIFY | IN_ATTRIB;
constexpr std::uint32_t ends_itself = IN_DELETE_SELF | IN_MOVE_SELF;
/// IN_MASK_ADD: through bind mounts one folder can be met twice, and in two roles.
constexpr std::uint32_t watched_events =
    appears | disappears | changes_itself | ends_itself | IN_EXCL_UNLINK | IN_MASK_ADD;
/// What can happen to a folder as seen from its parent. The folder's own IN_DELETE_SELF comes only
/// when nobody has it open any more, and we have.
constexpr std::uint32_t parent_events = disappears | IN_MOVED_TO | IN_ONLYDIR | IN_MASK_ADD;

/// Reading many more entries than there are source files in large projects would hold up others.
constexpr tree_limits watch_limits{.max_entries = 200'000};
constexpr std::size_t bytes_per_read = 16 * 1024;

/// UTF-8 without control characters.
bool is_telling(std::string_view name) noexcept {
  while (!name.empty()) {
    auto const first = static_cast<unsigned char>(name.front());
    auto const is_plain = first >= 0x20 && first < 0x7F;
    auto const length = is_plain ? 1 : utf8_length(name);
    if (length == 0)
      return false;
    name.remove_prefix(length);
  }
  return true;
}

std::string joined(std::string_view folder, std::string_view name) {
  auto path = std::string{folder};
  if (!folder.empty() && !name.empty())
    path += '/';
  return path.append(name);
}

error limit_of_kernel() {
  return error{errc::limit_exceeded, "the system's limit on what one user may watch is reached",
               "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances"};
}

/// -1 with errno set where it can't be watched.
int add_watch(int queue, int fd, std::uint32_t events) {
  return ::inotify_add_watch(queue, proc_path(fd).c_str(), events);
}

} // namespace

/// The changes of one call: without repetitions, and bounded.
class watched_tree::batch {
public:
  void add(kind what, std::string relative) {
    auto const [last, is_first] = last_.try_emplace(relative, what);
    auto const repeats =
        last->second == what || (last->second == kind::created && what == kind::changed);
    if (!is_first && repeats)
      return;
    if (changes_.size() == max_changes) {
      overflown = true;
      return;
    }
    last->second = what;
    changes_.push_back({what, std::move(relative)});
  }

  std::vector<change> take() { return std::move(changes_); }
  void append(kind what, std::string relative) { changes_.push_back({what, std::move(relative)}); }

  bool overflown = false;
  bool top_touched = false; ///< something happened that may have been the end of the watched object
  bool top_lost = false;

private:
  std::vector<change> changes_;
  std::unordered_map<std::string, kind> last_; ///< of each path
};

watched_tree::watched_tree(watch_options options, unique_fd queue, unique_fd top, std::string path,
                           std::string relative) noexcept
    : options_{std::move(options)}
    , queue_{std::move(queue)}
    , top_{std::move(top)}
    , top_path_{std::move(path)}
    , top_relative_{std::move(relative)} {}

result<watched_tree> watched_tree::open(located const& object, watch_options options) {
  unique_fd queue{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  if (!queue)
    return errno == EMFILE ? limit_of_kernel() : file_error(errno);
  auto top = duplicate(object.fd.get(), 0);
  if (!top)
    return file_error(errno);
  auto path = real_path_of(top.get());
  if (!path)
    return path.error();
  watched_tree tree{std::move(options), std::move(queue), std::move(top), std::move(*path),
                    object.relative};
  if (auto watched = tree.watch_top(); !watched)
    return watched.error();
  return tree;
}

result<void> watched_tree::watch_top() {
  struct stat seen;
  if (::fstat(top_.get(), &seen) != 0)
    return file_error(errno);
  if (auto watched = watch_folder(top_.get(), {}); !watched)
    return watched;
  top_watch_ = watched_.begin()->first;
  if (S_ISDIR(seen.st_mode))
    watch_parent();
  // Whatever happened before it was watched.
  if (!is_still_there())
    return error{errc::file_not_found};
  if (S_ISDIR(seen.st_mode) && options_.recursive)
    return watch_below(top_.get(), {}, nullptr);
  return {};
}

/// Where the parent can't be read, the end of the folder is told when nobody has it open any more.
void watched_tree::watch_parent() {
  unique_fd const parent{::openat(top_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  struct stat own;
  struct stat above;
  if (!parent || ::fstat(parent.get(), &above) != 0 || ::fstat(top_.get(), &own) != 0)
    return;
  auto const is_root = own.st_dev == above.st_dev && own.st_ino == above.st_ino;
  if (!is_root)
    parent_watch_ = add_watch(queue_.get(), parent.get(), parent_events);
}

result<void> watched_tree::watch_folder(int fd, std::string const& below) {
  auto const watch = add_watch(queue_.get(), fd, watched_events);
  if (watch < 0)
    return errno == ENOSPC ? limit_of_kernel() : file_error(errno);
  if (!watched_.contains(watch) && watched_.size() >= options_.max_watches) {
    ::inotify_rm_watch(queue_.get(), watch);
    return error{errc::limit_exceeded, "more than " + std::to_string(options_.max_watches) +
                                           " folders would have to be watched"};
  }
  watched_[watch] = below;
  return {};
}

/// Each folder is watched before it is read, so that nothing in it goes unseen.
result<void> watched_tree::watch_below(int fd, std::string const& below, batch* found) {
  auto walk = tree_walk::begin(fd, watch_limits);
  if (!walk)
    return walk.error();
  for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
    auto const& name = walk->name();
    if (step == tree_walk::step::left || !is_telling(name) || is_hidden_name(name))
      continue;
    auto const path = joined(below, walk->relative());
    if (found)
      found->add(kind::created, relative_of(path));
    if (walk->type() != file_type::directory ||
        (options_.enter && !options_.enter(relative_of(path))))
      continue;
    auto watched = [&]() -> result<void> {
      auto const folder = open_folder(walk->folder(), name);
      if (!folder)
        return folder.error();
      if (auto added = watch_folder(folder->get(), path); !added)
        return added;
      return walk->enter();
    }();
    // Renamed or deleted meanwhile, a mount or not for us to read: not part of the tree.
    if (!watched && watched.error().code() == errc::limit_exceeded)
      return watched;
  }
  return {};
}

void watched_tree::watch_appeared(std::string const& below, batch& changes) {
  if (options_.enter && !options_.enter(relative_of(below)))
    return;
  auto const folder = walk_beneath(top_.get(), below, O_DIRECTORY);
  if (!folder)
    return; // it has gone again, which is told as well
  auto watched = watch_folder(folder->get(), below);
  if (watched)
    watched = watch_below(folder->get(), below, &changes);
  if (!watched && watched.error().code() == errc::limit_exceeded)
    changes.overflown = true;
}

void watched_tree::forget_below(std::string const& below) {
  auto const prefix = below + '/';
  std::erase_if(watched_, [&](auto const& entry) {
    auto const& [watch, path] = entry;
    auto const is_below = path == below || path.starts_with(prefix);
    if (is_below)
      ::inotify_rm_watch(queue_.get(), watch);
    return is_below;
  });
}

std::vector<change> watched_tree::read_changes() {
  batch changes;
  alignas(inotify_event) std::array<char, bytes_per_read> buffer;
  auto const size = ended_ ? 0 : ::read(queue_.get(), buffer.data(), buffer.size());
  auto bytes =
      std::string_view{buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  while (bytes.size() >= sizeof(inotify_event)) {
    inotify_event event;
    std::memcpy(&event, bytes.data(), sizeof event);
    bytes.remove_prefix(sizeof event);
    auto const padded = bytes.substr(0, event.len);
    bytes.remove_prefix(padded.size());
    take(event, padded.substr(0, padded.find('\0')), changes);
  }
  if (changes.overflown && options_.recursive)
    // Folders whose appearance was missed; what can't be watched is covered by the overflow.
    static_cast<void>(watch_below(top_.get(), {}, nullptr));
  if (changes.overflown)
    changes.append(kind::overflow, top_relative_);
  if (changes.top_lost || (changes.top_touched && !is_still_there())) {
    ended_ = true;
    changes.append(kind::gone, top_relative_);
  }
  return changes.take();
}

void watched_tree::take(inotify_event const& event, std::string_view name, batch& changes) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    // The end of the watched object may be among what is missing.
    changes.overflown = changes.top_touched = true;
    return;
  }
  if (event.wd == parent_watch_ && name == top_name())
    changes.top_touched = true;
  auto const known = watched_.find(event.wd);
  if (known == watched_.end())
    return;
  auto const folder = known->second;
  auto const is_top = event.wd == top_watch_;
  if ((event.mask & (IN_IGNORED | IN_UNMOUNT)) != 0) {
    watched_.erase(known);
    changes.top_lost |= is_top;
  } else if (!name.empty()) {
    take_named(event, folder, name, changes);
  } else {
    changes.top_touched |= is_top;
    if ((event.mask & changes_itself) != 0)
      changes.add(kind::changed, relative_of(folder));
  }
}

void watched_tree::take_named(inotify_event const& event, std::string const& folder,
                              std::string_view name, batch& changes) {
  if (is_hidden_name(name))
    return;
  if (!is_telling(name)) {
    changes.add(kind::changed, relative_of(folder));
    return;
  }
  auto const path = joined(folder, name);
  auto const is_folder = (event.mask & IN_ISDIR) != 0;
  if ((event.mask & appears) != 0) {
    changes.add(kind::created, relative_of(path));
    if (is_folder && options_.recursive)
      watch_appeared(path, changes);
  } else if ((event.mask & disappears) != 0) {
    changes.add(kind::deleted, relative_of(path));
    if (is_folder)
      forget_below(path);
  } else if ((event.mask & changes_itself) != 0) {
    changes.add(kind::changed, relative_of(path));
  }
}

std::string_view watched_tree::top_name() const noexcept {
  return std::string_view{top_path_}.substr(top_path_.rfind('/') + 1);
}

bool watched_tree::is_still_there() const {
  auto const path = real_path_of(top_.get());
  return path && *path == top_path_;
}

std::string watched_tree::relative_of(std::string_view below) const {
  return joined(top_relative_, below);
}

} // namespace bulkhead::platform
