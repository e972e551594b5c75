#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/shared_bytes.hpp>
#include <bulkhead/platform/atomic_file.hpp>
#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/file_tree.hpp>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// What an extension may have done to files, on descriptors of objects that were found beneath a
/// folder. All of it blocks for as long as the file system does, so it runs on a thread pool; every
/// function may be called by several threads at once.
///
/// Beside the codes that a function names, each fails as file_errc says: file_unavailable for all
/// that the operating system refuses. No error's detail names a path.
namespace bulkhead::platform {

struct file_status {
  file_type type;
  std::uint64_t size;       ///< bytes
  std::int64_t modified_ms; ///< since the epoch of the system clock
  std::uint64_t links;      ///< names of the same inode
};

result<file_status> status_of(located const& object);

/// The content of a regular file, at most `max_bytes` (else file_too_large): also where it grows
/// while it is read or, as in /proc, says that it is empty. FIFOs, devices and sockets:
/// file_unsupported, and they are not opened. A folder: file_is_a_directory.
result<shared_bytes> read_file(located const& object, std::size_t max_bytes);

/// The next bytes of a file that open_regular opened, at most `most`: fewer at its end only, and
/// none behind it.
result<shared_bytes> read_next(int file, std::size_t most);

/// See entries_of; files in the making are left out.
result<std::vector<directory_entry>> read_directory(located const& object, std::size_t max_entries);

/// See atomic_file, also for how it fails.
result<void> write_file(place const& target, std::string_view bytes, write_options options = {});

/// With the permissions 0755 as far as the umask lets it. Fails with file_exists or
/// invalid_payload.
result<void> create_directory(place const& target);

/// Says whether a rule allows what is done to an entry somewhere below the folder that is moved,
/// copied or deleted as a whole; gets its path below that folder. Rules about the folder itself are
/// the caller's.
using entry_check = std::function<bool(std::string_view below, file_type type)>;

/// Deletes a name: a link itself and never what it names, a folder only if it is empty
/// (directory_not_empty) or all below it goes too. Nothing is deleted where `allowed` refuses any
/// entry (path_denied), and where the tree is larger than tree_limits (limit_exceeded); after
/// another failure some of it may be gone.
result<void> remove_entry(place const& target, bool recursive, entry_check const& allowed = {});

/// Renames a file or a folder with all it holds; a link itself and never what it names. `allowed`
/// as in remove_entry. What is replaced must be what atomic_file replaces, or an empty folder by a
/// folder. Between file systems: file_unavailable. A folder into itself: invalid_payload.
result<void> rename_entry(place const& from, place const& to, bool overwrite,
                          entry_check const& allowed = {});

/// Copies a file, or a folder with all it holds, so that it appears complete or not at all, with
/// its permissions as far as the umask lets it, and returns how many bytes were copied.
/// - A file replaces what atomic_file replaces; a folder replaces nothing (file_exists).
/// - More than `max_bytes` altogether: file_too_large. A tree beyond tree_limits: limit_exceeded.
/// - A link, FIFO, device or socket below: file_unsupported, as a copy without it would be none,
///   and a copied link might lead elsewhere. Files in the making are left out.
/// - `allowed` refuses an entry: path_denied.
/// A copied file is flushed to the disk as by atomic_file; what is in a copied folder is not.
result<std::uint64_t> copy_entry(located const& from, place const& to, bool overwrite,
                                 std::uint64_t max_bytes, entry_check const& allowed = {});

/// The bytes of all regular files below a folder, for a storage quota; a file with several names
/// counts once for each. Links are not followed, and other file systems not counted. Fails with
/// limit_exceeded beyond tree_limits.
result<std::uint64_t> tree_size(located const& object);

/// The bytes of a regular file; tree_size of a folder; 0 of anything else.
result<std::uint64_t> size_of(located const& object);

/// What to look for, with paths relative to the policy's folder.
struct file_search {
  /// Whether to look into a folder; all where it is empty.
  std::function<bool(std::string_view relative)> enter{};
  /// Whether to list a regular file; all where it is empty.
  std::function<bool(std::string_view relative)> take{};
  std::size_t max_results = 10'000;
  std::size_t max_visited = 1'000'000; ///< files and folders looked at
};

struct found_files {
  std::vector<std::string> files; ///< relative to the policy's folder, in a stable order
  /// False where a bound, a folder that can't be read or the stop token cut it short.
  bool complete = true;
};

/// The regular files below a folder, depth first, by name. Follows no link, leaves no file system.
result<found_files> find_files(located const& object, file_search const& search,
                               std::stop_token stop = {});

} // namespace bulkhead::platform
