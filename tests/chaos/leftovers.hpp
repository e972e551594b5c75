#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace chaos {

/// What this process holds of the system. A runtime that has ended leaves all of it as it was.
class holdings {
public:
  /// As it is now.
  static holdings look();

  /// What is there beyond what was `before`, a sentence each; nothing where it all goes away within
  /// a few seconds. `state_dir` is the runtimes'.
  static std::vector<std::string> leftovers(holdings const& before,
                                            std::filesystem::path const& state_dir);

private:
  std::vector<std::string> beyond(holdings const& before) const;

  std::map<int, std::string> descriptors_;  ///< with what they are
  std::map<int, std::string> threads_;      ///< with their names
  std::map<int, std::string> processes_;    ///< descendants, with their names and states
  std::set<std::filesystem::path> cgroups_; ///< of this process's runtimes
};

/// Whether the memory that is in use after each runtime grows from one to the next. The first
/// few are left out: caches fill.
class memory_watch {
public:
  /// Takes note of what is in use now, and says what is wrong, if something is.
  std::vector<std::string> look();
  std::size_t first() const noexcept { return first_; } ///< after the warm-up, in bytes
  std::size_t last() const noexcept { return last_; }   ///< in bytes

private:
  std::vector<std::size_t> recent_;
  std::size_t looks_ = 0;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
};

} // namespace chaos
