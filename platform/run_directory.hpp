#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bulkhead::platform {

/// Opens the state directory, and creates it, with missing parents, where there is none. It must be
/// a real directory that belongs to this user, is closed to all others (0700) and is writable; else
/// state_dir_unusable, with what to do about it. May be called by any thread.
result<unique_fd> open_state_directory(std::filesystem::path const& path);

/// The same for a folder of a host's inside the state directory. Where root has given it to the
/// host's uid in an earlier run it is taken back.
result<unique_fd> open_host_folder(std::filesystem::path const& path);

/// A folder of one runtime's own inside the state directory, for its sockets and the files that its
/// hosts run; removed with all it holds by the destructor. Creating one first removes what runtimes
/// left behind that are gone: a lock that the kernel releases with its process tells the living
/// from the dead, never a process number. Not thread-safe.
class run_directory {
public:
  /// Creates `STATE_DIR/run/NAME-PID-RANDOM`; of `name` what a file name should hold, and little of
  /// it, as a socket's path is short. Fails with state_dir_unusable.
  static result<run_directory> create(std::filesystem::path const& state_dir,
                                      std::string_view name);

  run_directory(run_directory&&) noexcept = default;
  run_directory& operator=(run_directory&&) noexcept;
  ~run_directory();

  /// Absolute.
  std::filesystem::path const& path() const noexcept { return path_; }

  /// Writes a new file that only its owner can read (0400) and returns its path. `name` is a plain
  /// file name that is not yet there. Fails with state_dir_unusable.
  result<std::filesystem::path> write_file(std::string_view name, std::string_view content) const;

  /// Makes a new folder whose files everybody may read who can get there, and returns its path.
  /// Fails with state_dir_unusable.
  result<std::filesystem::path>
  write_folder(std::string_view name,
               std::vector<std::pair<std::string_view, std::string_view>> const& files) const;

  /// Removes a file or a socket by its plain name; one that is not there is no failure.
  void remove_file(std::string const& name) const noexcept;

private:
  run_directory(std::filesystem::path path, unique_fd runs, unique_fd own, unique_fd lock) noexcept;
  void remove() noexcept;

  std::filesystem::path path_;
  unique_fd runs_; ///< the folder of all runtimes' folders
  unique_fd own_;
  unique_fd lock_; ///< held as long as this runtime lives
};

} // namespace bulkhead::platform
