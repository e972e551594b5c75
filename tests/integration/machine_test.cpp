// What the machine may lack: Node, a writable state directory.

#include "test_hosts.hpp"

#include <bulkhead/runtime.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace test_hosts;

namespace {

/// Another PATH for as long as it lives.
class search_path {
public:
  explicit search_path(std::filesystem::path const& folder) {
    if (auto const* const before = std::getenv("PATH"))
      before_ = before;
    ::setenv("PATH", folder.c_str(), 1);
  }
  ~search_path() { ::setenv("PATH", before_.c_str(), 1); }

private:
  std::string before_;
};

} // namespace

TEST_CASE("without Node a Node host crashes at once and says what to install") {
  temporary_directory nothing;
  search_path const empty{nothing.path()};
  harness run{policy_of({node_host("tool", folder / "extensions/echo")})};
  run->start();
  auto const crash = run.wait_for_entry("tool", host_state::Crashed);
  REQUIRE(crash);
  CHECK(crash->why == reason::launch_failed);
  CHECK(crash->detail.find("interpreter_missing, 4602") != std::string::npos);
  CHECK(crash->detail.find("install") != std::string::npos);
  auto const refused = run.call_host("tool", "ping");
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::host_not_running);
}

TEST_CASE("a state directory on a file system that can't be written is state_dir_unusable") {
  auto what = policy_of({serving_host()});
  what.state_dir = "/proc/bulkhead-state"; // root can't write there either
  try {
    runtime refused{what};
    FAIL("it was accepted");
  } catch (error const& failed) {
    CHECK(failed.code() == errc::state_dir_unusable);
    CHECK(std::string{failed.what()}.find("/proc/bulkhead-state") != std::string::npos);
    CHECK(!failed.remedy().empty());
  }
}

TEST_CASE("a state directory that its owner may not write is state_dir_unusable") {
  if (::geteuid() == 0)
    return; // nothing keeps root from writing: the test above is root's
  temporary_directory files;
  auto const closed = files.path() / "closed";
  std::filesystem::create_directory(closed);
  std::filesystem::permissions(closed, std::filesystem::perms::owner_read |
                                           std::filesystem::perms::owner_exec);
  auto what = policy_of({serving_host()});
  what.state_dir = closed;
  CHECK_THROWS_AS(runtime{what}, error);
  std::filesystem::permissions(closed, std::filesystem::perms::owner_all);
}
