#pragma once

#include <bulkhead/harness/temporary_directory.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

/// All processes that come from this one, however they left their parents.
namespace bulkhead::testing {

/// A process that comes from this one.
struct descendant {
  pid_t pid = 0;
  std::vector<std::string> words; ///< its command line

  bool is(std::string_view first, std::string_view second) const {
    return words.size() > 1 && words[0] == first && words[1] == second;
  }
};

/// While it lives, every orphan among the descendants of this process becomes its child, so that
/// none is ever missed: without a child there is no descendant. There is one at a time, in a test
/// that has no other children.
class foster_parent {
public:
  foster_parent();
  foster_parent(foster_parent const&) = delete;
  foster_parent& operator=(foster_parent const&) = delete;
  /// Ends whatever is left.
  ~foster_parent();

  /// All of them, zombies included, parents before their children.
  std::vector<descendant> descendants() const;
  /// Reaps until no descendant is left. False: one still lives at that time.
  bool has_lost_all(std::chrono::milliseconds within) const;
  /// What is left, for a message.
  std::string left() const;
};

/// A file of /proc/PID; what could be read of it where the process ends meanwhile.
std::string process_file(pid_t process, std::string const& name);

/// A copy of raw_host.py that is a program by itself, which a contained host can run.
std::filesystem::path raw_host_program(temporary_directory const& place);

} // namespace bulkhead::testing
