#include "shared/forked.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace {

using bulkhead::platform::unique_fd;
using bulkhead::testing::holds_in_child;

unique_fd open_null() {
  return unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

} // namespace

TEST_CASE("a descriptor is closed at the end of its owner's life", "[unique_fd]") {
  int number = -1;
  {
    auto const fd = open_null();
    number = fd.get();
    REQUIRE(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a moved descriptor has one owner", "[unique_fd]") {
  auto first = open_null();
  auto const number = first.get();
  auto second = std::move(first);
  CHECK_FALSE(first);
  CHECK(second.get() == number);

  auto third = open_null();
  auto const replaced = third.get();
  third = std::move(second);
  CHECK(third.get() == number);
  CHECK_FALSE(is_open(replaced));
  CHECK(is_open(number));
}

TEST_CASE("a released descriptor stays open", "[unique_fd]") {
  auto fd = open_null();
  auto const number = fd.release();
  fd.reset();
  CHECK(is_open(number));
  ::close(number);
}

TEST_CASE("a system call's failure is no descriptor and keeps its errno", "[unique_fd]") {
  auto const other = open_null();
  auto refused = open_null();
  errno = 0;
  refused = unique_fd{::open("/nowhere/at/all", O_RDONLY | O_CLOEXEC)};
  CHECK(errno == ENOENT);
  CHECK_FALSE(refused);
  CHECK(refused.get() == -1);
}

TEST_CASE("a duplicate is closed on exec and numbered as asked", "[unique_fd]") {
  auto const fd = open_null();
  auto const copy = bulkhead::platform::duplicate(fd.get(), 100);
  CHECK(copy.get() >= 100);
  CHECK(::fcntl(copy.get(), F_GETFD) == FD_CLOEXEC);
  CHECK_FALSE(bulkhead::platform::duplicate(-1, 0));
}

TEST_CASE("no descriptor keeps the number of a standard stream", "[unique_fd]") {
  // In a process of its own: this one needs its standard streams.
  CHECK(holds_in_child([] {
    ::close(STDIN_FILENO);
    auto low = open_null();
    auto const was_low = low.get() == STDIN_FILENO;
    auto const lifted = bulkhead::platform::above_standard_streams(std::move(low));
    return was_low && lifted.get() > STDERR_FILENO && !is_open(STDIN_FILENO);
  }));
}
