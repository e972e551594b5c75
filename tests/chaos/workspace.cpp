#include "workspace.hpp"

#include <bulkhead/platform/sha256.hpp>

#include <fstream>
#include <iterator>

namespace chaos {
namespace {

namespace disk = std::filesystem;

bool is_whole(disk::path const& file) {
  std::ifstream in{file, std::ios::binary};
  std::string const bytes{std::istreambuf_iterator<char>{in}, {}};
  auto const digest = bulkhead::platform::to_hex(bulkhead::platform::sha256{}.digest_of(bytes));
  return file.filename().string().starts_with(digest + '.');
}

} // namespace

std::vector<std::string> clear_workspace(disk::path const& workspace) {
  std::vector<std::string> wrong;
  for (auto const& entry : disk::directory_iterator{workspace})
    if (!is_whole(entry.path()))
      wrong.push_back("left in the workspace and no whole file: " + entry.path().string() + ", " +
                      std::to_string(entry.file_size()) + " bytes");
  disk::remove_all(workspace);
  disk::create_directory(workspace);
  return wrong;
}

} // namespace chaos
