#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/config/text_file.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;

TEST_CASE("each type that Bulkhead serves is found by its name, and no other") {
  for (auto const& served : served_requests())
    CHECK(find_served_request(served.type) == &served);
  for (auto const* other : {"", "fs", "fs.", "fs.readfile", "fs.readFileX", "zzz"})
    CHECK(find_served_request(other) == nullptr);
}

TEST_CASE("the documentation's table of permissions is the one that decides") {
  auto const text = read_text_file(BULKHEAD_TEST_SOURCE_DIR "/docs/protocol.md", 1u << 20,
                                   errc::policy_unreadable);
  REQUIRE(text.has_value());
  INFO("docs/protocol.md has to hold this:\n" << served_requests_table());
  CHECK(text->find(served_requests_table()) != std::string::npos);
}
