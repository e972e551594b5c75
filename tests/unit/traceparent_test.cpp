#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/traceparent.hpp>

#include <string>

using namespace bulkhead;

TEST_CASE("a traceparent has a version, two ids that are not zero, and flags") {
  std::string const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  CHECK(is_traceparent(good));
  auto const with = [&](std::size_t at, std::string_view what) {
    return std::string{good}.replace(at, what.size(), what);
  };
  CHECK(is_traceparent(with(0, "cc")));
  CHECK_FALSE(is_traceparent(with(0, "ff")));
  CHECK_FALSE(is_traceparent(with(3, std::string(32, '0'))));
  CHECK_FALSE(is_traceparent(with(36, std::string(16, '0'))));
  CHECK_FALSE(is_traceparent(with(3, "4BF9")));
  CHECK_FALSE(is_traceparent(with(53, "g1")));
  for (std::size_t const dash : {2U, 35U, 52U})
    CHECK_FALSE(is_traceparent(with(dash, "_")));
  CHECK_FALSE(is_traceparent(good + "-00"));
  CHECK_FALSE(is_traceparent(good.substr(1)));
  CHECK_FALSE(is_traceparent(""));
}
