#include <bulkhead/platform/linux/launcher_birth.hpp>

#include <bulkhead/platform/linux/launch_plan.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace bulkhead::platform {
namespace {

constexpr std::pair<birth_step, step> steps[] = {
    {birth_step::none, step::none},
    {birth_step::preparation, step::birth},
    {birth_step::creation, step::birth},
    {birth_step::session, step::session},
    {birth_step::descriptors, step::descriptors_outside},
    {birth_step::program, step::launcher},
};

birth_step birth_step_of(step where) noexcept {
  auto const* const found = std::ranges::find(steps, where, &std::pair<birth_step, step>::second);
  return found != std::end(steps) ? found->first : birth_step::none;
}

error failed_at(birth_step where, int failed) {
  auto const* const found = std::ranges::find(steps, where, &std::pair<birth_step, step>::first);
  return to_error({.where = found->second, .number = failed, .which = 0, .said = {}});
}

/// The kernel has no room for a process: nothing of the sandbox's.
error not_created(int failed) {
  auto const as_step = failed_at(birth_step::creation, failed);
  return error{errc::spawn_failed, as_step.detail(), as_step.remedy()};
}

} // namespace

result<newborn> create_launcher(launcher_part part, std::span<placed_descriptor const> descriptors,
                                int group, step fail_at) {
  char const* const arguments[] = {"bulkhead-launcher",
                                   part == launcher_part::guard ? "guard" : "stage1", nullptr};
  char const* const no_environment[] = {nullptr};
  birth_plan plan;
  plan.descriptors = descriptors;
  plan.executable = launch::launcher_file;
  plan.arguments = arguments;
  plan.environment = no_environment;
  plan.group = group;
  plan.fail_at = birth_step_of(fail_at);
  auto born = give_birth(plan);
  if (born.failed_at == birth_step::creation)
    return not_created(born.failed);
  if (born.failed_at != birth_step::none)
    return failed_at(born.failed_at, born.failed);
  return std::move(born.child);
}

} // namespace bulkhead::platform
