#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/file_digest.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

/// One SHA-256 for all that an extension consists of: names, contents, links, and what may be
/// executed.
///
/// Of a single file it is the SHA-256 of its content, as sha256sum prints it. Of a folder it is the
/// SHA-256 of one record for each entry, sorted by the bytes of its path:
///
///     KIND ' ' HASH ' ' ' ' PATH NUL
///
/// - PATH is "." for the folder itself, and "./" and the relative path for all that is in it;
/// - KIND is `exec` for a regular file that its owner may execute, `file` for any other, `link` for
///   a symbolic link, `dir` for a folder;
/// - HASH is, in lower-case hexadecimal, the SHA-256 of the content or of the link's text; `-` for
///   a folder.
///
/// A size would add nothing to a hash of the content. Owners, times and other permissions are left
/// out, so that a copy has the same digest; no name is, not even `.git`, as an extension can load
/// any of its files. docs/integrity.md has a line of shell that computes the same.
namespace bulkhead::platform {

struct tree_digest {
  std::string path; ///< absolute, without symbolic links, as it was when it was opened
  sha256_digest digest;
  std::uint64_t files; ///< regular files
  std::uint64_t bytes; ///< in them
};

/// What is refused as no extension (limit_exceeded), before anything of it is read.
struct tree_bounds {
  /// Entries of every kind: ten times the largest extensions with all their packages.
  std::size_t max_entries = 100'000;
  /// 2 GiB: some seconds of reading.
  std::uint64_t max_bytes = std::uint64_t{2} << 30;
};

/// Hashes an open folder or file, O_PATH will do. All is opened by descriptors from there, without
/// following any symbolic link, and looked at before and after: a digest that is returned belongs
/// to one state of the tree. A tree that is as it was (same identities of all its entries) when its
/// digest was cached is listed but not read again. Fails with
/// - integrity_unsafe_owner: an entry, the root or a folder above can be changed by others;
/// - integrity_mismatch: something was changed meanwhile;
/// - path_denied: a symbolic link that leads out of the tree or to nothing, or another file system
///   that is mounted in it;
/// - file_unsupported: a FIFO, a device or a socket;
/// - limit_exceeded: the bounds, or folders too deep inside each other;
/// - request_cancelled, file_not_found, file_unavailable.
/// Blocks. Thread-safe.
result<tree_digest> digest_of_tree(int root, hashing const& how = {}, tree_bounds bounds = {});

/// The same of a path, of which symbolic links are followed.
result<tree_digest> digest_of_tree(std::filesystem::path const& root, hashing const& how = {},
                                   tree_bounds bounds = {});

} // namespace bulkhead::platform
