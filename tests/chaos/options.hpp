#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace chaos {

/// What the command line asks for.
struct options {
  std::string program; ///< as it was called
  std::chrono::seconds duration{60};
  std::size_t hosts = 50;
  std::uint64_t seed = 0; ///< random where none is given
  bool as_json = false;
  bool help = false;
};

/// Throws std::exception, which says what is wrong with them.
options parse_options(int count, char const* const* arguments);

/// What --help prints.
std::string help_text();

/// The command that makes the same choices again.
std::string command_of(options const& chosen);

} // namespace chaos
