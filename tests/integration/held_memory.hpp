#pragma once

#include <cstddef>
#include <fstream>

#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
// Of <sanitizer/allocator_interface.h>, which Debian's g++ does not bring.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace bulkhead::testing {

/// What this process holds, in bytes. AddressSanitizer keeps what was freed, so that what is
/// resident says nothing there.
inline std::size_t held_bytes() {
#ifdef __SANITIZE_ADDRESS__
  return ::__sanitizer_get_current_allocated_bytes();
#else
  std::ifstream in{"/proc/self/statm"};
  std::size_t total = 0;
  std::size_t resident = 0;
  in >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
#endif
}

} // namespace bulkhead::testing
