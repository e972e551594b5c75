#include <bulkhead/harness/temporary_directory.hpp>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

namespace bulkhead::testing {

temporary_directory::temporary_directory() {
  // Short, because a socket's path is.
  auto pattern = (std::filesystem::temp_directory_path() / "bh-XXXXXX").string();
  if (!::mkdtemp(pattern.data()))
    throw std::filesystem::filesystem_error{"mkdtemp", pattern, {errno, std::generic_category()}};
  path_ = pattern;
}

temporary_directory::~temporary_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path temporary_directory::write(std::filesystem::path const& name,
                                                 std::string_view content) const {
  auto const file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out{file, std::ios::binary};
  out.exceptions(std::ios::failbit | std::ios::badbit);
  out << content;
  return file;
}

} // namespace bulkhead::testing
