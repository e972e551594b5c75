#include <bulkhead/actors/host_start.hpp>

#include <bulkhead/config/manifest.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/run_directory.hpp>

namespace bulkhead {
namespace {

permission_set every_permission() {
  permission_set all;
  for (auto const each : all_permissions())
    all.insert(each);
  return all;
}

result<void> describe_extension(host_policy const& host, host_start& start) {
  if (host.extension.empty()) {
    start.asked = every_permission(); // nobody asks, so what is granted holds
    start.held = host.permissions;
    return {};
  }
  auto const asked = load_manifest(host.extension);
  if (!asked)
    return asked.error();
  auto const effective = resolve_permissions(host, *asked);
  if (!effective)
    return effective.error();
  start.extension_id = asked->id;
  start.asked = asked->permissions;
  start.held = effective->held;
  start.refused = effective->refused;
  return {};
}

result<void> describe_program(host_policy const& host, std::filesystem::path const& bootstrap,
                              std::filesystem::path const& policy_folder, host_start& start) {
  auto& spec = start.spec;
  spec.environment = host.environment;
  auto const search_path = platform::environment_search_path();
  if (host.runtime == host_runtime::node) {
    auto node = platform::find_node(search_path);
    if (!node)
      return node.error();
    spec.program = std::move(*node);
    spec.arguments = {bootstrap.string(), host.extension.string()};
    return {};
  }
  auto program = platform::resolve_program(host.command.front(), policy_folder, search_path);
  if (!program)
    return program.error();
  spec.program = std::move(*program);
  spec.arguments.assign(host.command.begin() + 1, host.command.end());
  spec.working_directory =
      policy_folder; // so that a command's arguments mean what the policy's paths mean
  return {};
}

} // namespace

result<host_start> prepare_host_start(host_policy const& host, host_folders const& own,
                                      std::filesystem::path const& bootstrap,
                                      std::filesystem::path const& policy_folder) {
  host_start start;
  if (auto const described = describe_extension(host, start); !described)
    return described.error();
  for (auto const* const folder : {&own.storage, &own.logs, &own.temp})
    if (auto const made = platform::open_state_directory(*folder); !made)
      return made.error();
  if (auto const described = describe_program(host, bootstrap, policy_folder, start); !described)
    return described.error();
  return start;
}

} // namespace bulkhead
