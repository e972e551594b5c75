#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace bulkhead::platform {

/// What an entry of a folder is; a symbolic link is never looked through.
enum class file_type { file, directory, symlink, other };

/// The file type of a mode as fstat gives it.
file_type type_of(mode_t mode) noexcept;

/// One name in a folder, byte for byte as the file system has it: it need not be UTF-8.
struct directory_entry {
  std::string name;
  file_type type;

  friend bool operator==(directory_entry const&, directory_entry const&) = default;
};

/// How far a walk goes.
struct tree_limits {
  /// Folders inside each other. A descriptor is open for each of them; real trees stay below 40.
  std::size_t max_depth = 100;
  /// Entries altogether: several times what the largest source trees hold, and tens of MB of names.
  std::size_t max_entries = 1'000'000;
};

/// Opens a folder by its name for reading, never through a symbolic link. Fails with
/// file_not_found, path_denied (a link), file_not_a_directory or file_unavailable.
result<unique_fd> open_folder(int parent, std::string const& name);

/// All entries of a folder but `.` and `..`, sorted by name. Takes any descriptor of a folder.
/// Fails with file_too_large where there are more than `max_entries`, file_not_a_directory or
/// file_unavailable.
result<std::vector<directory_entry>> entries_of(int folder, std::size_t max_entries);

/// Visits what is below a folder, depth first and in the order of names, by descriptors only: it
/// follows no symbolic link and leaves no file system, whatever is renamed meanwhile. It descends
/// only where it is told to. Not thread-safe; blocks.
class tree_walk {
public:
  enum class step {
    met,  ///< an entry, which may now be entered
    left, ///< a folder that was entered; everything below it has been visited
    done, ///< nothing is left to visit
  };

  /// Begins at a folder, of which any descriptor will do. Fails as entries_of does; limit_exceeded
  /// where it alone has too many entries.
  static result<tree_walk> begin(int top, tree_limits limits = {});

  step next();

  /// Descends into the folder that was just met. Fails with
  /// - file_not_found: it was deleted or replaced meanwhile;
  /// - path_denied: another file system is mounted there;
  /// - limit_exceeded: one of tree_limits;
  /// - file_unavailable: anything else.
  result<void> enter();

  /// Of the last step: the name in its folder, and what it was when the folder was read.
  std::string const& name() const noexcept { return current_.name; }
  file_type type() const noexcept { return current_.type; }
  /// The path below the folder where the walk began.
  std::string relative() const { return levels_.back().prefix + current_.name; }
  /// The folder that holds it, open for reading.
  int folder() const noexcept { return levels_.back().fd.get(); }

private:
  struct level {
    unique_fd fd;
    std::string name;
    std::string prefix; ///< the relative path with a slash at its end; empty at the top
    std::vector<directory_entry> entries;
    std::size_t next = 0;
  };

  tree_walk(tree_limits limits, dev_t device) noexcept;
  result<void> descend(unique_fd fd, std::string name, std::string prefix);

  tree_limits limits_;
  dev_t device_;
  std::size_t entries_ = 0;
  std::vector<level> levels_;
  directory_entry current_{{}, file_type::directory};
};

} // namespace bulkhead::platform
