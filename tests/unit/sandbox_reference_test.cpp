#include <bulkhead/config/text_file.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/launch_step.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>

#include <string>

using namespace bulkhead;

namespace {

std::string documented() {
  auto const text = read_text_file(BULKHEAD_TEST_SOURCE_DIR "/docs/sandbox.md", 1u << 20,
                                   errc::policy_unreadable);
  REQUIRE(text.has_value());
  return *text;
}

} // namespace

TEST_CASE("the documented table of the filter is the code's") {
  INFO("docs/sandbox.md has to hold this:\n" << platform::seccomp_reference());
  CHECK(documented().find(platform::seccomp_reference()) != std::string::npos);
}

TEST_CASE("every step of a launch is documented with its number and name") {
  auto const text = documented();
  for (auto const& each : platform::all_steps()) {
    auto const row = "| " + std::to_string(static_cast<int>(each.where)) + " | `" +
                     std::string{each.name} + "` |";
    INFO(row);
    CHECK(text.find(row) != std::string::npos);
  }
}
