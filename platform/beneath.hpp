#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace bulkhead::platform {

/// How names are looked up below a folder.
enum class resolver {
  /// openat2 (Linux 5.6) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS, in one system call: a
  /// symbolic link that stays below the folder is followed, one that leaves it is refused, and so
  /// is one with an absolute target. Where there is no openat2, it is the walk.
  openat2,
  /// One component after the other with O_NOFOLLOW. Stricter: any symbolic link is refused. For
  /// kernels without openat2 and for seccomp filters that deny it.
  walk,
};

/// What resolver::openat2 is with this kernel and this thread's seccomp filter. Thread-safe.
resolver kernel_resolver() noexcept;

/// A file or folder that was found, held by its descriptor: what is then done is done to this
/// object, whatever happens to its name in between.
struct located {
  unique_fd fd;         ///< O_PATH: neither read nor written, so that no FIFO or device is touched
  std::string relative; ///< its real path below the policy's folder; empty for that folder itself
};

/// A name inside a folder that was found, for what creates, replaces, renames or deletes. There may
/// be nothing of that name; what there is is not followed where it is a symbolic link.
struct place {
  located parent;
  std::string name; ///< one component, neither `.` nor `..`

  /// The real path of the parent, and the name.
  std::string relative() const;
};

/// A folder that the policy names, and the way to what is below it. No name, symbolic link or
/// racing rename leads out of it. All functions block for as long as the file system does, and may
/// be called by several threads at once.
class folder {
public:
  /// Follows symbolic links, as the policy's author chose the path. Fails with file_not_found,
  /// file_not_a_directory or file_unavailable.
  static result<folder> open(std::filesystem::path const& path, resolver how = resolver::openat2);

  /// Absolute and without symbolic links, as it was when the folder was opened. If the folder is
  /// moved afterwards, nothing below it is found any more (path_denied).
  std::string const& real_path() const noexcept { return real_path_; }

  /// Finds what `relative` names; the empty name is the folder itself. `//`, `.` and a slash at the
  /// end mean nothing. Fails with
  /// - path_denied: an absolute name, one with `..` in it, or a symbolic link that leaves the
  /// folder
  ///   (with resolver::walk: any), or the object was moved out of the folder meanwhile;
  /// - file_not_found: also where it was deleted meanwhile;
  /// - file_not_a_directory: something on the way is none;
  /// - invalid_payload: a name that no file can have (NUL, 4096 bytes or more);
  /// - file_unavailable: anything else, such as a system without /proc.
  result<located> locate(std::string_view relative) const;

  /// Finds the folder in which the last component of `relative` is or would be. Fails as locate
  /// does, and with path_denied where `relative` has no component.
  result<place> locate_parent(std::string_view relative) const;

private:
  folder(unique_fd fd, std::string real_path, resolver how) noexcept;
  result<located> locate(std::string const& clean, int flags) const;

  unique_fd fd_;
  std::string real_path_;
  resolver how_;
};

/// The absolute path that an open object has now, from /proc/self/fd. file_not_found where it was
/// deleted, file_unavailable where /proc is not mounted. Thread-safe.
result<std::string> real_path_of(int fd);

/// Where /proc shows the object behind a descriptor, for the system calls that take paths only.
std::string proc_path(int fd);

/// resolver::walk from any folder: opens with O_PATH and `flags`, and fails as folder::locate.
/// `clean` consists of plain components with one slash between; empty is the folder itself.
result<unique_fd> walk_beneath(int folder, std::string_view clean, int flags = 0);

} // namespace bulkhead::platform
