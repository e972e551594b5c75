#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/code_file.hpp>

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace bulkhead;
using namespace bulkhead::platform;

namespace {

std::string const header{"BHCODE1\n\x03\0\0\0\x02\0\0\0\x18\0\0\0", 20};

unique_fd written(std::string const& bytes) {
  auto file = make_code_file();
  REQUIRE(file.has_value());
  REQUIRE(::pwrite(file->get(), bytes.data(), bytes.size(), 0) ==
          static_cast<ssize_t>(bytes.size()));
  return std::move(*file);
}

/// Whether writing, growing, cutting and mapping to write are refused.
bool is_closed(int file) {
  auto const fails = [](auto outcome) { return outcome == -1 && errno == EPERM; };
  auto* const mapped = ::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  return fails(::pwrite(file, "x", 1, 0)) && fails(::ftruncate(file, 1 << 20)) &&
         fails(::ftruncate(file, 0)) && mapped == MAP_FAILED;
}

} // namespace

TEST_CASE("what was compiled can be read, and changed by nobody") {
  auto const file = written(header + "2[]x");
  auto const other = unique_fd{
      ::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDWR | O_CLOEXEC)};
  REQUIRE(other);
  CHECK(::pwrite(other.get(), "B", 1, 0) == 1);
  auto const code = seal_code(duplicate(file.get(), 3));
  REQUIRE(code.has_value());
  CHECK(code->scripts == 3);
  CHECK(code->bytes == 24);
  CHECK(::lseek(code->file.get(), 0, SEEK_END) == 24);
  CHECK(is_closed(code->file.get()));
  CHECK(is_closed(other.get())); // whoever has it
}

TEST_CASE("a code file takes so much and no more") {
  auto const file = make_code_file();
  REQUIRE(file.has_value());
  CHECK(::lseek(file->get(), 0, SEEK_END) == static_cast<off_t>(largest_code));
  CHECK(::pwrite(file->get(), "x", 1, static_cast<off_t>(largest_code)) == -1);
  CHECK(::ftruncate(file->get(), static_cast<off_t>(largest_code + 1)) == -1);
}

TEST_CASE("what was not written to its end, or is still written to, is no code") {
  auto nothing = make_code_file();
  REQUIRE(nothing.has_value());
  CHECK(seal_code(std::move(*nothing)).has_error());
  auto other = header;
  other[0] = 'x';
  CHECK(seal_code(written(other)).has_error());
  auto short_one = header;
  short_one[16] = 19;
  CHECK(seal_code(written(short_one)).has_error());
  auto long_one = header;
  long_one[19] = 5;
  CHECK(seal_code(written(long_one)).has_error());

  auto mapped = written(header + "2[]x");
  auto* const window = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped.get(), 0);
  REQUIRE(window != MAP_FAILED);
  CHECK(seal_code(std::move(mapped)).has_error());
  ::munmap(window, 4096);
}

TEST_CASE("the list of scripts can be read and not changed") {
  auto const list = make_script_list("[]");
  REQUIRE(list.has_value());
  char text[3] = {};
  CHECK(::read(list->get(), text, sizeof text) == 2);
  CHECK(std::string{text} == "[]");
  CHECK(is_closed(list->get()));
}
