#include <bulkhead/actors/file_access.hpp>

#include <algorithm>
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

/// Without the symbolic links in that part of it which exists.
std::string real_name(std::filesystem::path there) {
  std::filesystem::path missing;
  while (there.has_relative_path()) {
    if (auto const folder = platform::folder::open(there.string()))
      return path_below(folder->real_path(), missing.native());
    missing = missing.empty() ? there.filename() : there.filename() / missing;
    there = there.parent_path();
  }
  return path_below(there.native(), missing.native());
}

result<kept_root> open_policy_folder(std::string_view root) {
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
  root_names names{std::move(name), folder->real_path()};
  return kept_root{std::string{root}, std::move(names),
                   std::make_shared<platform::folder const>(std::move(*folder))};
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

bool carries_a_root(host_access const& access, std::string_view real) {
  auto const is_carried = [&](std::string const& root) {
    auto const at = real_name(root);
    return at.starts_with(real) && (at.size() == real.size() || at[real.size()] == '/');
  };
  return std::ranges::any_of(access.roots, is_carried) ||
         std::ranges::any_of(access.workspace, is_carried);
}

result<rooted> open_root(std::string_view root, std::string_view canonical, kept_root* kept) {
  kept_root opened;
  auto& in = kept ? *kept : opened;
  if (!in.folder || in.name != root) {
    auto found = open_policy_folder(root);
    if (!found)
      return found.error();
    in = std::move(*found);
  }
  auto below = canonical.substr(in.root.as_named.size());
  while (below.starts_with('/'))
    below.remove_prefix(1);
  return rooted{in.root, in.folder, std::string{below}};
}

result<rooted> open_root(host_access const& access, std::string_view canonical, kept_root* kept) {
  auto const root = access.root_of(canonical);
  if (root.empty())
    return error{errc::path_denied};
  return open_root(root, canonical, kept);
}

result<found_object> find_object(host_access const& access, path_action action,
                                 std::string_view canonical, kept_root* kept) {
  auto in = open_root(access, canonical, kept);
  if (!in)
    return in.error();
  auto found = in->folder->locate(in->below);
  if (!found)
    return found.error();
  if (!is_allowed(access, action, in->root, found->relative))
    return error{errc::path_denied};
  return found_object{std::move(*in), std::move(*found)};
}

result<found_target> find_target(host_access const& access, std::string_view canonical) {
  auto in = open_root(access, canonical);
  if (!in)
    return in.error();
  auto where = in->folder->locate_parent(in->below);
  if (!where)
    return where.error();
  if (!is_allowed(access, path_action::write, in->root, where->relative()))
    return error{errc::path_denied};
  return found_target{std::move(*in), std::move(*where)};
}

} // namespace bulkhead
