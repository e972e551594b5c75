#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace bulkhead::platform {

/// A uid that no other host on this machine runs under, and that is nobody's account: for a backend
/// that is root. It is held by a lock on a folder of its number in /run/bulkhead, which the kernel
/// releases with the process. Not thread-safe.
class uid_lease {
public:
  /// The first free uid from `first` up; the group has the same number. Removes what killed
  /// backends have left. Fails with sandbox_unavailable: not root, /run can't be written, or no uid
  /// of the range is this user namespace's to use and without an account.
  static result<uid_lease> take(uid_t first);

  uid_lease(uid_lease&&) noexcept = default;
  uid_lease& operator=(uid_lease&&) = delete;
  /// Empties and removes the folder.
  ~uid_lease();

  uid_t uid() const noexcept { return uid_; }
  /// A folder that everybody may read and only root write.
  std::filesystem::path const& folder() const noexcept { return folder_; }

  /// Writes a file into it that everybody may read. Fails with sandbox_unavailable.
  result<void> write_file(std::string const& name, std::string_view content) const;

  /// Makes a folder and all in it the uid's own, by descriptors and without following links. Fails
  /// with sandbox_unavailable.
  result<void> give(std::filesystem::path const& folder) const;

private:
  uid_lease(uid_t uid, std::filesystem::path folder, unique_fd lock) noexcept
      : uid_{uid}
      , folder_{std::move(folder)}
      , lock_{std::move(lock)} {}

  uid_t uid_;
  std::filesystem::path folder_;
  unique_fd lock_;
};

} // namespace bulkhead::platform
