#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <string>
#include <string_view>
#include <sys/types.h>

namespace bulkhead::platform {

/// What may happen to the name that is written.
struct write_options {
  bool create = true;    ///< else file_not_found where there is nothing
  bool overwrite = true; ///< else file_exists where there is something
};

/// A file that appears under its name complete or not at all: it is written under a hidden name in
/// the same folder, flushed, and renamed. Who reads the name sees the old content or the new one,
/// and after a crash it is one of the two. Unless committed, the destructor removes what was
/// written. Not thread-safe; blocks.
///
/// A file that is replaced keeps its owner, its group and its permission bits, never setuid, setgid
/// or sticky; access control lists and extended attributes are not kept. What takes the name
/// between the checks and the commit loses it and is not written to, whatever it is.
class atomic_file {
public:
  /// `target` must outlive it. A new file gets `mode` as far as the umask lets it; the default is
  /// what editors take. Fails with
  /// - invalid_payload: a name that no file can have;
  /// - file_not_found, file_exists: as the options say;
  /// - path_denied: the name is a symbolic link, or a file with other hard links, which may lie
  ///   outside. To write what an inner link names, locate the link and write to the place of its
  ///   `relative`;
  /// - file_is_a_directory; file_unsupported: a FIFO, a device or a socket;
  /// - file_unavailable: also where this process could not write the present file in place, or not
  ///   keep its owner.
  static result<atomic_file> begin(place const& target, write_options options, mode_t mode = 0644);

  atomic_file(atomic_file&& other) noexcept;
  atomic_file& operator=(atomic_file&&) = delete;
  ~atomic_file();

  /// Appends. Fails with file_too_large (the process's file size limit) or file_unavailable.
  result<void> write(std::string_view bytes);

  /// Flushes to the disk and gives the file its name; once. Fails with file_exists where it was not
  /// to be replaced and appeared meanwhile, or as write does.
  result<void> commit();

private:
  atomic_file(place const& target, std::string hidden_name, unique_fd fd, bool overwrite) noexcept;

  place const* target_;
  std::string hidden_name_; ///< empty once committed
  unique_fd fd_;
  bool overwrite_;
};

/// Whether a name is one of those under which files are written before they appear. They are left
/// behind only by a crash.
bool is_hidden_name(std::string_view name) noexcept;

/// A hidden name that nobody can guess.
std::string make_hidden_name();

/// Whether `name` can name an entry of a folder: neither empty, `.` nor `..`, and without a slash
/// or NUL. Else invalid_payload.
result<void> check_entry_name(std::string_view name);

/// What is at a place and may be replaced, as a descriptor (O_PATH); an empty one where nothing is.
/// Fails as atomic_file::begin.
result<unique_fd> open_replaceable(place const& target, bool overwrite);

/// Writes all of it where the descriptor's position is.
result<void> write_all(int file, std::string_view bytes);

/// Renames. Nothing that is there is replaced without `overwrite` (file_exists). A folder that is
/// moved into itself: invalid_payload. Links are moved, not followed.
result<void> move_entry(int from_folder, std::string const& from, int to_folder,
                        std::string const& to, bool overwrite);

} // namespace bulkhead::platform
