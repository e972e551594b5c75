#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/linux/launch_steps.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bulkhead::platform {

using launch::step;

/// What is known of a step of a launch.
struct step_description {
  step where;
  std::string_view name;     ///< stable: "landlock_rule"
  std::string_view sentence; ///< what could not be done
  std::string_view remedy;   ///< what the operator can do; empty where that is for `doctor` to say
};

/// Every step, in the order of its number.
std::span<step_description const> all_steps() noexcept;

/// The description of one; of a number that is no step: name "unknown".
step_description const& describe(step where) noexcept;

inline std::string_view to_string(step where) noexcept {
  return describe(where).name;
}

/// Why a program was never executed.
struct launch_failure {
  step where = step::none;
  int number = 0;     ///< errno; 0 where there is none, as with bubblewrap's
  int which = 0;      ///< which of several: a rule, a mount, a limit's RLIMIT_…; from 0
  std::string said{}; ///< what bubblewrap printed; else empty

  friend bool operator==(launch_failure const&, launch_failure const&) = default;
};

/// sandbox_step_failed with the detail "landlock_rule: Operation not permitted (3)".
error to_error(launch_failure const& failed);

} // namespace bulkhead::platform
