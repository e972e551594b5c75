#include "shared/code_of.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/ownership.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::require_safe_owner;
using bulkhead::platform::require_safe_path;
using bulkhead::platform::unique_fd;
using bulkhead::testing::code_of;
using bulkhead::testing::contains;
using bulkhead::testing::no_error;
using bulkhead::testing::temporary_directory;

struct stat status(mode_t mode, uid_t owner = ::geteuid(), gid_t group = 0) {
  struct stat seen {};
  seen.st_mode = mode;
  seen.st_uid = owner;
  seen.st_gid = group;
  return seen;
}

/// Nobody's, as no system has so many users.
constexpr uid_t stranger = 4'000'000'001;

bulkhead::result<std::string> look_at(fs::path const& path) {
  unique_fd const object{::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  REQUIRE(object);
  return require_safe_path(object.get());
}

bulkhead::error refused(fs::path const& path) {
  auto const looked = look_at(path);
  REQUIRE(looked.has_error());
  CHECK(looked.error().code() == errc::integrity_unsafe_owner);
  return looked.error();
}

/// `a/b/file` in a private folder, with the modes that a careful administrator gives.
struct tree {
  tree() {
    ::chmod(folders.write("a/b/file", "x").c_str(), 0644);
    ::chmod(path("a").c_str(), 0755);
    ::chmod(path("a/b").c_str(), 0755);
  }
  fs::path path(std::string const& name) const { return fs::canonical(folders.path()) / name; }

  temporary_directory folders;
};

} // namespace

TEST_CASE("what only root or this user can change is safe", "[ownership]") {
  auto const owner = GENERATE(uid_t{0}, ::geteuid());
  CHECK(code_of(require_safe_owner(status(S_IFREG | 0755, owner), "/x")) == no_error);
  CHECK(code_of(require_safe_owner(status(S_IFDIR | 0700, owner), "/x")) == no_error);
  CHECK(code_of(require_safe_owner(status(S_IFLNK | 0777, owner), "/x")) == no_error);
}

TEST_CASE("what its group or everybody can change is refused, with the command that helps",
          "[ownership]") {
  auto const by_group = require_safe_owner(status(S_IFREG | 0664), "/opt/an extension/x's");
  REQUIRE(by_group.has_error());
  CHECK(by_group.error().code() == errc::integrity_unsafe_owner);
  CHECK(contains(by_group.error().detail(), "/opt/an extension/x's can be changed by its group"));
  CHECK(contains(by_group.error().detail(), "group root (0), with mode 0664"));
  CHECK(by_group.error().remedy() == "chmod go-w '/opt/an extension/x'\\''s'");

  auto const by_all = require_safe_owner(status(S_IFDIR | S_ISVTX | 0777), "/shared");
  REQUIRE(by_all.has_error());
  CHECK(contains(by_all.error().detail(), "can be changed by everybody"));
  CHECK(contains(by_all.error().detail(), "mode 1777"));
  CHECK(by_all.error().remedy() == "use a folder in it that only you can write to");
}

TEST_CASE("what belongs to somebody else is refused, even a link", "[ownership]") {
  auto const type = GENERATE(mode_t{S_IFREG}, mode_t{S_IFDIR}, mode_t{S_IFLNK});
  auto const looked = require_safe_owner(status(type | 0700, stranger, stranger), "/x");
  REQUIRE(looked.has_error());
  CHECK(contains(looked.error().detail(), "user 4000000001 and group 4000000001, with mode 0700"));
  CHECK(looked.error().remedy() == "chown root /x");
}

TEST_CASE("the remedy for a part of a tree covers the tree", "[ownership]") {
  auto const looked = require_safe_owner(status(S_IFREG | 0666), "/x/file", "/x");
  REQUIRE(looked.has_error());
  CHECK(contains(looked.error().detail(), "/x/file can be changed"));
  CHECK(looked.error().remedy() == "chmod -R go-w /x");
}

TEST_CASE("a path is safe below a sticky folder that everybody can write to", "[ownership]") {
  tree const t;
  struct stat temporary;
  REQUIRE(::stat(t.folders.path().parent_path().c_str(), &temporary) == 0);
  INFO("the folder for temporary files, which is as it is on every system");
  CHECK((temporary.st_mode & S_ISVTX) != 0);
  auto const looked = look_at(t.path("a/b/file"));
  REQUIRE(looked.has_value());
  CHECK(*looked == t.path("a/b/file"));
  CHECK(code_of(look_at(t.path("a"))) == no_error);
  CHECK(code_of(look_at("/")) == no_error);
}

TEST_CASE("a folder above that others can write to is refused by its own name", "[ownership]") {
  tree const t;
  ::chmod(t.path("a").c_str(), 0775);
  CHECK(contains(refused(t.path("a/b/file")).detail(), t.path("a").string() + " can be changed"));
  CHECK(refused(t.path("a/b")).remedy() == "chmod go-w " + t.path("a").string());
  ::chmod(t.path("a").c_str(), 01777);
  CHECK(code_of(look_at(t.path("a/b/file"))) == no_error);
  CHECK(contains(refused(t.path("a")).remedy(), "use a folder in it"));
}

TEST_CASE("a file of somebody else in a sticky folder is refused", "[ownership]") {
  tree const t;
  ::chmod(t.path("a").c_str(), 01777);
  if (::chown(t.path("a/b").c_str(), stranger, stranger) != 0) {
    WARN("only root can give a folder away, so it is not tested here");
    return;
  }
  CHECK(refused(t.path("a/b/file")).remedy() == "chown root " + t.path("a/b").string());
}

TEST_CASE("a file that was deleted has no safe path", "[ownership]") {
  tree const t;
  unique_fd const object{::open(t.path("a/b/file").c_str(), O_PATH | O_CLOEXEC)};
  fs::remove(t.path("a/b/file"));
  auto const looked = require_safe_path(object.get());
  REQUIRE(looked.has_error());
  CHECK(looked.error().code() == errc::file_not_found);
}
