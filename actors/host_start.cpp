#include <bulkhead/actors/host_start.hpp>

#include <bulkhead/config/manifest.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/run_directory.hpp>
#include <bulkhead/platform/tree_digest.hpp>

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

/// Half of it is not the heap's: Buffers, code, stacks.
std::string heap_limit(host_limits const& limits) {
  return "--max-old-space-size=" + std::to_string((limits.memory >> 20) / 4 * 3);
}

std::vector<std::string> node_arguments(host_policy const& host,
                                        std::filesystem::path const& bootstrap) {
  std::vector<std::string> arguments;
  if (host.sandbox.require != sandbox_tier::none) {
    arguments.push_back(heap_limit(host.limits));
    if (host.sandbox.strict_mode)
      arguments.insert(arguments.end(), {"--disallow-code-generation-from-strings", "--no-addons"});
  }
  arguments.insert(arguments.end(), {bootstrap.string(), host.extension.string()});
  return arguments;
}

/// A Node host's allocator may have huge pages, where the machine gives them to who asks: V8 lets
/// go of Buffers by the dozen, and the fresh memory of the next ones costs a page fault for each
/// 4 KiB otherwise, half of what Node spends on an fs.readFile of 1 MiB. A C library other than
/// glibc since 2.35 does not look at it.
void allow_huge_pages(platform::process_spec& spec) {
  spec.environment.try_emplace("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
}

result<void> describe_program(host_policy const& host, start_surroundings const& around,
                              platform::process_spec& spec) {
  spec.environment = host.environment;
  auto const search_path = platform::environment_search_path();
  if (host.runtime == host_runtime::node) {
    auto node = platform::find_node(search_path);
    if (!node)
      return node.error();
    spec.program = std::move(*node);
    spec.arguments = node_arguments(host, around.bootstrap);
    allow_huge_pages(spec);
    if (host.start.code_cache)
      spec.environment.insert_or_assign("BULKHEAD_CODE_CACHE", "");
    return {};
  }
  auto program = platform::resolve_program(host.command.front(), around.policy_folder, search_path);
  if (!program)
    return program.error();
  spec.program = std::move(*program);
  spec.arguments.assign(host.command.begin() + 1, host.command.end());
  // So that a command's arguments mean what the policy's paths mean.
  spec.working_directory = around.policy_folder;
  return {};
}

/// Nobody else could have changed the files of an extension that is to be contained, and they are
/// as they were when their digest was written into the policy.
result<void> verify_extension(host_policy const& host) {
  auto const& pin = host.integrity.extension_sha256;
  auto const is_contained = host.sandbox.require != sandbox_tier::none;
  if (host.extension.empty() || (pin.empty() && !is_contained))
    return {};
  platform::hashing how;
  how.wanted = !pin.empty();
  auto const found = platform::digest_of_tree(host.extension, how);
  if (!found)
    return found.error();
  if (pin.empty())
    return {};
  if (auto const digest = platform::to_hex(found->digest); digest != pin)
    return error{errc::integrity_mismatch,
                 host.extension.string() + " has the digest " + digest + " and not " + pin};
  return {};
}

void describe_containment(host_policy const& host, host_folders const& own,
                          permission_set const& held, platform::containment_spec& spec) {
  spec.host = host.id;
  spec.least = host.sandbox.require;
  spec.program_pins = host.integrity.interpreter_sha256;
  spec.is_node = host.runtime == host_runtime::node;
  spec.strict = host.sandbox.strict_mode;
  if (!host.extension.empty())
    spec.readable.push_back(host.extension);
  if (host.sandbox.file_write)
    spec.writable = {own.storage, own.logs, own.temp};
  spec.network = host.sandbox.network;
  spec.processes = !spec.is_node || held.contains(permission::process_spawn);
  spec.landlock = host.sandbox.landlock;
  spec.filter = host.sandbox.seccomp;
  auto const& limits = host.limits;
  spec.bounds.memory = limits.memory;
  spec.bounds.processes = limits.processes;
  spec.bounds.cpu_percent = limits.cpu_percent;
  spec.bounds.cpu_time = std::chrono::duration_cast<std::chrono::seconds>(limits.cpu_time);
  spec.bounds.open_files = limits.open_files;
  spec.bounds.file_size = limits.file_size;
}

} // namespace

result<host_start> describe_host_start(host_policy const& host, start_surroundings const& around) {
  host_start start;
  if (auto const described = describe_extension(host, start); !described)
    return described.error();
  if (auto const verified = verify_extension(host); !verified)
    return verified.error();
  for (auto const* const folder : {&around.own.storage, &around.own.logs, &around.own.temp})
    if (auto const made = platform::open_host_folder(*folder); !made)
      return made.error();
  if (auto const described = describe_program(host, around, start.launch.process); !described)
    return described.error();
  describe_containment(host, around.own, start.held, start.launch);
  return start;
}

result<void> prepare_launch(host_start& start, platform::containment& in) {
  auto contained = in.prepare(start.launch);
  if (!contained)
    return contained.error();
  start.contained = std::move(*contained);
  return {};
}

} // namespace bulkhead
