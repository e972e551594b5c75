#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::testing {

/// What a program that has ended left behind.
struct ran_command {
  int exit_code = -1; ///< 128 + the signal's number where one ended it, as a shell says it
  std::string output;
  std::string errors;
};

/// Runs a program to its end, with `input` on its standard input. Throws where it can't be started.
ran_command run_command(std::vector<std::string> const& words, std::string_view input = {});

/// Runs bulkhead with these words and those.
ran_command run_bulkhead(std::vector<std::string> const& words,
                         std::vector<std::string> const& more = {});

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

} // namespace bulkhead::testing
