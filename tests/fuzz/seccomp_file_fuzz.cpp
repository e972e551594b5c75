// Any bytes as a file with a system call filter: what is loaded is the file's bytes, and a program
// that the kernel would take.
#include "fuzz_target.hpp"

#include <bulkhead/platform/linux/seccomp_filter.hpp>

#include <cstdint>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace bulkhead;
using namespace bulkhead::platform;
using fuzz::require;

namespace {

/// Whether the last instruction is a return, without which the kernel takes no program.
bool ends_in_return(std::string_view text) {
  return text.size() >= sizeof(sock_filter) &&
         (static_cast<unsigned char>(text[text.size() - sizeof(sock_filter)]) & 0x07u) == BPF_RET;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  auto const text = fuzz::text_of(bytes, size);
  unique_fd const file{::memfd_create("filter", MFD_CLOEXEC)};
  require(::write(file.get(), bytes, size) == static_cast<ssize_t>(size), "the file is written");
  auto const path = "/proc/self/fd/" + std::to_string(file.get());
  auto const loaded = load_seccomp_filter(path);
  if (!loaded) {
    require(loaded.error().code() == errc::sandbox_step_failed, "a refusal has its code");
    require(loaded.error().detail().find(path) != std::string::npos, "a refusal names the file");
    return 0;
  }
  require(size != 0 && size % sizeof(sock_filter) == 0, "a filter is whole instructions");
  require(size / sizeof(sock_filter) <= max_seccomp_instructions, "a filter is one for the kernel");
  require(ends_in_return(text), "a filter ends in a decision");
  std::string content(size + 1, '\0');
  require(::pread(loaded->get(), content.data(), content.size(), 0) == static_cast<ssize_t>(size) &&
              text == std::string_view{content}.substr(0, size),
          "what is loaded is the file's bytes");
  require(::lseek(loaded->get(), 0, SEEK_CUR) == 0, "it is read from its start");
  require(::write(loaded->get(), "x", 1) < 0 && ::ftruncate(loaded->get(), 0) < 0,
          "nobody can change it");
  return 0;
}
