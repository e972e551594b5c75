#include "shared/code_of.hpp"
#include "shared/forked.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/verified_file.hpp>

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::cached_digest;
using bulkhead::platform::digest_cache;
using bulkhead::platform::file_identity;
using bulkhead::platform::hashing;
using bulkhead::platform::identity_of;
using bulkhead::platform::is_settled;
using bulkhead::platform::open_program;
using bulkhead::platform::parse_script_line;
using bulkhead::platform::read_digest;
using bulkhead::platform::script_line;
using bulkhead::platform::sha256;
using bulkhead::platform::to_hex;
using bulkhead::platform::unique_fd;
using bulkhead::platform::verified_file;
using bulkhead::testing::code_of;
using bulkhead::testing::exit_code_of;
using bulkhead::testing::no_error;
using bulkhead::testing::temporary_directory;

std::string hash_of(std::string_view content) {
  return to_hex(sha256{}.digest_of(content));
}

struct programs {
  fs::path program(fs::path const& name, std::string_view content, mode_t mode = 0755) const {
    auto const path = folder.write(name, content);
    ::chmod(path.c_str(), mode);
    return fs::canonical(path);
  }

  temporary_directory folder;
};

/// Writes without changing the size, again and again until the clock of the file system has gone
/// on: before Linux 6.13 it ticks every few milliseconds only.
void overwrite(int file) {
  auto const before = identity_of(file).value();
  while (identity_of(file).value() == before)
    REQUIRE(::pwrite(file, "C", 1, 0) == 1);
}

/// What the program behind a descriptor exits with.
int run(int fd) {
  return exit_code_of([fd] {
    std::string name = "program";
    char* argv[] = {name.data(), nullptr};
    char* environment[] = {nullptr};
    return ::fexecve(fd, argv, environment);
  });
}

} // namespace

TEST_CASE("a program is known by its hash and its real path", "[verified_file]") {
  programs const p;
  auto const path = p.program("program", "content");
  fs::create_symlink("program", p.folder.path() / "link");
  auto const file = verified_file::open(p.folder.path() / "link");
  REQUIRE(code_of(file) == no_error);
  CHECK(file->path() == path);
  CHECK(to_hex(file->digest()) == hash_of("content"));
  CHECK(file->matches(std::vector{hash_of("other"), hash_of("content")}));
  CHECK_FALSE(file->matches(std::vector{hash_of("other"), std::string{}}));
  CHECK_FALSE(file->matches({}));
  auto upper = hash_of("content");
  for (auto& c : upper)
    c = static_cast<char>(c >= 'a' ? c - 32 : c);
  CHECK(file->matches(std::vector{upper}));
  CHECK((::fcntl(file->fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("an interpreter that is swapped after it was hashed is still the one that runs",
          "[verified_file]") {
  programs const p;
  auto const path = p.folder.path() / "program";
  fs::copy_file("/bin/true", path);
  fs::copy_file("/bin/false", p.folder.path() / "evil");
  auto const file = verified_file::open(path);
  REQUIRE(code_of(file) == no_error);
  fs::rename(p.folder.path() / "evil", path);
  CHECK(run(file->fd()) == 0);
  CHECK(identity_of(file->fd())->inode == file->identity().inode);
  auto const swapped = verified_file::open(path);
  REQUIRE(code_of(swapped) == no_error);
  CHECK(swapped->digest() != file->digest());
  CHECK(run(swapped->fd()) == 1);
}

TEST_CASE("a program that is written to after it was hashed is noticed before it runs",
          "[verified_file]") {
  programs const p;
  auto const path = p.program("program", "content");
  auto const file = verified_file::open(path);
  REQUIRE(code_of(file) == no_error);
  CHECK(code_of(file->require_unchanged()) == no_error);
  unique_fd const written{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  overwrite(written.get());
  CHECK(code_of(file->require_unchanged()) == errc::integrity_mismatch);
}

TEST_CASE("what is no program that this user may run is refused without being opened",
          "[verified_file]") {
  programs const p;
  CHECK(code_of(verified_file::open(p.folder.path() / "none")) == errc::spawn_failed);
  CHECK(code_of(verified_file::open(p.folder.path())) == errc::spawn_failed);
  CHECK(code_of(verified_file::open(p.program("plain", "x", 0644))) == errc::spawn_failed);
  auto const fifo = p.folder.path() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0700) == 0);
  CHECK(code_of(verified_file::open(fifo)) == errc::spawn_failed);
  CHECK(code_of(verified_file::open("/dev/null")) == errc::spawn_failed);
}

TEST_CASE("a program that others can write to is refused", "[verified_file]") {
  programs const p;
  auto const mode = GENERATE(mode_t{0775}, mode_t{0757});
  auto const file = verified_file::open(p.program("program", "x", mode));
  REQUIRE(code_of(file) == errc::integrity_unsafe_owner);
  CHECK(file.error().remedy() == "chmod go-w " + p.program("program", "x").string());
}

TEST_CASE("a file that is not what was looked at is not hashed", "[verified_file]") {
  programs const p;
  auto const path = p.program("program", "content");
  unique_fd const file{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  auto const before = identity_of(file.get()).value();
  auto const how = hashing{.cache = nullptr};

  auto longer = before;
  longer.size = 8;
  CHECK(code_of(read_digest(file.get(), longer, "program", how)) == errc::integrity_mismatch);

  // Written to between two pieces of it.
  auto const meanwhile =
      hashing{.progress = [&](std::uint64_t) { overwrite(file.get()); }, .cache = nullptr};
  auto const failed = read_digest(file.get(), before, "program", meanwhile);
  REQUIRE(code_of(failed) == errc::integrity_mismatch);
  CHECK(failed.error().detail() == "program changed while it was hashed");
}

TEST_CASE("hashing ends when it is asked to", "[verified_file]") {
  programs const p;
  std::stop_source stop;
  stop.request_stop();
  auto const file = verified_file::open(p.program("program", "x"), {.stop = stop.get_token()});
  CHECK(code_of(file) == errc::request_cancelled);
}

TEST_CASE("a digest is cached once the file has settled, and only for that state of it",
          "[verified_file]") {
  programs const p;
  unique_fd const file{::open(p.program("program", "x").c_str(), O_RDONLY | O_CLOEXEC)};
  auto const fresh = identity_of(file.get()).value();
  digest_cache cache;
  CHECK(code_of(cached_digest(file.get(), fresh, "program", {.cache = &cache})) == no_error);
  CHECK(code_of(cached_digest(file.get(), fresh, "program", {.cache = &cache})) == no_error);
  CHECK(cache.hits() == 0);

  // Nobody can give a file an old ctime, so a program of the system has to do.
  unique_fd const old{::open("/bin/true", O_RDONLY | O_CLOEXEC)};
  auto const settled = identity_of(old.get()).value();
  auto const first = cached_digest(old.get(), settled, "true", {.cache = &cache});
  auto const second = cached_digest(old.get(), settled, "true", {.cache = &cache});
  REQUIRE(code_of(second) == no_error);
  CHECK(*second == *first);
  CHECK(cache.hits() == 1);
  auto changed = settled;
  ++changed.changed_ns;
  CHECK(code_of(cached_digest(old.get(), changed, "true", {.cache = &cache})) ==
        errc::integrity_mismatch);
}

TEST_CASE("a file has settled two seconds after its last change", "[verified_file]") {
  using namespace std::chrono_literals;
  using std::chrono::system_clock;
  auto const at = [](std::chrono::milliseconds time) { return system_clock::time_point{time}; };
  auto const identity = file_identity{1, 2, 3, 0, 10'000'000'000};
  CHECK_FALSE(is_settled(identity, at(9'000ms)));
  CHECK_FALSE(is_settled(identity, at(12'000ms)));
  CHECK(is_settled(identity, at(12'001ms)));
}

TEST_CASE("threads share a cache of digests", "[verified_file]") {
  digest_cache cache;
  constexpr int rounds = 2000; // beyond the capacity, so that it is emptied now and then
  auto const use = [&cache] {
    sha256 hash;
    for (int i = 0; i < rounds; ++i) {
      auto const key = hash.digest_of(std::to_string(i));
      cache.keep(key, key);
      auto const found = cache.find(key);
      if (found && *found != key)
        return false;
    }
    return true;
  };
  bool other_held = false;
  std::thread other{[&] { other_held = use(); }};
  CHECK(use());
  other.join();
  CHECK(other_held);
  CHECK(cache.hits() > 0);
}

TEST_CASE("the first line of a script is read as Linux reads it", "[verified_file]") {
  auto const parsed = [](std::string_view text) { return parse_script_line(text).value(); };
  CHECK(parsed("#!/bin/sh\necho") == script_line{"/bin/sh", ""});
  CHECK(parsed("#! \t/bin/sh -e -u \nx") == script_line{"/bin/sh", "-e -u"});
  CHECK(parsed("#!/bin/sh") == script_line{"/bin/sh", ""});
  CHECK(parsed("#!/bin/sh\t-x\n") == script_line{"/bin/sh", "-x"});
  for (auto const* const none : {"", "#",
                                 "\x7f"
                                 "ELF",
                                 " #!/bin/sh\n"})
    CHECK_FALSE(parsed(none).has_value());
  for (auto const* const wrong : {"#!", "#!\n/bin/sh", "#!   \n", "#!sh\n", "#!./sh\n"})
    CHECK(code_of(parse_script_line(wrong)) == errc::spawn_failed);
  CHECK(code_of(parse_script_line("#!/" + std::string(300, 'x') + "\n")) == errc::spawn_failed);
  CHECK(code_of(parse_script_line({"#!/bin\0/sh\n", 11})) == errc::spawn_failed);
}

TEST_CASE("of a script both files are verified, and the interpreter is what runs",
          "[verified_file]") {
  programs const p;
  auto const interpreter = p.program("bin/interpreter", "interpreter");
  auto const text = "#!" + interpreter.string() + " -x\n";
  auto const script = p.program("script", text);
  auto const program = open_program(script, "");
  REQUIRE(code_of(program) == no_error);
  CHECK(program->executable.path() == interpreter);
  REQUIRE(program->script.has_value());
  CHECK(program->script->path() == script);
  CHECK(program->argument == "-x");

  auto const both = std::vector{hash_of("interpreter"), hash_of(text)};
  CHECK(program->matches(both));
  CHECK(code_of(program->require_pinned(both)) == no_error);
  CHECK(code_of(program->require_pinned({})) == no_error);
  CHECK_FALSE(program->matches({}));
  for (auto const& one : both)
    CHECK(code_of(program->require_pinned(std::vector{one})) == errc::integrity_mismatch);
  auto const failed = program->require_pinned(std::vector{both.front()});
  CHECK(failed.error().detail().starts_with(script.string() + " is not what the policy pins"));
}

TEST_CASE("a program that env looks up is verified in its place", "[verified_file]") {
  programs const p;
  auto const tool = p.program("bin/tool", "tool");
  auto const folders = tool.parent_path().string();
  auto const found = open_program(p.program("script", "#!/usr/bin/env tool\n"), folders);
  REQUIRE(code_of(found) == no_error);
  CHECK(found->executable.path() == tool);
  CHECK(found->argument.empty());
  for (auto const* const line :
       {"#!/usr/bin/env", "#!/usr/bin/env -S tool -x", "#!/usr/bin/env A=1",
        "#!/usr/bin/env tool -x", "#!/usr/bin/env other"})
    CHECK(code_of(open_program(p.program("script", line), folders)) == errc::spawn_failed);
}

TEST_CASE("a script of a script is refused", "[verified_file]") {
  programs const p;
  auto const inner = p.program("inner", "#!/bin/sh\n");
  auto const outer = p.program("outer", "#!" + inner.string() + '\n');
  CHECK(code_of(open_program(outer, "")) == errc::spawn_failed);
}

TEST_CASE("Linux does not execute a script by a descriptor that is closed on exec",
          "[verified_file]") {
  programs const p;
  auto const script = verified_file::open(p.program("script", "#!/bin/sh\nexit 7\n"));
  REQUIRE(code_of(script) == no_error);
  CHECK(run(script->fd()) == 255);
}
