#pragma once

#include <cstdint>

namespace bulkhead::platform {

/// One of setrlimit(2). A hard limit that is lower already is kept.
struct resource_limit {
  int resource = 0; ///< RLIMIT_…; never RLIMIT_AS, which Node can't live with
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;

  friend bool operator==(resource_limit const&, resource_limit const&) = default;
};

} // namespace bulkhead::platform
