#pragma once

#include <cstddef>
#include <iosfwd>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// A block of lines that stays at the bottom of a terminal and is redrawn in place, while others
/// are printed above it. Each change is one write, so nothing flickers. May be used by any thread.
class live_block {
public:
  /// `out` must be a terminal whose cursor can be moved.
  explicit live_block(std::ostream& out)
      : out_{out} {}

  /// Replaces the block. No line may be wider than the terminal, and all must fit its height.
  void show(std::vector<std::string> lines);
  /// Prints a line above the block.
  void print_above(std::string_view line);

private:
  void redraw(std::string_view above);

  std::ostream& out_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::size_t drawn_ = 0; // lines on the screen
};

} // namespace bulkhead::tool
