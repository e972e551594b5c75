#include "output/terminal.hpp"

#include <cstdlib>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace bulkhead::tool {
namespace {

bool is_set(char const* variable) noexcept {
  auto const* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool is_dumb() noexcept {
  auto const* const kind = std::getenv("TERM");
  return kind == nullptr || std::string_view{kind} == "dumb";
}

} // namespace

terminal look_at(output_stream stream) noexcept {
  terminal seen;
  seen.is_terminal =
      ::isatty(stream == output_stream::standard ? STDOUT_FILENO : STDERR_FILENO) != 0;
  seen.is_steerable = seen.is_terminal && !is_dumb();
  seen.has_colours = seen.is_steerable && !is_set("NO_COLOR");
  return seen;
}

screen_size current_screen_size() noexcept {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return {};
  return {size.ws_col, size.ws_row};
}

} // namespace bulkhead::tool
