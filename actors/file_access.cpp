#include <bulkhead/actors/file_access.hpp>

#include <filesystem>
#include <utility>

namespace bulkhead {
namespace {

bool denies(host_access const& access, path_action action, std::string_view root,
            std::string_view relative) {
  auto const decided = access.decide(action, path_below(root, relative));
  return !decided.allowed && decided.rule;
}

bool denies_by_real_name(host_access const& access, path_action action, root_names const& root,
                         std::string_view relative) {
  return root.real != root.as_named && denies(access, action, root.real, relative);
}

} // namespace

std::string path_below(std::string_view folder, std::string_view below) {
  if (below.empty())
    return std::string{folder};
  return std::string{folder} + (folder.ends_with('/') ? "" : "/") + std::string{below};
}

bool is_denied(host_access const& access, path_action action, root_names const& root,
               std::string_view relative) {
  return denies(access, action, root.as_named, relative) ||
         denies_by_real_name(access, action, root, relative);
}

bool is_allowed(host_access const& access, path_action action, root_names const& root,
                std::string_view relative) {
  return access.decide(action, path_below(root.as_named, relative)).allowed &&
         !denies_by_real_name(access, action, root, relative);
}

result<rooted> open_root(std::string_view root, std::string_view canonical) {
  std::string name{root};
  auto folder = platform::folder::open(name);
  if (!folder && (folder.error().code() == errc::file_not_a_directory ||
                  folder.error().code() == errc::file_not_found)) {
    // The rule is about one file, or about what is still to be made.
    name = std::filesystem::path{name}.parent_path().string();
    folder = platform::folder::open(name);
  }
  if (!folder)
    return folder.error();
  auto below = canonical.substr(name.size());
  while (below.starts_with('/'))
    below.remove_prefix(1);
  root_names names{std::move(name), folder->real_path()};
  return rooted{std::move(names), std::move(*folder), std::string{below}};
}

result<rooted> open_root(host_access const& access, std::string_view canonical) {
  auto const root = access.root_of(canonical);
  if (root.empty())
    return error{errc::path_denied};
  return open_root(root, canonical);
}

} // namespace bulkhead
