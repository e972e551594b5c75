#include "shared/code_of.hpp"
#include "shared/forked.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/file_error.hpp>
#include <bulkhead/platform/files.hpp>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace bulkhead::platform;
using bulkhead::errc;
using bulkhead::testing::code_of;
using bulkhead::testing::content_of;
using bulkhead::testing::holds_for_ordinary_user;
using bulkhead::testing::no_error;
using bulkhead::testing::temporary_directory;

constexpr std::size_t plenty = 1 << 20;

using names = std::vector<std::string>;

/// A policy's folder `root/` with `outside/` beside it.
class ground {
public:
  ground() {
    fs::create_directories(path());
    fs::create_directories(outside());
    auto opened = folder::open(path());
    REQUIRE(opened.has_value());
    root_.emplace(std::move(*opened));
  }

  fs::path path(std::string const& name = {}) const { return folder_.path() / "root" / name; }
  fs::path outside(std::string const& name = {}) const { return folder_.path() / "outside" / name; }
  void put(std::string const& name, std::string_view content = "content") const {
    static_cast<void>(folder_.write("root/" + name, content));
  }
  void put_outside(std::string const& name, std::string_view content) const {
    static_cast<void>(folder_.write("outside/" + name, content));
  }
  located find(std::string_view name) const {
    auto found = root_->locate(name);
    REQUIRE(code_of(found) == no_error);
    return std::move(*found);
  }
  place at(std::string_view name) const {
    auto found = root_->locate_parent(name);
    REQUIRE(code_of(found) == no_error);
    return std::move(*found);
  }
  /// All names below the folder, also hidden ones.
  names tree(std::string const& below = {}) const {
    names seen;
    for (auto const& entry : fs::recursive_directory_iterator{path(below)})
      seen.push_back(entry.path().lexically_relative(path(below)));
    std::ranges::sort(seen);
    return seen;
  }

private:
  temporary_directory folder_;
  std::optional<folder> root_;
};

struct stat stat_of(fs::path const& file) {
  struct stat seen;
  REQUIRE(::lstat(file.c_str(), &seen) == 0);
  return seen;
}

unsigned mode_of(fs::path const& file) {
  return stat_of(file).st_mode & 07777u;
}

void make_socket(fs::path const& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto const text = path.string();
  REQUIRE(text.size() < sizeof address.sun_path);
  text.copy(address.sun_path, text.size());
  unique_fd const socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr const* const any = reinterpret_cast<sockaddr const*>(&address);
  REQUIRE(::bind(socket.get(), any, sizeof address) == 0);
}

} // namespace

TEST_CASE("error numbers become codes that say what to do", "[files]") {
  CHECK(file_errc(ENOENT) == errc::file_not_found);
  CHECK(file_errc(EEXIST) == errc::file_exists);
  CHECK(file_errc(ENOTDIR) == errc::file_not_a_directory);
  CHECK(file_errc(EISDIR) == errc::file_is_a_directory);
  CHECK(file_errc(ENOTEMPTY) == errc::directory_not_empty);
  CHECK(file_errc(ELOOP) == errc::path_denied);
  CHECK(file_errc(ENAMETOOLONG) == errc::invalid_payload);
  for (auto const number : {EACCES, EPERM, EROFS, ENOSPC, EDQUOT, EIO, EMFILE, EBUSY})
    CHECK(file_errc(number) == errc::file_unavailable);
  CHECK(file_error(ENOSPC).detail() == "No space left on device");
}

// ---- looking ------------------------------------------------------------------------------------

TEST_CASE("a status says type, size, time and links", "[files]") {
  ground const g;
  g.put("file", "12345");
  timespec const times[] = {{0, UTIME_OMIT}, {1'700'000'000, 123'456'789}};
  REQUIRE(::utimensat(AT_FDCWD, g.path("file").c_str(), times, 0) == 0);
  fs::create_hard_link(g.path("file"), g.path("other"));
  auto const file = status_of(g.find("file"));
  REQUIRE(file.has_value());
  CHECK(file->type == file_type::file);
  CHECK(file->size == 5);
  CHECK(file->modified_ms == 1'700'000'000'123);
  CHECK(file->links == 2);
  CHECK(status_of(g.find("")).value().type == file_type::directory);
}

TEST_CASE("a file is read whole up to its bound", "[files]") {
  ground const g;
  g.put("file", "12345");
  g.put("empty", "");
  CHECK(read_file(g.find("file"), plenty).value().view() == "12345");
  CHECK(read_file(g.find("file"), 5).value().view() == "12345");
  CHECK(read_file(g.find("empty"), 0).value().view().empty());
  auto const refused = read_file(g.find("file"), 4);
  CHECK(code_of(refused) == errc::file_too_large);
  CHECK(refused.error().detail() == "the file is longer than 4 bytes");
  auto const large = std::string(300'000, 'x');
  g.put("large", large);
  CHECK(read_file(g.find("large"), plenty).value().view() == large);
}

TEST_CASE("a file that says it is empty is bounded all the same", "[files]") {
  auto const proc = folder::open("/proc/self");
  REQUIRE(proc.has_value());
  auto const status = proc->locate("status");
  REQUIRE(status.has_value());
  CHECK(status_of(*status).value().size == 0);
  CHECK(read_file(*status, plenty).value().view().starts_with("Name:"));
  CHECK(code_of(read_file(*status, 10)) == errc::file_too_large);
}

TEST_CASE("nothing but files is opened for reading, so nothing hangs", "[files]") {
  ground const g;
  REQUIRE(::mkfifo(g.path("fifo").c_str(), 0600) == 0);
  make_socket(g.path("socket"));
  CHECK(code_of(read_file(g.find("fifo"), plenty)) == errc::file_unsupported);
  CHECK(code_of(read_file(g.find("socket"), plenty)) == errc::file_unsupported);
  CHECK(code_of(read_file(g.find(""), plenty)) == errc::file_is_a_directory);
  auto const devices = folder::open("/dev");
  REQUIRE(devices.has_value());
  for (auto const* name : {"null", "zero", "tty"})
    if (auto const device = devices->locate(name); device)
      CHECK(code_of(read_file(*device, plenty)) == errc::file_unsupported);
}

TEST_CASE("a folder is listed by name with the types of its entries", "[files]") {
  ground const g;
  g.put("b");
  g.put("a/inner");
  fs::create_symlink("b", g.path("c"));
  REQUIRE(::mkfifo(g.path("d").c_str(), 0600) == 0);
  auto const expected = std::vector<directory_entry>{{"a", file_type::directory},
                                                     {"b", file_type::file},
                                                     {"c", file_type::symlink},
                                                     {"d", file_type::other}};
  CHECK(read_directory(g.find(""), 4).value() == expected);
  auto const refused = read_directory(g.find(""), 3);
  CHECK(code_of(refused) == errc::file_too_large);
  CHECK(refused.error().detail() == "the folder has more than 3 entries");
  CHECK(code_of(read_directory(g.find("b"), 3)) == errc::file_not_a_directory);
}

// ---- writing ------------------------------------------------------------------------------------

TEST_CASE("a file is created and replaced as the options say", "[files]") {
  ground const g;
  CHECK(code_of(write_file(g.at("new"), "x", {.create = false})) == errc::file_not_found);
  CHECK(code_of(write_file(g.at("new"), "first", {.overwrite = false})) == no_error);
  CHECK(content_of(g.path("new")) == "first");
  CHECK(code_of(write_file(g.at("new"), "second", {.overwrite = false})) == errc::file_exists);
  CHECK(content_of(g.path("new")) == "first");
  CHECK(code_of(write_file(g.at("new"), "second", {.create = false})) == no_error);
  CHECK(content_of(g.path("new")) == "second");
  CHECK(code_of(write_file(g.at("new"), {})) == no_error);
  CHECK(content_of(g.path("new")).empty());
  CHECK(g.tree() == names{"new"});
}

TEST_CASE("a new file has the permissions of the umask and a replaced one keeps its own",
          "[files]") {
  ground const g;
  auto const before = ::umask(027);
  auto const created = write_file(g.at("new"), "x");
  ::umask(before);
  CHECK(code_of(created) == no_error);
  CHECK(mode_of(g.path("new")) == 0640);

  g.put("old");
  REQUIRE(::chmod(g.path("old").c_str(), 06751) == 0);
  CHECK(code_of(write_file(g.at("old"), "x")) == no_error);
  CHECK(mode_of(g.path("old")) == 0751);
}

TEST_CASE("links, hard links and what is no file are not written", "[files]") {
  ground const g;
  g.put_outside("file", "sentinel");
  fs::create_hard_link(g.outside("file"), g.path("hard"));
  fs::create_symlink(g.outside("file"), g.path("link"));
  fs::create_symlink("nowhere", g.path("dangling"));
  fs::create_directory(g.path("dir"));
  REQUIRE(::mkfifo(g.path("fifo").c_str(), 0600) == 0);
  auto const before = g.tree();
  CHECK(code_of(write_file(g.at("hard"), "x")) == errc::path_denied);
  CHECK(code_of(write_file(g.at("link"), "x")) == errc::path_denied);
  CHECK(code_of(write_file(g.at("dangling"), "x")) == errc::path_denied);
  CHECK(code_of(write_file(g.at("dir"), "x")) == errc::file_is_a_directory);
  CHECK(code_of(write_file(g.at("fifo"), "x")) == errc::file_unsupported);
  CHECK(content_of(g.outside("file")) == "sentinel");
  CHECK(g.tree() == before);
}

TEST_CASE("names that are none are refused by all that changes something", "[files]") {
  ground const g;
  g.put("file");
  auto const long_name = std::string(256, 'x');
  for (auto const& name : names{"", ".", "..", "a/b", {"a\0b", 3}, long_name}) {
    auto target = g.at("file");
    target.name = name;
    CHECK(code_of(write_file(target, "x")) == errc::invalid_payload);
    CHECK(code_of(create_directory(target)) == errc::invalid_payload);
    CHECK(code_of(remove_entry(target, true)) == errc::invalid_payload);
    CHECK(code_of(rename_entry(target, g.at("new"), true)) == errc::invalid_payload);
    CHECK(code_of(rename_entry(g.at("file"), target, true)) == errc::invalid_payload);
    CHECK(code_of(copy_entry(g.find("file"), target, true, plenty)) == errc::invalid_payload);
  }
  CHECK(g.tree() == names{"file"});
}

TEST_CASE("what is not committed leaves nothing behind", "[files]") {
  ground const g;
  g.put("file", "old");
  auto const target = g.at("file");
  {
    auto file = atomic_file::begin(target, {});
    REQUIRE(file.has_value());
    CHECK(code_of(file->write("new")) == no_error);
    CHECK(g.tree().size() == 2);
    // Not listed, though it is there.
    CHECK(read_directory(g.find(""), plenty).value().size() == 1);
  }
  CHECK(g.tree() == names{"file"});
  CHECK(content_of(g.path("file")) == "old");
}

TEST_CASE("a file that appears while another is written is kept unless it may be replaced",
          "[files]") {
  ground const g;
  auto const may_replace = GENERATE(false, true);
  auto const target = g.at("file");
  auto file = atomic_file::begin(target, {.overwrite = may_replace});
  REQUIRE(file.has_value());
  CHECK(code_of(file->write("mine")) == no_error);
  g.put("file", "theirs");
  CHECK(code_of(file->commit()) == (may_replace ? no_error : errc::file_exists));
  CHECK(content_of(g.path("file")) == (may_replace ? "mine" : "theirs"));
}

TEST_CASE("a reader sees the old content or the new one and never a mix", "[files]") {
  ground const g;
  auto const contents = names{std::string(100'000, 'a'), std::string(50'000, 'b')};
  auto const target = g.at("file");
  REQUIRE(code_of(write_file(target, contents[0])) == no_error);
  std::atomic<bool> done = false;
  std::atomic<int> mixed = 0;
  std::atomic<int> reads = 0;
  std::thread reader{[&] {
    while (!done || reads == 0) {
      auto const seen = content_of(g.path("file"));
      mixed += std::ranges::find(contents, seen) == contents.end();
      ++reads;
    }
  }};
  auto failed = 0;
  for (std::size_t i = 0; i < 50; ++i)
    failed += write_file(target, contents[i % 2]).has_error();
  done = true;
  reader.join();
  CHECK(failed == 0);
  CHECK(mixed == 0);
  CHECK(g.tree() == names{"file"});
}

TEST_CASE("a write-protected file is not replaced either", "[files]") {
  ground const g;
  g.put("file", "old");
  REQUIRE(::chmod(g.path("file").c_str(), 0444) == 0);
  REQUIRE(::chmod(g.path().c_str(), 0777) == 0);
  auto const target = g.at("file");
  CHECK(holds_for_ordinary_user(
      [&] { return code_of(write_file(target, "new")) == errc::file_unavailable; }));
  CHECK(content_of(g.path("file")) == "old");
}

TEST_CASE("the owner of a replaced file stays, or it is not replaced", "[files]") {
  if (::geteuid() != 0)
    return; // only root can give a file away
  ground const g;
  g.put("file", "old");
  constexpr uid_t somebody = 12345;
  REQUIRE(::chown(g.path("file").c_str(), somebody, somebody) == 0);
  REQUIRE(::chmod(g.path("file").c_str(), 0666) == 0);
  REQUIRE(::chmod(g.path().c_str(), 0777) == 0);
  auto const target = g.at("file");
  CHECK(holds_for_ordinary_user(
      [&] { return code_of(write_file(target, "x")) == errc::file_unavailable; }));
  CHECK(g.tree() == names{"file"});
  CHECK(code_of(write_file(target, "new")) == no_error);
  CHECK(stat_of(g.path("file")).st_uid == somebody);
  CHECK(mode_of(g.path("file")) == 0666);
}

TEST_CASE("a folder is created once", "[files]") {
  ground const g;
  CHECK(code_of(create_directory(g.at("dir"))) == no_error);
  CHECK(fs::is_directory(g.path("dir")));
  CHECK(code_of(create_directory(g.at("dir"))) == errc::file_exists);
}

// ---- between the check and the use --------------------------------------------------------------

TEST_CASE("what was found is used, whatever its name becomes", "[files]") {
  ground const g;
  g.put("file", "inside");
  g.put("dir/file", "inside");
  g.put_outside("file", "sentinel");
  auto const file = g.find("file");
  auto const inner = g.at("dir/file");
  auto const listed = g.find("dir");
  fs::remove(g.path("file"));
  fs::create_symlink(g.outside("file"), g.path("file"));
  fs::rename(g.path("dir"), g.path("moved"));
  fs::create_symlink(g.outside(), g.path("dir"));

  CHECK(read_file(file, plenty).value().view() == "inside");
  CHECK(read_directory(listed, plenty).value().size() == 1);
  CHECK(code_of(write_file(inner, "new")) == no_error);
  CHECK(content_of(g.path("moved/file")) == "new");
  CHECK(content_of(g.outside("file")) == "sentinel");
}

TEST_CASE("what vanished is not found", "[files]") {
  ground const g;
  g.put("dir/file");
  auto const inner = g.at("dir/file");
  fs::remove_all(g.path("dir"));
  CHECK(code_of(write_file(inner, "x")) == errc::file_not_found);
  CHECK(code_of(create_directory(inner)) == errc::file_not_found);
  CHECK(code_of(remove_entry(inner, true)) == errc::file_not_found);
  CHECK(code_of(rename_entry(inner, g.at("new"), true)) == errc::file_not_found);
}

// ---- deleting -----------------------------------------------------------------------------------

TEST_CASE("a name is deleted and never what a link names", "[files]") {
  ground const g;
  g.put_outside("kept", "sentinel");
  g.put("file");
  g.put("full/file");
  fs::create_directory(g.path("empty"));
  fs::create_symlink(g.outside(), g.path("link"));
  fs::create_symlink(g.outside(), g.path("full/link"));
  CHECK(code_of(remove_entry(g.at("none"), false)) == errc::file_not_found);
  CHECK(code_of(remove_entry(g.at("full"), false)) == errc::directory_not_empty);
  for (auto const* name : {"file", "empty", "link"})
    CHECK(code_of(remove_entry(g.at(name), false)) == no_error);
  CHECK(code_of(remove_entry(g.at("full"), true)) == no_error);
  CHECK(g.tree().empty());
  CHECK(content_of(g.outside("kept")) == "sentinel");
}

TEST_CASE("a tree is deleted whole or, where a rule or a limit is in the way, not at all",
          "[files]") {
  ground const g;
  g.put("dir/a/file");
  g.put("dir/b/secret");
  auto const before = g.tree();
  auto const allowed = [](std::string_view below, file_type) { return below != "b/secret"; };
  CHECK(code_of(remove_entry(g.at("dir"), true, allowed)) == errc::path_denied);
  CHECK(g.tree() == before);
  CHECK(code_of(rename_entry(g.at("dir"), g.at("new"), false, allowed)) == errc::path_denied);
  CHECK(g.tree() == before);

  std::string deep = "deep";
  for (std::size_t depth = 0; depth <= tree_limits{}.max_depth; ++depth)
    deep += "/d";
  g.put(deep + "/file");
  g.put("deep/a");
  CHECK(code_of(remove_entry(g.at("deep"), true)) == errc::limit_exceeded);
  CHECK(fs::exists(g.path("deep/a")));
  CHECK(code_of(tree_size(g.find("deep"))) == errc::limit_exceeded);
  CHECK(code_of(remove_entry(g.at("dir"), true)) == no_error);
}

// ---- renaming -----------------------------------------------------------------------------------

TEST_CASE("a rename replaces only what may be replaced", "[files]") {
  ground const g;
  g.put_outside("file", "sentinel");
  g.put("one", "1");
  g.put("two", "2");
  fs::create_hard_link(g.outside("file"), g.path("hard"));
  fs::create_symlink(g.outside("file"), g.path("link"));
  fs::create_directory(g.path("dir"));
  g.put("full/file");
  auto const rename = [&](char const* from, char const* to, bool overwrite) {
    return code_of(rename_entry(g.at(from), g.at(to), overwrite));
  };
  CHECK(rename("one", "two", false) == errc::file_exists);
  CHECK(rename("one", "hard", true) == errc::path_denied);
  CHECK(rename("one", "link", true) == errc::path_denied);
  CHECK(rename("one", "dir", true) == errc::file_is_a_directory);
  CHECK(rename("dir", "one", true) == errc::file_not_a_directory);
  CHECK(rename("dir", "full", true) == errc::directory_not_empty);
  CHECK(rename("full", "full/inner", false) == errc::invalid_payload);
  CHECK(rename("none", "new", true) == errc::file_not_found);

  CHECK(rename("one", "two", true) == no_error);
  CHECK(content_of(g.path("two")) == "1");
  CHECK(rename("full", "dir", true) == no_error);
  CHECK(rename("dir", "new", false) == no_error);
  CHECK(rename("link", "new/link", false) == no_error); // itself
  CHECK(g.tree() == names{"hard", "new", "new/file", "new/link", "two"});
  CHECK(content_of(g.outside("file")) == "sentinel");
}

// ---- copying ------------------------------------------------------------------------------------

TEST_CASE("a file is copied with its permissions, within a bound", "[files]") {
  ground const g;
  auto const content = std::string(200'000, 'x');
  g.put("file", content);
  REQUIRE(::chmod(g.path("file").c_str(), 0700) == 0);
  CHECK(copy_entry(g.find("file"), g.at("copy"), false, content.size()).value() == content.size());
  CHECK(content_of(g.path("copy")) == content);
  CHECK(mode_of(g.path("copy")) == 0700);
  CHECK(code_of(copy_entry(g.find("file"), g.at("copy"), false, plenty)) == errc::file_exists);
  CHECK(code_of(copy_entry(g.find("file"), g.at("copy"), true, plenty)) == no_error);
  CHECK(code_of(copy_entry(g.find("file"), g.at("new"), false, content.size() - 1)) ==
        errc::file_too_large);
  REQUIRE(::mkfifo(g.path("fifo").c_str(), 0600) == 0);
  CHECK(code_of(copy_entry(g.find("fifo"), g.at("new"), false, plenty)) == errc::file_unsupported);
  CHECK(g.tree() == names{"copy", "fifo", "file"});
}

TEST_CASE("a folder is copied whole or not at all", "[files]") {
  ground const g;
  g.put("dir/a/file", "123");
  g.put("dir/b", "45");
  fs::create_directory(g.path("dir/empty"));
  CHECK(copy_entry(g.find("dir"), g.at("copy"), true, 5).value() == 5);
  CHECK(g.tree("copy") == g.tree("dir"));
  CHECK(content_of(g.path("copy/a/file")) == "123");
  CHECK(code_of(copy_entry(g.find("dir"), g.at("copy"), true, 5)) == errc::file_exists);
  CHECK(code_of(copy_entry(g.find("dir"), g.at("new"), true, 4)) == errc::file_too_large);
  auto const allowed = [](std::string_view below, file_type) { return below != "a/file"; };
  CHECK(code_of(copy_entry(g.find("dir"), g.at("new"), true, 5, allowed)) == errc::path_denied);
  CHECK(copy_entry(g.find("dir"), g.at("dir/inner"), true, 5).value() == 5);
  CHECK(g.tree("dir/inner") == g.tree("copy"));
  fs::create_symlink("b", g.path("dir/link"));
  CHECK(code_of(copy_entry(g.find("dir"), g.at("new"), true, plenty)) == errc::file_unsupported);
  CHECK(read_directory(g.find(""), plenty).value().size() == 2);
  CHECK(std::distance(fs::directory_iterator{g.path()}, {}) == 2); // nothing hidden either
}

// ---- searching and measuring --------------------------------------------------------------------

TEST_CASE("the size of a tree counts its files and follows no link", "[files]") {
  ground const g;
  g.put("a", "123");
  g.put("dir/b", "45");
  g.put_outside("large", std::string(1000, 'x'));
  fs::create_symlink(g.outside(), g.path("link"));
  fs::create_symlink(g.outside("large"), g.path("dir/link"));
  CHECK(tree_size(g.find("")).value() == 5);
  CHECK(size_of(g.find("")).value() == 5);
  CHECK(size_of(g.find("a")).value() == 3);
  REQUIRE(::mkfifo(g.path("fifo").c_str(), 0600) == 0);
  CHECK(size_of(g.find("fifo")).value() == 0);
}

TEST_CASE("files are found in a stable order, as far as it is allowed to look", "[files]") {
  ground const g;
  for (auto const* name : {"b.txt", "a/2.txt", "a/1.txt", "a/1.md", "secret/x.txt", "c/d/e.txt"})
    g.put(name);
  g.put_outside("x.txt", "");
  fs::create_symlink(g.outside(), g.path("link"));
  fs::create_symlink(".", g.path("loop"));
  REQUIRE(::mkfifo(g.path("fifo.txt").c_str(), 0600) == 0);
  file_search search;
  search.enter = [](std::string_view relative) { return relative != "secret"; };
  search.take = [](std::string_view relative) { return relative.ends_with(".txt"); };
  auto const all = names{"a/1.txt", "a/2.txt", "b.txt", "c/d/e.txt"};
  auto found = find_files(g.find(""), search);
  REQUIRE(found.has_value());
  CHECK(found->files == all);
  CHECK(found->complete);
  // Relative to the policy's folder wherever it begins.
  CHECK(find_files(g.find("c"), search).value().files == names{"c/d/e.txt"});

  search.max_results = 4;
  CHECK(find_files(g.find(""), search).value().complete);
  search.max_results = 3;
  found = find_files(g.find(""), search);
  CHECK(found.value().files == names(all.begin(), all.begin() + 3));
  CHECK_FALSE(found.value().complete);

  search = {};
  CHECK(find_files(g.find(""), search).value().files.size() == 6);
  search.max_visited = 11;
  found = find_files(g.find(""), search);
  CHECK_FALSE(found.value().complete);
  CHECK(found.value().files.size() == 4);

  std::stop_source stop;
  stop.request_stop();
  found = find_files(g.find(""), {}, stop.get_token());
  CHECK(found.value().files.empty());
  CHECK_FALSE(found.value().complete);
}
