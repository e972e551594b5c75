#pragma once

#include <string>
#include <system_error>

namespace bulkhead::platform {

/// What the operating system says about an error number, such as "No such file or directory".
/// Thread-safe.
inline std::string errno_text(int number) {
  return std::generic_category().message(number);
}

} // namespace bulkhead::platform
