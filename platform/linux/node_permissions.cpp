#include <bulkhead/platform/linux/node_permissions.hpp>

#include <bulkhead/platform/linux/bounded_run.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace bulkhead::platform {
namespace {

using flags = std::vector<std::string>;

/// Worker threads are bound by the permissions as well; the warning about them is not for the
/// extension's output.
flags const model{"--permission", "--allow-worker", "--disable-warning=SecurityWarning"};

/// Node looks at all its flags before it answers this, and at nothing else.
bool takes(std::filesystem::path const& node, flags const& given) {
  process_spec spec;
  spec.program = node;
  spec.arguments = given;
  spec.arguments.emplace_back("--version");
  auto const ran = run_bounded(spec);
  return ran && ran->status == exit_status{exit_kind::exited, 0, false};
}

bool has_model(verified_file const& node) {
  static std::mutex mutex;
  static std::map<std::string, std::pair<file_identity, bool>> known;
  std::lock_guard const lock{mutex};
  auto const [found, is_new] = known.try_emplace(node.path(), node.identity(), false);
  if (is_new || found->second.first != node.identity())
    found->second = {node.identity(), takes(node.path(), model)};
  return found->second.second;
}

/// A flag's value is a list with wildcards.
bool can_be_said(std::filesystem::path const& path) {
  return path.native().find_first_of(",*") == std::string::npos;
}

} // namespace

std::vector<std::string> flags_of(verified_file const& node, node_permissions const& permissions) {
  if (!std::ranges::all_of(permissions.readable, can_be_said) ||
      !std::ranges::all_of(permissions.writable, can_be_said) || !has_model(node))
    return {};
  auto all = model;
  for (auto const& each : permissions.readable)
    all.push_back("--allow-fs-read=" + each.native());
  for (auto const& each : permissions.writable) {
    all.push_back("--allow-fs-read=" + each.native());
    all.push_back("--allow-fs-write=" + each.native());
  }
  if (permissions.processes)
    all.emplace_back("--allow-child-process");
  return all;
}

} // namespace bulkhead::platform
