#include "shared/forked.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/locked_memory.hpp>

#include <bulkhead/messages/sensitive.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace {

using bulkhead::platform::secret_bytes;
using bulkhead::testing::holds_for_ordinary_user;

#ifdef __SANITIZE_ADDRESS__
/// AddressSanitizer makes mlock() do nothing and succeed.
constexpr auto pages_can_be_locked = false;
#else
constexpr auto pages_can_be_locked = true;
#endif

/// What the kernel says about the mapping that holds an address: a line of /proc/self/smaps.
std::string mapping_line(void const* address, std::string const& field) {
  std::ifstream maps{"/proc/self/smaps"};
  auto const wanted = reinterpret_cast<std::uintptr_t>(address);
  auto is_in = false;
  for (std::string line; std::getline(maps, line);) {
    auto first = std::uintptr_t{0};
    auto last = std::uintptr_t{0};
    if (std::sscanf(line.c_str(), "%lx-%lx ", &first, &last) == 2)
      is_in = first <= wanted && wanted < last;
    else if (is_in && line.starts_with(field))
      return line;
  }
  return {};
}

} // namespace

TEST_CASE("secret bytes hold a copy, and none at all hold nothing") {
  secret_bytes const held{"abc"};
  CHECK(held.view() == "abc");
  CHECK(held.size() == 3);
  secret_bytes const none;
  CHECK(none.empty());
  CHECK(none.view().empty());
  CHECK(none.is_locked());
  CHECK(secret_bytes{std::string_view{}}.empty());
}

TEST_CASE("secret bytes of a size are zeros that can be written to") {
  secret_bytes held{5000};
  CHECK(std::ranges::all_of(held.bytes(), [](auto byte) { return byte == 0; }));
  std::ranges::fill(held.bytes(), static_cast<unsigned char>('x'));
  CHECK(held.view() == std::string(5000, 'x'));
}

TEST_CASE("secret bytes move, and what they were moved from is empty") {
  secret_bytes first{"one"};
  auto second = std::move(first);
  CHECK(first.empty());
  CHECK(second.view() == "one");
  secret_bytes third{"three"};
  third = std::move(second);
  CHECK(third.view() == "one");
  CHECK(second.empty());
}

TEST_CASE("secret bytes are locked in memory and left out of core files") {
  secret_bytes const held{"abc"};
  REQUIRE(held.is_locked());
  auto const flags = mapping_line(held.view().data(), "VmFlags:");
  CHECK((flags.find(" lo") != flags.npos) == pages_can_be_locked);
  CHECK(flags.find(" dd") != flags.npos);
}

TEST_CASE("secret bytes past the limit of locked memory are held, and say that they are not") {
  auto const as_a_user_without_any = [] {
    // Root may lock what it likes; an ordinary user has the limit only.
    rlimit const none{0, 0};
    if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0)
      return false;
    secret_bytes const held{"abc"};
    return held.is_locked() != pages_can_be_locked && held.view() == "abc";
  };
  CHECK(holds_for_ordinary_user(as_a_user_without_any));
}

TEST_CASE("what is wiped is zeros") {
  auto text = std::string{"secret"};
  bulkhead::wipe(text);
  CHECK(text == std::string(6, '\0'));
  bulkhead::wipe(std::span<char>{});
}

TEST_CASE("secret bytes give their pages back") {
  void const* where = nullptr;
  {
    secret_bytes const held{"abc"};
    where = held.view().data();
    REQUIRE_FALSE(mapping_line(where, "VmFlags:").empty());
  }
  auto const left = mapping_line(where, "VmFlags:");
  CHECK(left.find(" dd") == left.npos);
}
