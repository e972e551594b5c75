#pragma once

#include "options.hpp"
#include "round.hpp"

#include <chrono>
#include <iosfwd>
#include <string>
#include <thread>
#include <vector>

namespace chaos {

/// What came of a run.
struct verdict {
  std::vector<std::string> wrong; ///< a sentence each; none: it passed
  std::size_t memory_first = 0;   ///< in bytes, after the warm-up
  std::size_t memory_last = 0;    ///< in bytes, at the end
  std::chrono::duration<double> took{};
};

/// Prints a line of progress every two seconds for as long as it lives.
class progress_lines {
public:
  progress_lines(std::ostream& out, run_context const& of);
  progress_lines(progress_lines&&) = delete;

private:
  std::jthread printer_;
};

void print_text(std::ostream& out, options const& chosen, run_context const& run,
                verdict const& found);
void print_json(std::ostream& out, options const& chosen, run_context const& run,
                verdict const& found);

} // namespace chaos
