#pragma once

namespace bulkhead::tool {

/// What the command ends with; scripts rely on it.
enum exit_code : int {
  exit_done = 0,
  exit_failed = 1,     ///< the work failed
  exit_usage = 2,      ///< the command was called wrongly
  exit_policy = 3,     ///< the policy is invalid
  exit_containment = 4 ///< this machine can't enforce what the policy requires
};

} // namespace bulkhead::tool
