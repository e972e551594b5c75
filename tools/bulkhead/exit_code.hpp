#pragma once

#include <bulkhead/messages/error.hpp>

namespace bulkhead::tool {

/// What the command ends with; scripts rely on it.
enum exit_code : int {
  exit_done = 0,
  exit_failed = 1,     ///< the work failed
  exit_usage = 2,      ///< the command was called wrongly
  exit_policy = 3,     ///< the policy is invalid
  exit_containment = 4 ///< this machine can't enforce what the policy requires
};

/// What the machine lacks is for its administrator, all else for whoever called.
inline exit_code exit_code_of(error const& failed) noexcept {
  auto const lacks = failed.code() == errc::sandbox_unavailable ||
                     failed.code() == errc::limit_unenforceable ||
                     failed.host_reason() == reason::sandbox_failure;
  return lacks ? exit_containment : exit_failed;
}

} // namespace bulkhead::tool
