#include <bulkhead/harness/scripted/program_image.hpp>

#include <bulkhead/platform/unique_fd.hpp>

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <string_view>
#include <system_error>
#include <unistd.h>

// BULKHEAD_SCRIPTED_PROGRAM names the file that the build makes.
asm(".pushsection .rodata.bulkhead_scripted_program, \"a\", @progbits\n"
    ".balign 16\n"
    ".hidden bulkhead_scripted_program_begin\n"
    ".globl bulkhead_scripted_program_begin\n"
    "bulkhead_scripted_program_begin:\n"
    ".incbin \"" BULKHEAD_SCRIPTED_PROGRAM "\"\n"
    ".hidden bulkhead_scripted_program_end\n"
    ".globl bulkhead_scripted_program_end\n"
    "bulkhead_scripted_program_end:\n"
    ".popsection\n");

extern "C" char const bulkhead_scripted_program_begin[];
extern "C" char const bulkhead_scripted_program_end[];

namespace bulkhead::testing {

void write_scripted_program(std::filesystem::path const& file) {
  // Closed on exec: a file that somebody has open for writing can't be executed.
  platform::unique_fd const out{
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRWXU)};
  std::string_view left{bulkhead_scripted_program_begin, bulkhead_scripted_program_end};
  while (!left.empty()) {
    auto const written = ::write(out.get(), left.data(), left.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      throw std::filesystem::filesystem_error{"write", file, {errno, std::generic_category()}};
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

} // namespace bulkhead::testing
