#pragma once

#include <cstdint>

namespace bulkhead::platform::launch {

/// Every step of a launch that can fail: the stage in the hundreds. Numbers are stable and never
/// reused; what each means stands in launch_step.cpp.
enum class step : std::uint16_t {
  none = 0,

  // ---- from the library into the launcher ----
  birth = 1,
  session = 2,
  descriptors_outside = 3,
  launcher = 4,

  // ---- stage 1: outside ----
  plan_outside = 101,
  cgroup = 102,
  core_size = 103,
  mount_copy = 104,
  mount_attributes = 105,
  mount_namespace = 106,
  mount_privacy = 107,
  mount_staging = 108,
  mount_point = 109,
  mount_move = 110,
  groups = 111,
  group = 112,
  user = 113,
  root_gone = 114,
  orphan_outside = 115,
  bubblewrap_start = 116,

  // ---- bubblewrap ----
  bubblewrap = 201,

  // ---- stage 2: inside ----
  plan_inside = 301,
  first_process = 302,
  no_new_privileges = 303,
  not_dumpable = 304,
  death_signal = 305,
  capabilities = 306,
  subreaper = 307,
  own_descriptor = 308,
  orphan_inside = 309,
  child_signals = 310,
  fork = 311,
  program_descriptor = 312,
  keeper_filter = 313,
  filter_watch = 314,

  // ---- stage 2: the process that becomes the program ----
  program_death_signal = 320,
  landlock_version = 321,
  landlock_ruleset = 322,
  landlock_path = 323,
  landlock_rule = 324,
  landlock_restrict = 325,
  streams = 326,
  descriptors_inside = 327,
  program_open = 328,
  program_changed = 329,
  directory = 330,
  limits = 331,
  signal_filter = 332,
  filter = 333,
  execute = 334,
  filter_listener = 335,
};

} // namespace bulkhead::platform::launch
