#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct inotify_event;

namespace bulkhead::platform {

/// What happened to a file or folder that is watched.
struct change {
  enum class kind {
    created, ///< the name appeared, also where it replaced another of that name
    changed, ///< its content, its permissions or its times; of a folder, also see below
    deleted, ///< the name is gone, also because it was moved away
    /// Some changes are missing: more came than the kernel or a call of the sink holds, or a new
    /// folder could not be watched. Whoever cares looks at everything anew.
    overflow,
    gone, ///< what is watched was deleted, moved or unmounted: nothing more will come
  };

  kind what;
  /// Below the policy's folder; for overflow and gone, that of what is watched.
  std::string relative;

  friend bool operator==(change const&, change const&) = default;
};

struct watch_options {
  bool recursive = false; ///< also what is below the folders in it, now and later
  /// Folders watched by one tree. The kernel bounds what all of a user's programs watch; 8192 is
  /// the least that it allows by default, so one watch takes an eighth of that at most.
  std::size_t max_watches = 1024;
  /// Whether to look into a folder (relative to the policy's); all where it is empty. Must not
  /// throw.
  std::function<bool(std::string_view relative)> enter{};
};

/// A file or folder under inotify: the check that allowed it and the watch are of one object. Not
/// thread-safe.
///
/// A name that is not UTF-8 or holds control characters is not told: its folder is `changed`
/// instead, and a folder of such a name is not looked into. Files in the making are left out.
/// What is in a folder that appears while it is watched recursively may be told twice as created.
class watched_tree {
public:
  /// Most changes of one read_changes; what comes on top is told as one overflow.
  static constexpr std::size_t max_changes = 1024;

  /// Blocks while folders are read. Fails with limit_exceeded (max_watches, tree_limits or the
  /// kernel's own limits), file_not_found or file_unavailable.
  static result<watched_tree> open(located const& object, watch_options options = {});

  /// The watched object's path below the policy's folder.
  std::string const& relative() const noexcept { return top_relative_; }

  /// Becomes readable when there are changes.
  int queue() const noexcept { return queue_.get(); }

  /// What happened, in its order and each change once; nothing where the queue is empty. A folder
  /// that appeared is read, so it can block for as long as the file system does.
  std::vector<change> read_changes();

  /// Whether `gone` was told.
  bool ended() const noexcept { return ended_; }

private:
  class batch;

  watched_tree(watch_options options, unique_fd queue, unique_fd top, std::string path,
               std::string relative) noexcept;

  result<void> watch_top();
  void watch_parent();
  result<void> watch_folder(int fd, std::string const& below);
  result<void> watch_below(int fd, std::string const& below, batch* found);
  void watch_appeared(std::string const& below, batch& changes);
  void forget_below(std::string const& below);

  void take(inotify_event const& event, std::string_view name, batch& changes);
  void take_named(inotify_event const& event, std::string const& folder, std::string_view name,
                  batch& changes);
  std::string_view top_name() const noexcept;
  bool is_still_there() const;
  std::string relative_of(std::string_view below) const;

  watch_options options_;
  unique_fd queue_;
  unique_fd top_;
  std::string top_path_;     ///< absolute
  std::string top_relative_; ///< below the policy's folder
  int top_watch_ = -1;
  int parent_watch_ = -1;
  /// By watch descriptor: the path below the top, which is the empty one itself.
  std::unordered_map<int, std::string> watched_;
  bool ended_ = false;
};

} // namespace bulkhead::platform
