#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/resource_limit.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bulkhead::platform {

/// Everything a new process gets. What is not named here it does not get: no variable, no
/// descriptor, no signal disposition.
struct process_spec {
  /// Absolute; it is never looked up.
  std::filesystem::path program;
  /// Where it is open already: this very file is executed, whatever the path has come to name; -1:
  /// what the path names.
  int executable = -1;
  /// What follows the program's own path in argv.
  std::vector<std::string> arguments;
  /// The whole environment.
  std::map<std::string, std::string> environment;
  /// Empty: "/".
  std::filesystem::path working_directory;
  /// Number in the child (3 to 255, each once) and our descriptor, which stays ours. Beside these
  /// the child has only 0, which is /dev/null, and 1 and 2, which are pipes to
  /// child_process::take_output() and take_errors().
  std::vector<std::pair<int, int>> inherited;
  /// Beside the backend's own. They are set from outside as soon as the program runs, which is
  /// within its first steps: against mistakes, not against malice.
  std::vector<resource_limit> limits{};
  /// The folder of a control group of version 2, in which it is born; -1: none. Only where
  /// has_birth_in_group().
  int group = -1;

  friend bool operator==(process_spec const&, process_spec const&) = default;
};

/// Starts a process in its own session, with every signal at its default and none blocked. It does
/// not copy the embedding program's memory and returns when the new program runs or could not be
/// started. Fails with spawn_failed, whose sentence names the path and the operating system's
/// reason. May be called by any thread.
result<child_process> spawn(process_spec const& spec);

} // namespace bulkhead::platform
