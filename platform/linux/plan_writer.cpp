#include <bulkhead/platform/linux/plan_writer.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <sys/mount.h>

namespace bulkhead::platform {
namespace {

using launch::launch_plan;

error too_many(std::string_view what, std::size_t most) {
  return error{errc::spawn_failed,
               "a sandbox takes at most " + std::to_string(most) + ' ' + std::string{what}};
}

/// A plan and the strings after it.
class plan_bytes {
public:
  launch::text add(std::string_view string) {
    auto const at = sizeof(launch_plan) + strings_.size();
    strings_ += string;
    strings_ += '\0';
    return static_cast<launch::text>(at);
  }

  launch_plan& plan() noexcept { return *plan_; }

  std::vector<std::byte> take() {
    std::vector<std::byte> bytes(sizeof(launch_plan) + strings_.size());
    plan_->size = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(bytes.data(), plan_.get(), sizeof(launch_plan));
    std::memcpy(bytes.data() + sizeof(launch_plan), strings_.data(), strings_.size());
    return bytes;
  }

private:
  std::unique_ptr<launch_plan> plan_ = std::make_unique<launch_plan>(); // 40 KiB
  std::string strings_;
};

std::uint32_t options_of(sandbox_spec const& spec, bool staged) noexcept {
  auto const own_root = spec.tier == sandbox_tier::strong;
  std::uint32_t options = 0;
  if (own_root)
    options |= launch::own_root;
  if (own_root && staged)
    options |= launch::stage_mounts;
  if (spec.run_as)
    options |= launch::change_user;
  if (spec.landlock)
    options |= launch::use_landlock;
  if (!spec.network)
    options |= launch::landlock_tcp;
  if (spec.filter >= 0)
    options |= launch::use_filter;
  return options;
}

std::uint64_t attributes_of(root_mount const& mount) noexcept {
  return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
         (mount.writable ? 0u : static_cast<unsigned>(MOUNT_ATTR_RDONLY)) |
         (mount.executable ? 0u : static_cast<unsigned>(MOUNT_ATTR_NOEXEC));
}

void add_mounts(plan_bytes& bytes, plan_surroundings const& around) {
  auto& plan = bytes.plan();
  plan.staging = bytes.add(staging_folder);
  for (std::size_t i = 0; i < around.mounts.size(); ++i) {
    auto const& mount = around.mounts[i];
    if (mount.from == mount_source::bytes)
      continue; // bubblewrap writes these itself
    auto& staged = plan.mounts[plan.mount_count++];
    staged.from = static_cast<std::int32_t>(launch::first_bind + i);
    staged.is_folder = around.folders[i] ? 1 : 0;
    staged.attributes = attributes_of(mount);
    staged.at = bytes.add(staged_path(i));
  }
}

void add_program(plan_bytes& bytes, sandbox_spec const& spec) {
  auto& plan = bytes.plan();
  plan.program = bytes.add(spec.program_path.native());
  plan.directory = bytes.add(spec.working_directory.native());
  plan.arguments[plan.argument_count++] = plan.program;
  for (auto const& argument : spec.arguments)
    plan.arguments[plan.argument_count++] = bytes.add(argument);
  for (auto const& [name, value] : spec.environment)
    plan.variables[plan.variable_count++] = bytes.add(name + '=' + value);
  for (auto const& [number, ours] : spec.inherited)
    plan.inherited[plan.inherited_count++] = number;
  std::ranges::sort(std::span{plan.inherited, plan.inherited_count});
}

} // namespace

result<std::vector<std::byte>> write_plan(sandbox_spec const& spec,
                                          plan_surroundings const& around) {
  auto const grants = spec.landlock ? grants_of(spec) : std::vector<granted_path>{};
  if (spec.arguments.size() + 1 > launch::max_arguments)
    return too_many("arguments", launch::max_arguments - 1);
  if (spec.environment.size() > launch::max_variables)
    return too_many("environment variables", launch::max_variables);
  if (spec.inherited.size() > launch::max_inherited)
    return too_many("inherited descriptors", launch::max_inherited);
  if (spec.limits.size() > launch::max_limits)
    return too_many("resource limits", launch::max_limits);
  if (around.mounts.size() > launch::max_binds)
    return too_many("folders and files", launch::max_binds);
  if (grants.size() > launch::max_rules)
    return too_many("paths", launch::max_rules);
  if (around.joins > launch::max_joins)
    return too_many("control groups", launch::max_joins);

  plan_bytes bytes;
  auto& plan = bytes.plan();
  plan.magic = launch::plan_magic;
  plan.version = launch::plan_version;
  plan.options = options_of(spec, around.staged);
  if (spec.run_as) {
    plan.user = spec.run_as->user;
    plan.group = spec.run_as->group;
  }
  plan.fail_at = static_cast<std::uint32_t>(spec.fail_at);
  plan.least_landlock = spec.least_landlock;
  plan.join_count = static_cast<std::uint32_t>(around.joins);
  for (auto const& each : spec.limits)
    plan.limits[plan.limit_count++] = {each.resource, each.soft, each.hard};
  add_mounts(bytes, around);
  for (auto const& each : grants)
    plan.rules[plan.rule_count++] = {each.rights, bytes.add(each.path.native())};
  add_program(bytes, spec);
  return bytes.take();
}

} // namespace bulkhead::platform
