#include "output/live_block.hpp"

#include <ostream>
#include <utility>

namespace bulkhead::tool {
namespace {

// ECMA-48, "Control functions for coded character sets".
constexpr std::string_view erase_to_line_end = "\x1b[K";
constexpr std::string_view erase_to_screen_end = "\x1b[J";

std::string lines_up(std::size_t count) {
  return count == 0 ? "\r" : "\r\x1b[" + std::to_string(count) + "A";
}

} // namespace

void live_block::show(std::vector<std::string> lines) {
  std::lock_guard const lock{mutex_};
  lines_ = std::move(lines);
  redraw({});
}

void live_block::print_above(std::string_view line) {
  std::lock_guard const lock{mutex_};
  redraw(line);
}

void live_block::redraw(std::string_view above) {
  auto text = lines_up(drawn_);
  auto const put = [&](std::string_view line) {
    text += line;
    text += erase_to_line_end;
    text += '\n';
  };
  if (!above.empty())
    put(above);
  for (auto const& line : lines_)
    put(line);
  text += erase_to_screen_end;
  drawn_ = lines_.size();
  out_ << text << std::flush;
}

} // namespace bulkhead::tool
