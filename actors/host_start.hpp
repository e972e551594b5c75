#pragma once

#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/permission.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
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
  platform::containment_spec launch;           ///< without its connection
  /// All that was opened and verified for a process of its own; null before prepare_launch.
  std::shared_ptr<platform::containment::preparation> contained;
  compiled_code_ptr code; ///< the extension's scripts, compiled; null where they are not
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
};

/// Reads the extension's manifest and verifies its files against their pin, makes its own folders
/// and finds the interpreter or the command: all that a start does whether or not a process is
/// there already. Fails with extension_unusable, integrity_mismatch, integrity_unsafe_owner,
/// interpreter_missing, spawn_failed, state_dir_unusable or a policy's code. Blocks; any thread.
result<host_start> describe_host_start(host_policy const& host, start_surroundings const& around);

/// What is left to do for a process of its own: opens and verifies the program, and makes what is
/// to contain it. Fails as containment::prepare. Blocks; any thread.
result<void> prepare_launch(host_start& start, platform::containment& in);

} // namespace bulkhead
