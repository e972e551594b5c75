#include "shared/forked.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/linux/uid_lease.hpp>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

using bulkhead::errc;
using bulkhead::platform::uid_lease;
using bulkhead::testing::is_root;
namespace disk = std::filesystem;

namespace {

/// Of a range that no other test uses.
constexpr uid_t first = 270'001;

struct stat status_of(disk::path const& path) {
  struct stat seen {};
  REQUIRE(::lstat(path.c_str(), &seen) == 0);
  return seen;
}

} // namespace

TEST_CASE("no two leases have the same uid, and one that is given back is free") {
  if (!is_root())
    return;
  constexpr uid_t alone = first + 1000; // the tests after this one run at the same time
  std::optional one{uid_lease::take(alone).value()};
  auto const two = uid_lease::take(alone).value();
  auto const given_back = one->uid();
  CHECK(given_back >= alone);
  CHECK(two.uid() >= alone);
  CHECK(two.uid() != given_back);
  auto const folder = one->folder();
  CHECK(disk::exists(folder));
  one.reset();
  CHECK(!disk::exists(folder));
  // A test that looks for what killed backends have left may hold it for a moment.
  auto uid = uid_t{0};
  for (auto tries = 0; uid != given_back && tries < 1000; ++tries)
    uid = uid_lease::take(alone).value().uid();
  CHECK(uid == given_back);
}

TEST_CASE("the next lease removes what killed backends have left, and nothing that is held") {
  if (!is_root())
    return;
  auto const held = uid_lease::take(first).value();
  auto const left = held.folder().parent_path() / std::to_string(first + 7);
  disk::create_directory(left);
  std::ofstream{left / "script.js"} << "content";
  auto const next = uid_lease::take(first).value();
  // A test that runs at the same time may be removing it, and hold it meanwhile.
  for (auto tries = 0; disk::exists(left) && tries < 1000; ++tries)
    uid_lease::take(first).value();
  CHECK(!disk::exists(left));
  CHECK(disk::exists(held.folder()));
  CHECK(disk::exists(next.folder()));
}

TEST_CASE("a uid that is somebody's is not taken") {
  if (!is_root())
    return;
  auto const refused = uid_lease::take(0);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code() == errc::sandbox_unavailable);
  CHECK(refused.error().remedy().find("runtime.first_uid") != std::string::npos);
}

TEST_CASE("what a lease's folder holds everybody may read, and goes with it") {
  if (!is_root())
    return;
  disk::path file;
  {
    auto const lease = uid_lease::take(first).value();
    REQUIRE(lease.write_file("script.js", "content").has_value());
    file = lease.folder() / "script.js";
    CHECK((status_of(file).st_mode & 07777) == 0444);
    CHECK((status_of(lease.folder()).st_mode & 07777) == 0755);
    CHECK(!lease.write_file("script.js", "again").has_value());
  }
  CHECK(!disk::exists(file));
}

TEST_CASE("a folder is given with all in it, and no link is followed") {
  if (!is_root())
    return;
  bulkhead::testing::temporary_directory place;
  auto const outside = place.write("outside", "not its own");
  auto const own = place.path() / "own";
  disk::create_directories(own / "below");
  place.write("own/below/file", "its own");
  disk::create_symlink(outside, own / "link");
  auto const lease = uid_lease::take(first).value();
  REQUIRE(lease.give(own).has_value());
  for (auto const* const name : {"", "below", "below/file", "link"}) {
    INFO(name);
    CHECK(status_of(own / name).st_uid == lease.uid());
  }
  CHECK(status_of(outside).st_uid == 0);
}
