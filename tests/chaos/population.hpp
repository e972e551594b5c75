#pragma once

#include <bulkhead/config/policy.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace chaos {

/// A host, as those see it who ask it for something.
struct inhabitant {
  std::string id;
  bool is_node = false;   ///< the extension "echo", contained or not; else raw_host.py
  bool has_files = false; ///< it may write and read in the workspace, by the command "roundTrip"
};

/// The hosts of a run and their policy.
struct population {
  bulkhead::policy rules;
  std::vector<inhabitant> hosts;
  std::filesystem::path workspace;
};

/// Requests that hosts make of the backend and that the test itself answers.
inline constexpr auto quick_work = "chaos.quick"; ///< at once
inline constexpr auto slow_work = "chaos.slow";   ///< after a while
inline constexpr auto bad_work = "chaos.bad";     ///< by an exception

/// So many hosts of all kinds: of two languages, on both transports, patient and impatient ones,
/// and some as well contained as this machine can. None is given much time or many restarts, so
/// that whatever can happen to a host happens within seconds. Some may use files in a workspace,
/// and have their scripts compiled ahead. All folders are in `home`, which every user may enter.
population make_population(std::size_t hosts, std::filesystem::path const& home);

} // namespace chaos
