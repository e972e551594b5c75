#pragma once

#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/permission.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/containment.hpp>
#include <bulkhead/platform/process.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace bulkhead {

/// What one start of a host needs, worked out from its policy and the machine as it is now.
struct host_start {
  std::chrono::steady_clock::time_point began; ///< when it was asked for
  platform::process_spec spec;                 ///< without its connection
  /// All that was opened and verified for it.
  std::shared_ptr<platform::containment::preparation> contained;
  std::string
      extension_id;       ///< empty where no extension is named: then there is nothing to activate
  permission_set asked;   ///< what the extension asks for; everything where none is named
  permission_set held;    ///< of that, what it may do
  permission_set refused; ///< what it asked for in vain
};

/// What a start is worked out from.
struct start_surroundings {
  host_folders own;
  std::filesystem::path bootstrap;     ///< the script that Node runs
  std::filesystem::path policy_folder; ///< what a command's paths are relative to
  platform::containment& containment;
};

/// Reads the extension's manifest, makes its own folders, finds the interpreter or the command and
/// verifies both against their pins. Fails with extension_unusable, interpreter_missing,
/// spawn_failed, state_dir_unusable, a policy's code, or as containment::prepare. Blocks; any
/// thread.
result<host_start> prepare_host_start(host_policy const& host, start_surroundings const& around);

} // namespace bulkhead
