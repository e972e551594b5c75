#pragma once

#include <cstddef>

namespace bulkhead::tool {

enum class output_stream { standard, error };

/// What a stream can show.
struct terminal {
  bool is_terminal = false;
  /// Whether the cursor can be moved: a terminal that is not "dumb".
  bool is_steerable = false;
  /// A steerable terminal whose user has not set NO_COLOR (https://no-color.org).
  bool has_colours = false;
};

terminal look_at(output_stream stream) noexcept;

struct screen_size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// Of the terminal on standard output, as it is now; a VT100's where there is none.
screen_size current_screen_size() noexcept;

} // namespace bulkhead::tool
