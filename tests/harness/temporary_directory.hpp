#pragma once

#include <filesystem>
#include <string_view>

namespace bulkhead::testing {

/// A new, empty directory of mode 0700 below the system's folder for such things; removed with all
/// it holds by the destructor.
class temporary_directory {
public:
  /// Throws std::filesystem::filesystem_error.
  temporary_directory();
  temporary_directory(temporary_directory const&) = delete;
  temporary_directory& operator=(temporary_directory const&) = delete;
  ~temporary_directory();

  std::filesystem::path const& path() const noexcept { return path_; }
  /// Writes a file, and the folders above it, and returns its path.
  std::filesystem::path write(std::filesystem::path const& name, std::string_view content) const;

private:
  std::filesystem::path path_;
};

} // namespace bulkhead::testing
