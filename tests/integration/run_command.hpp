#pragma once

#include <boost/json/object.hpp>
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

/// The objects in an output that is one of JSON a line.
std::vector<boost::json::object> json_lines(std::string_view output);

} // namespace bulkhead::testing
