#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/linux/launch_step.hpp>
#include <bulkhead/platform/process_birth.hpp>

#include <cstdint>
#include <span>

namespace bulkhead::platform {

/// What the launcher is to be: its only argument.
enum class launcher_part : std::uint8_t { stage_one, guard };

/// Creates the launcher with exactly these descriptors (as birth_plan wants them), of which
/// launcher_file is the program. `group` is the folder of a control group or -1. `fail_at` is for
/// tests. Fails with spawn_failed where the kernel refuses a process, else with
/// sandbox_step_failed. May be called by any thread.
result<newborn> create_launcher(launcher_part part, std::span<placed_descriptor const> descriptors,
                                int group = -1, step fail_at = step::none);

} // namespace bulkhead::platform
