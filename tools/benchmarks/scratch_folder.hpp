#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <unistd.h>

namespace bulkhead::bench {

/// A folder that is gone with this object.
class scratch_folder {
public:
  scratch_folder() {
    auto name = (std::filesystem::temp_directory_path() / "bulkhead-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::runtime_error{"can't make a folder in " +
                               std::filesystem::temp_directory_path().string()};
    path_ = name;
  }
  scratch_folder(scratch_folder&&) = delete;
  ~scratch_folder() {
    std::error_code left;
    std::filesystem::remove_all(path_, left);
  }
  std::filesystem::path const& path() const noexcept { return path_; }

  std::filesystem::path write(std::string_view name, std::string_view content) const {
    auto const file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream{file} << content;
    return file;
  }

private:
  std::filesystem::path path_;
};

} // namespace bulkhead::bench
