#pragma once

#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/permission.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/process.hpp>

#include <filesystem>
#include <string>

namespace bulkhead {

/// What one start of a host needs, worked out from its policy and the machine as it is now.
struct host_start {
  platform::process_spec spec; ///< without its connection
  std::string
      extension_id;       ///< empty where no extension is named: then there is nothing to activate
  permission_set asked;   ///< what the extension asks for; everything where none is named
  permission_set held;    ///< of that, what it may do
  permission_set refused; ///< what it asked for in vain
};

/// Reads the extension's manifest, makes its own folders and finds the interpreter or the command.
/// `bootstrap` is the script that Node runs. Fails with extension_unusable, interpreter_missing,
/// spawn_failed, state_dir_unusable or a policy's code. Blocks; any thread.
result<host_start> prepare_host_start(host_policy const& host, host_folders const& own,
                                      std::filesystem::path const& bootstrap,
                                      std::filesystem::path const& policy_folder);

} // namespace bulkhead
