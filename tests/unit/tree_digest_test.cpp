#include "shared/code_of.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/tree_digest.hpp>

#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::digest_cache;
using bulkhead::platform::digest_of_tree;
using bulkhead::platform::hashing;
using bulkhead::platform::identity_of;
using bulkhead::platform::kernel_resolver;
using bulkhead::platform::resolver;
using bulkhead::platform::sha256;
using bulkhead::platform::to_hex;
using bulkhead::platform::tree_bounds;
using bulkhead::platform::unique_fd;
using bulkhead::testing::code_of;
using bulkhead::testing::no_error;
using bulkhead::testing::temporary_directory;

auto const uncached = hashing{.cache = nullptr};

std::string hash_of(std::string_view content) {
  return to_hex(sha256{}.digest_of(content));
}

/// An extension in a folder of its own, beside which there is something else.
struct extension {
  extension() {
    fs::create_directory(path());
    ::chmod(path().c_str(), 0755);
    write("package.json", "{}");
    write("lib/main.js", "main");
  }

  fs::path path(fs::path const& name = {}) const {
    auto const root = fs::canonical(folder.path()) / "extension";
    return name.empty() ? root : root / name;
  }
  void write(fs::path const& name, std::string_view content, mode_t mode = 0644) const {
    auto const file = folder.write("extension" / name, content);
    ::chmod(file.c_str(), mode);
    ::chmod(file.parent_path().c_str(), 0755);
  }
  /// Writes until the clock of the file system has gone on: before Linux 6.13 it ticks every few
  /// milliseconds only.
  void overwrite(fs::path const& name, std::string_view content) const {
    unique_fd const file{::open(path(name).c_str(), O_WRONLY | O_CLOEXEC)};
    auto const before = identity_of(file.get()).value();
    while (identity_of(file.get()).value() == before)
      REQUIRE(::pwrite(file.get(), content.data(), content.size(), 0) ==
              static_cast<ssize_t>(content.size()));
  }
  std::string digest() const {
    auto const found = digest_of_tree(path(), uncached);
    REQUIRE(code_of(found) == no_error);
    return to_hex(found->digest);
  }
  bulkhead::error failure(tree_bounds bounds = {}) const {
    auto const found = digest_of_tree(path(), uncached, bounds);
    REQUIRE(found.has_error());
    return found.error();
  }

  temporary_directory folder;
};

} // namespace

TEST_CASE("the digest is that of the documented records", "[tree_digest]") {
  extension const e;
  e.write("run", "#!", 0755);
  fs::create_directory(e.path("empty"));
  fs::create_symlink("lib/main.js", e.path("link"));
  // "lib-b" is before "lib/main.js", as '-' is before '/'.
  e.write("lib-b", "b");

  auto records = std::string{};
  auto const add = [&](std::string const& kind, std::string const& hash, std::string const& path) {
    records += kind + ' ' + hash + "  " + path + '\0';
  };
  add("dir", "-", ".");
  add("dir", "-", "./empty");
  add("dir", "-", "./lib");
  add("file", hash_of("b"), "./lib-b");
  add("file", hash_of("main"), "./lib/main.js");
  add("link", hash_of("lib/main.js"), "./link");
  add("file", hash_of("{}"), "./package.json");
  add("exec", hash_of("#!"), "./run");

  auto const found = digest_of_tree(e.path(), uncached);
  REQUIRE(code_of(found) == no_error);
  CHECK(to_hex(found->digest) == hash_of(records));
  CHECK(found->path == e.path());
  CHECK(found->files == 4);
  CHECK(found->bytes == 9);
}

TEST_CASE("the digest of a single file is the one of its content", "[tree_digest]") {
  extension const e;
  auto const found = digest_of_tree(e.path("lib/main.js"), uncached);
  REQUIRE(code_of(found) == no_error);
  CHECK(to_hex(found->digest) == hash_of("main"));
  CHECK(found->path == e.path("lib/main.js"));
  CHECK(found->files == 1);
  CHECK(found->bytes == 4);
  CHECK(digest_of_tree(e.path("lib/main.js"), uncached, {.max_bytes = 3}).error().code() ==
        errc::limit_exceeded);
}

TEST_CASE("every change of an extension changes its digest", "[tree_digest]") {
  extension const e;
  e.write("run", "#!");
  fs::create_symlink("run", e.path("link"));
  auto const before = e.digest();

  auto const changes = std::vector<std::pair<char const*, std::function<void()>>>{
      {"a file that is changed, with the same size", [&] { e.write("lib/main.js", "evil"); }},
      {"a file that is added", [&] { e.write("lib/more.js", ""); }},
      {"a hidden file that is added", [&] { e.write(".git/config", ""); }},
      {"an empty folder that is added", [&] { fs::create_directory(e.path("empty")); }},
      {"a file that is removed", [&] { fs::remove(e.path("package.json")); }},
      {"a file that is renamed",
       [&] { fs::rename(e.path("run"), e.path("ran")), fs::remove(e.path("link")); }},
      {"a file that is moved",
       [&] { fs::rename(e.path("run"), e.path("lib/run")), fs::remove(e.path("link")); }},
      {"a file that is made executable", [&] { ::chmod(e.path("run").c_str(), 0755); }},
      {"a link that leads elsewhere",
       [&] {
         fs::remove(e.path("link"));
         fs::create_symlink("lib", e.path("link"));
       }},
      {"a link that a file of the same text takes the place of",
       [&] {
         fs::remove(e.path("link"));
         e.write("link", "run");
       }},
  };
  for (auto const& [what, change] : changes) {
    DYNAMIC_SECTION(what) {
      change();
      CHECK(e.digest() != before);
    }
  }
}

TEST_CASE("a copy has the same digest whenever, by whomever and with what umask it was made",
          "[tree_digest]") {
  extension const e;
  e.write("run", "#!", 0755);
  auto const before = e.digest();
  ::chmod(e.path("run").c_str(), 0700);
  ::chmod(e.path("package.json").c_str(), 0600);
  fs::last_write_time(e.path("run"), fs::file_time_type::min());
  CHECK(e.digest() == before);
  fs::rename(e.path(), e.folder.path() / "moved");
  auto const moved = digest_of_tree(e.folder.path() / "moved", uncached);
  REQUIRE(code_of(moved) == no_error);
  CHECK(to_hex(moved->digest) == before);
}

TEST_CASE("two trees never share a digest by what their names hold", "[tree_digest]") {
  auto const digest_with = [](std::vector<std::pair<std::string, std::string>> const& files) {
    extension const e;
    for (auto const& [name, content] : files)
      e.write(name, content);
    return e.digest();
  };
  auto const hash = hash_of("x");
  auto const plain = digest_with({{"a", "x"}, {"b", "x"}});
  CHECK(plain != digest_with({{"a\nfile " + hash + "  .b", "x"}}));
  CHECK(plain != digest_with({{"a b", "x"}}));
  CHECK(plain == digest_with({{"b", "x"}, {"a", "x"}}));
  CHECK(digest_with({{" a", "x"}}) != digest_with({{"a", "x"}}));
  CHECK(digest_with({{"\xFF\n\t'\"-", "x"}}) != digest_with({{"\xFE\n\t'\"-", "x"}}));
}

TEST_CASE("a link is hashed as its text if it stays inside, and else refused", "[tree_digest]") {
  extension const e;
  static_cast<void>(e.folder.write("outside/file", "x"));
  if (kernel_resolver() == resolver::openat2) {
    fs::create_directory_symlink("../lib", e.path("lib/self"));
    fs::create_symlink("lib/self/self/main.js", e.path("inside"));
    CHECK(code_of(digest_of_tree(e.path(), uncached)) == no_error);
  }
  auto const target = GENERATE("../outside/file", "/etc/passwd", "lib/../../outside", "none", "bad",
                               "lib/self/../../outside");
  CAPTURE(target);
  fs::create_symlink(target, e.path("bad"));
  auto const failed = e.failure();
  CHECK(failed.code() == errc::path_denied);
  CHECK(failed.detail().starts_with(e.path("bad").string() + ": the symbolic link leads "));
}

TEST_CASE("devices, FIFOs and sockets are refused without being opened", "[tree_digest]") {
  extension const e;
  auto const odd = e.path("lib/odd");
  SECTION("a FIFO, which nobody ever writes to") {
    REQUIRE(::mkfifo(odd.c_str(), 0600) == 0);
  }
  SECTION("a socket") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(odd.string().size() < sizeof address.sun_path);
    odd.string().copy(address.sun_path, sizeof address.sun_path - 1);
    unique_fd const bound{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::bind(bound.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0);
  }
  auto const failed = e.failure();
  CHECK(failed.code() == errc::file_unsupported);
  CHECK(failed.detail() == odd.string() + ": it is a FIFO, a device or a socket");
  CHECK(code_of(digest_of_tree(odd, uncached)) == errc::file_unsupported);
  CHECK(code_of(digest_of_tree("/dev/null", uncached)) != no_error);
}

TEST_CASE("an extension of which others can change any part is refused", "[tree_digest]") {
  extension const e;
  auto const shared = GENERATE(as<std::string>{}, "", "lib", "lib/main.js");
  CAPTURE(shared);
  ::chmod(e.path(shared).c_str(), 0777);
  auto const failed = e.failure();
  CHECK(failed.code() == errc::integrity_unsafe_owner);
  CHECK(failed.detail().starts_with(e.path(shared).string() + " can be changed by everybody"));
  auto const command = std::string{shared.empty() ? "chmod go-w " : "chmod -R go-w "};
  CHECK(failed.remedy() == command + e.path().string());
}

TEST_CASE("more than the bounds is no extension", "[tree_digest]") {
  extension const e;
  CHECK(code_of(digest_of_tree(e.path(), uncached, {3, 6})) == no_error);
  CHECK(e.failure({2, 6}).code() == errc::limit_exceeded);
  CHECK(e.failure({3, 5}).code() == errc::limit_exceeded);
  auto deep = fs::path{"d"};
  for (int i = 0; i < 100; ++i)
    deep /= "d";
  fs::create_directories(e.path(deep));
  CHECK(e.failure().code() == errc::limit_exceeded);
}

TEST_CASE("what is not there has no digest", "[tree_digest]") {
  extension const e;
  auto const found = digest_of_tree(e.path("none"), uncached);
  REQUIRE(found.has_error());
  CHECK(found.error().code() == errc::file_not_found);
  CHECK(found.error().detail().starts_with(e.path("none").string()));
}

TEST_CASE("a change while an extension is hashed is noticed", "[tree_digest]") {
  extension const e;
  auto const changes = std::vector<std::pair<char const*, std::function<void()>>>{
      {"the file that is being read", [&] { e.overwrite("lib/main.js", "evil"); }},
      {"a file that was not read yet", [&] { e.overwrite("package.json", "[]"); }},
      {"a file that is added", [&] { e.write("lib/more.js", "more"); }},
      {"a file that is removed", [&] { fs::remove(e.path("package.json")); }},
      {"a folder that a link takes the place of",
       [&] {
         fs::rename(e.path("lib"), e.path("lib2"));
         fs::create_symlink("lib2", e.path("lib"));
       }},
  };
  for (auto const& [what, change] : changes) {
    DYNAMIC_SECTION(what) {
      auto is_changed = false;
      auto const how = hashing{.progress =
                                   [&](std::uint64_t) {
                                     if (!std::exchange(is_changed, true))
                                       change();
                                   },
                               .cache = nullptr};
      auto const found = digest_of_tree(e.path(), how);
      CHECK(is_changed);
      CHECK(code_of(found) == errc::integrity_mismatch);
    }
  }
}

TEST_CASE("hashing an extension ends when it is asked to", "[tree_digest]") {
  extension const e;
  std::stop_source stop;
  auto const how = hashing{.stop = stop.get_token(),
                           .progress = [&](std::uint64_t) { stop.request_stop(); },
                           .cache = nullptr};
  CHECK(code_of(digest_of_tree(e.path(), how)) == errc::request_cancelled);
}

TEST_CASE("an extension as it was is not read again", "[tree_digest]") {
  // Nobody can give a file an old ctime, so the system's own files are the extension.
  auto const settled = fs::path{"/usr/share/doc/libc6"};
  if (!fs::is_directory(settled)) {
    WARN("there is no " << settled << " here, so it is not tested");
    return;
  }
  digest_cache cache;
  std::uint64_t read = 0;
  auto const how =
      hashing{.progress = [&](std::uint64_t bytes) { read += bytes; }, .cache = &cache};
  auto const first = digest_of_tree(settled, how);
  REQUIRE(code_of(first) == no_error);
  CHECK(read == first->bytes);
  auto const second = digest_of_tree(settled, how);
  REQUIRE(code_of(second) == no_error);
  CHECK(read == first->bytes);
  CHECK(second->digest == first->digest);
  CHECK(second->files == first->files);
  CHECK(second->bytes == first->bytes);

  // One that has changed just now is never taken for what it was.
  extension const e;
  CHECK(code_of(digest_of_tree(e.path(), how)) == no_error);
  auto const hits = cache.hits();
  CHECK(code_of(digest_of_tree(e.path(), how)) == no_error);
  CHECK(cache.hits() == hits);
}
