#include "shared/forked.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/run_directory.hpp>

#include <fcntl.h>
#include <fstream>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::open_state_directory;
using bulkhead::platform::run_directory;
using bulkhead::testing::content_of;
using bulkhead::testing::holds_in_child;
using bulkhead::testing::temporary_directory;

mode_t mode_of(fs::path const& path) {
  struct stat seen {};
  REQUIRE(::lstat(path.c_str(), &seen) == 0);
  return seen.st_mode & 0777;
}

std::vector<fs::path> folders_in(fs::path const& path) {
  std::vector<fs::path> found;
  for (auto const& entry : fs::directory_iterator{path})
    if (entry.is_directory())
      found.push_back(entry.path());
  return found;
}

/// What a runtime leaves behind that is killed: `make` runs in a process that then ends without any
/// destructor.
template <class Make>
void in_a_killed_process(Make make) {
  REQUIRE(holds_in_child([&] {
    auto const kept = make();
    ::_exit(kept.has_value() ? 0 : 1);
    return false;
  }));
}

errc code_of(fs::path const& state_dir) {
  auto const opened = open_state_directory(state_dir);
  return opened ? errc{} : opened.error().code();
}

} // namespace

TEST_CASE("a missing state directory is created for its owner only", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "new/state";
  REQUIRE(open_state_directory(state).has_value());
  CHECK(mode_of(state) == 0700);
  CHECK(open_state_directory(state).has_value());
  CHECK(open_state_directory(state.string() + "/").has_value());
}

TEST_CASE("a state directory that others can enter is refused with the remedy", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  fs::create_directory(state);
  ::chmod(state.c_str(), 0750);
  auto const refused = open_state_directory(state);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::state_dir_unusable);
  CHECK(refused.error().detail() == "can't use " + state.string() + ": other users can enter it");
  CHECK(refused.error().remedy() == "chmod 700 " + state.string());
}

TEST_CASE("a state directory that is a symbolic link or a file is refused", "[run_directory]") {
  temporary_directory const scratch;
  fs::create_directory(scratch.path() / "real");
  ::chmod((scratch.path() / "real").c_str(), 0700);
  fs::create_symlink(scratch.path() / "real", scratch.path() / "link");
  std::ofstream{scratch.path() / "file"} << "x";
  CHECK(code_of(scratch.path() / "link") == errc::state_dir_unusable);
  CHECK(code_of(scratch.path() / "link/") == errc::state_dir_unusable);
  CHECK(code_of(scratch.path() / "link/.") == errc::state_dir_unusable);
  CHECK(code_of(scratch.path() / "file") == errc::state_dir_unusable);
  CHECK(code_of(scratch.path() / "file/state") == errc::state_dir_unusable);
  CHECK(code_of("") == errc::state_dir_unusable);
}

TEST_CASE("a state directory that can't be created is refused with its path", "[run_directory]") {
  // Nobody can create anything there, not even root.
  auto const refused = open_state_directory("/proc/bulkhead/state");
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::state_dir_unusable);
  CHECK(refused.error().detail().find("/proc/bulkhead/state") != std::string::npos);
  CHECK_FALSE(refused.error().remedy().empty());
}

TEST_CASE("a state directory of another user is refused", "[run_directory]") {
  if (::geteuid() != 0) {
    CHECK(code_of("/root") == errc::state_dir_unusable);
    return;
  }
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  fs::create_directory(state);
  ::chmod(state.c_str(), 0700);
  REQUIRE(::chown(state.c_str(), 65534, 65534) == 0);
  CHECK(code_of(state) == errc::state_dir_unusable);
}

TEST_CASE("each runtime has a folder of its own that goes with it", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  std::optional<run_directory> first = run_directory::create(state, "first").value();
  std::optional<run_directory> second = run_directory::create(state, "first").value();
  auto const first_path = first->path();
  auto const second_path = second->path();
  CHECK(first_path != second_path);
  CHECK(first_path.is_absolute());
  CHECK(mode_of(first_path) == 0700);
  CHECK(mode_of(first_path.parent_path()) == 0700);

  fs::create_directories(first_path / "deep/er");
  fs::create_symlink(second_path, first_path / "deep/link");
  first.reset();
  CHECK_FALSE(fs::exists(first_path));
  CHECK(fs::exists(second_path));
  second.reset();
  CHECK(folders_in(state / "run").empty());
}

TEST_CASE("a moved folder is removed once, at the end", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  auto held = run_directory::create(state, "a").value();
  auto const first = held.path();
  held = run_directory::create(state, "b").value();
  CHECK_FALSE(fs::exists(first));
  CHECK(fs::exists(held.path()));
  CHECK(held.write_file("f", "x").has_value());
}

TEST_CASE("the folder's name is short and plain whatever the runtime's name", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  auto const run = run_directory::create(state, "../a b/\nc and very much more of it").value();
  CHECK(run.path().parent_path() == state / "run");
  auto const name = run.path().filename().string();
  CHECK(name.size() <= 30);
  CHECK(name.starts_with("___a_b__c_an-"));
}

TEST_CASE("what a killed runtime left behind is removed by the next one", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  in_a_killed_process([&] {
    auto run = run_directory::create(state, "killed");
    run->write_file("host.js", "left").value();
    return run;
  });
  auto const left = folders_in(state / "run");
  REQUIRE(left.size() == 1);
  auto const next = run_directory::create(state, "next").value();
  CHECK(folders_in(state / "run") == std::vector{next.path()});
}

TEST_CASE("the folder of a runtime that lives is left alone", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  auto const living = run_directory::create(state, "living").value();
  in_a_killed_process([&] { return run_directory::create(state, "other"); });
  auto const next = run_directory::create(state, "next").value();
  CHECK(fs::exists(living.path()));
  CHECK(folders_in(state / "run").size() == 2);
}

TEST_CASE("removing a dead runtime's folder follows no symbolic link", "[run_directory]") {
  temporary_directory const scratch;
  auto const state = scratch.path() / "state";
  fs::create_directory(scratch.path() / "precious");
  std::ofstream{scratch.path() / "precious/file"} << "x";
  in_a_killed_process([&] {
    auto run = run_directory::create(state, "killed");
    fs::create_symlink(scratch.path() / "precious", run->path() / "trap");
    fs::create_symlink(scratch.path() / "precious", state / "run/trap");
    return run;
  });
  auto const next = run_directory::create(state, "next").value();
  CHECK(folders_in(state / "run").size() >= 1);
  CHECK(fs::exists(scratch.path() / "precious/file"));
}

TEST_CASE("a file is written once and only its owner can read it", "[run_directory]") {
  temporary_directory const scratch;
  auto const run = run_directory::create(scratch.path() / "state", "r").value();
  auto const content = std::string(100'000, 'x') + '\0';
  auto const old_mask = ::umask(0777);
  auto const path = run.write_file("bootstrap.js", content);
  ::umask(old_mask);
  REQUIRE(path.has_value());
  CHECK(*path == run.path() / "bootstrap.js");
  CHECK(mode_of(*path) == 0400);
  CHECK(content_of(*path) == content);

  auto const again = run.write_file("bootstrap.js", "other");
  CHECK(again.error().code() == errc::state_dir_unusable);
  CHECK(again.error().detail().find("File exists") != std::string::npos);
}

TEST_CASE("a file's name can't lead out of the folder", "[run_directory]") {
  temporary_directory const scratch;
  auto const run = run_directory::create(scratch.path() / "state", "r").value();
  for (auto const* const name : {"", ".", "..", "../x", "a/b", "/x", "lock"})
    CHECK(run.write_file(name, "x").has_error());
  fs::create_symlink(scratch.path() / "elsewhere", run.path() / "link");
  CHECK(run.write_file("link", "x").has_error());
  CHECK_FALSE(fs::exists(scratch.path() / "elsewhere"));
}
