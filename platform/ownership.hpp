#pragma once

#include <bulkhead/messages/error.hpp>

#include <filesystem>
#include <string>
#include <string_view>

struct stat;

/// Refuses what others than its owner or root could change: what they wrote would run with this
/// process's trust. An access-control list that lets others write shows as the group's right, so it
/// is refused as well; so is a group of one, as nothing says that it stays one.
namespace bulkhead::platform {

/// Looks at one file or folder alone: it has to belong to root or to the effective user, and
/// neither its group nor others may write to it (a symbolic link's mode means nothing, so only its
/// owner counts). `path` is its absolute path, for the message; where `tree` is given, it is a
/// folder around it that the remedy covers as a whole. Fails with integrity_unsafe_owner, whose
/// detail names path, owner, group and mode and whose remedy is a command line. Thread-safe.
result<void> require_safe_owner(struct stat const& seen, std::string_view path,
                                std::string_view tree = {});

/// Looks at an open object, O_PATH will do, and at each folder above it up to the root of the file
/// system, by descriptors. A folder above may be writable for others where its sticky bit is set,
/// as in /tmp: what lies in it is then its owner's to rename and delete. Returns the object's real
/// path. Fails as require_safe_owner, and with file_not_found or file_unavailable; with
/// integrity_mismatch where the object is moved meanwhile. Blocks; thread-safe.
result<std::string> require_safe_path(int object);

/// The same of a path, of which symbolic links are followed.
result<std::string> require_safe_path(std::filesystem::path const& path);

} // namespace bulkhead::platform
