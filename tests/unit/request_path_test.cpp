#include <bulkhead/config/request_path.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <random>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

std::string canonical(std::string_view asked, std::string_view relative_to = "/srv/x") {
  INFO(asked);
  auto const path = canonical_path(asked, relative_to);
  REQUIRE(path.has_value());
  return *path;
}

void check_refused(std::string_view asked, std::string_view relative_to = "/srv/secret-folder") {
  INFO(asked);
  auto const refused = canonical_path(asked, relative_to);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::invalid_payload);
  auto const sentence = refused.error().detail();
  for (char const c : sentence)
    CHECK(static_cast<unsigned char>(c) >= 0x20);
  CHECK(sentence.find("secret-folder") == std::string::npos);
}

} // namespace

// Threat 41.
TEST_CASE("dots, repeated slashes and a slash at the end are resolved") {
  CHECK(canonical("/srv//a/./b/../c/") == "/srv/a/c");
  CHECK(canonical("/") == "/");
  CHECK(canonical("//") == "/");
  CHECK(canonical("/a/..") == "/");
  CHECK(canonical("/...") == "/...");
  CHECK(canonical("/a/..b/.c") == "/a/..b/.c");
}

TEST_CASE("a relative path is relative to its folder and may leave it, for the rules to decide") {
  CHECK(canonical("a/b") == "/srv/x/a/b");
  CHECK(canonical("a/b", "/") == "/a/b");
  CHECK(canonical(".") == "/srv/x");
  CHECK(canonical("../y") == "/srv/y");
  CHECK(canonical("../..") == "/");
  CHECK(canonical("../../etc", "/srv/x") == "/etc");
}

TEST_CASE("a path that climbs above the root is refused") {
  check_refused("/..");
  check_refused("/a/../../a");
  check_refused("../../..");
}

// Threat 45.
TEST_CASE("a plain path is never decoded") {
  CHECK(canonical("%2e%2e/a") == "/srv/x/%2e%2e/a");
  CHECK(canonical("/a/%252e%252e/%2f") == "/a/%252e%252e/%2f");
  CHECK(canonical("http://a/b") == "/srv/x/http:/a/b");
  CHECK(canonical("./file:/a") == "/srv/x/file:/a");
  CHECK(canonical("a\\..\\b") == "/srv/x/a\\..\\b");
}

// Threat 45.
TEST_CASE("a file: URI is decoded exactly once") {
  CHECK(canonical("file:///a/%2e%2e/b") == "/b");
  CHECK(canonical("file:///a/%252e%252e/b") == "/a/%2e%2e/b");
  CHECK(canonical("file:///a%20b/c%3Fd%23e") == "/a b/c?d#e");
  CHECK(canonical("file:///%C3%A9") == "/\u00E9");
  CHECK(canonical("file:/a") == "/a");
  CHECK(canonical("FILE://LocalHost/a") == "/a");
  CHECK(canonical("file:////a//b/") == "/a/b");
}

TEST_CASE("a file: URI that is more than a path of this machine is refused") {
  for (auto const* asked :
       {"file://other/a", "file://localhost:80/a", "file://me@localhost/a", "file:///a?b",
        "file:///a?", "file:///a#b", "file:///a#", "file:a", "file:", "file:///a%2Fb",
        "file:///a%2fb", "file:///a%00b", "file:///a%0Ab", "file:///a%", "file:///a%zz",
        "file:///a b", "file:///%2e%2e/a", "file:///../a"})
    check_refused(asked);
}

// Threat 46.
TEST_CASE("an empty path, control characters and what is too long are refused") {
  check_refused("");
  check_refused(std::string_view{"/a\0b", 4});
  check_refused("/a\nb");
  check_refused("a\x1B[31m");
  check_refused("/a\x7F");
  check_refused("/a\xC2\x85");
  CHECK(canonical("/\u00E5") == "/\u00E5"); // C3 A5: no control character of its own

  auto const of_size = [](std::size_t size) { return "/" + std::string(size - 1, 'a'); };
  CHECK(canonical(of_size(4095)).size() == 4095);
  check_refused(of_size(4096));
  check_refused(of_size(4097));
  check_refused(std::string(4095, 'a'));
  check_refused("/a" + std::string(4094, '/'));
  check_refused("file://" + of_size(4096));
  check_refused("file:///" + std::string(3 * 5000, 'a'));
  std::string encoded = "file:///";
  for (int i = 0; i < 4094; ++i)
    encoded += "%61";
  CHECK(canonical(encoded).size() == 4095);
}

TEST_CASE("what is canonical already stays as it is, and everything becomes canonical") {
  std::mt19937 source{4711};
  std::vector<std::string> const pieces{"/", "/", ".", "..", "a", "b", "\u00E9", "%2e", "/../"};
  int kept = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string asked;
    for (auto left = source() % 8; left > 0; --left)
      asked += pieces[source() % pieces.size()];
    auto const path = canonical_path(asked, "/srv");
    if (!path)
      continue;
    INFO(asked);
    REQUIRE(is_canonical_path(*path));
    REQUIRE(canonical_path(*path, "/other").value() == *path);
    if (is_canonical_path(asked)) {
      REQUIRE(*path == asked);
      ++kept;
    }
  }
  CHECK(kept > 100);
}

TEST_CASE("only an absolute and normal path is canonical") {
  for (auto const* path : {"/", "/a", "/a/b", "/...", "/.a"})
    CHECK(is_canonical_path(path));
  for (auto const* path : {"", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/.", "/a/../b", "/a\n"})
    CHECK_FALSE(is_canonical_path(path));
}
