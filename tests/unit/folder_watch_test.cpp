#include "shared/code_of.hpp"
#include "shared/run_until.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/files.hpp>
#include <bulkhead/platform/folder_watch.hpp>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <string>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace bulkhead::platform;
using namespace std::chrono_literals;
using bulkhead::errc;
using bulkhead::testing::code_of;
using bulkhead::testing::run_until;
using bulkhead::testing::temporary_directory;
using kind = change::kind;
using changes = std::vector<change>;

constexpr auto patience = 10s;

/// A policy's folder `root/`.
class ground {
public:
  ground() {
    fs::create_directories(path());
    auto opened = folder::open(path());
    REQUIRE(opened.has_value());
    root_.emplace(std::move(*opened));
  }

  fs::path path(std::string const& name = {}) const { return folder_.path() / "root" / name; }
  void put(std::string const& name, std::string_view content = "content") const {
    static_cast<void>(folder_.write("root/" + name, content));
  }
  located find(std::string_view name) const {
    auto found = root_->locate(name);
    REQUIRE(code_of(found) == errc{});
    return std::move(*found);
  }
  place at(std::string_view name) const {
    auto found = root_->locate_parent(name);
    REQUIRE(code_of(found) == errc{});
    return std::move(*found);
  }
  watched_tree watch(std::string_view name, watch_options options = {}) const {
    auto tree = watched_tree::open(find(name), std::move(options));
    REQUIRE(code_of(tree) == errc{});
    return std::move(*tree);
  }

private:
  temporary_directory folder_;
  std::optional<folder> root_;
};

/// What the kernel has queued so far; it queues before the call that changes something returns.
changes drain(watched_tree& tree) {
  changes all;
  for (auto next = tree.read_changes(); !next.empty(); next = tree.read_changes())
    all.insert(all.end(), next.begin(), next.end());
  return all;
}

bool holds(changes const& seen, kind what, std::string const& relative) {
  return std::ranges::find(seen, change{what, relative}) != seen.end();
}

auto count(changes const& seen, kind what) {
  return std::ranges::count(seen, what, &change::what);
}

} // namespace

TEST_CASE("what happens in a folder is told in its order and each once", "[folder_watch]") {
  ground const g;
  g.put("dir/old");
  auto tree = g.watch("dir");
  CHECK(tree.read_changes().empty());
  g.put("dir/new");
  CHECK(drain(tree) == changes{{kind::created, "dir/new"}});
  g.put("dir/new", "other");
  CHECK(drain(tree) == changes{{kind::changed, "dir/new"}});
  fs::rename(g.path("dir/new"), g.path("dir/name"));
  fs::remove(g.path("dir/old"));
  CHECK(drain(tree) == changes{{kind::deleted, "dir/new"},
                               {kind::created, "dir/name"},
                               {kind::deleted, "dir/old"}});
  fs::permissions(g.path("dir/name"), fs::perms::owner_read);
  CHECK(drain(tree) == changes{{kind::changed, "dir/name"}});
  // What is below is not asked for.
  fs::create_directory(g.path("dir/inner"));
  g.put("dir/inner/file");
  CHECK_FALSE(holds(drain(tree), kind::created, "dir/inner/file"));
}

TEST_CASE("a file that is written at once appears once", "[folder_watch]") {
  ground const g;
  auto tree = g.watch("");
  REQUIRE(code_of(write_file(g.at("file"), "content")) == errc{});
  CHECK(drain(tree) == changes{{kind::created, "file"}});
}

TEST_CASE("a single file is watched until it is replaced or deleted", "[folder_watch]") {
  auto const is_replaced = GENERATE(false, true);
  ground const g;
  g.put("file");
  g.put("other");
  auto tree = g.watch("file");
  g.put("other", "x");
  CHECK(drain(tree).empty());
  g.put("file", "x");
  CHECK(drain(tree) == changes{{kind::changed, "file"}});
  if (is_replaced)
    fs::rename(g.path("other"), g.path("file"));
  else
    fs::remove(g.path("file"));
  auto const seen = drain(tree);
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back() == change{kind::gone, "file"});
  CHECK(tree.ended());
}

TEST_CASE("a recursive watch sees folders that are there and that appear", "[folder_watch]") {
  ground const g;
  g.put("a/b/file");
  auto tree = g.watch("", {.recursive = true});
  g.put("a/b/new");
  CHECK(holds(drain(tree), kind::created, "a/b/new"));
  // Made before the watch can be there.
  g.put("c/d/file");
  auto seen = drain(tree);
  for (auto const* name : {"c", "c/d", "c/d/file"})
    CHECK(holds(seen, kind::created, name));
  g.put("c/d/file", "x");
  CHECK(drain(tree) == changes{{kind::changed, "c/d/file"}});
  // Under its new name only.
  fs::rename(g.path("c"), g.path("e"));
  seen = drain(tree);
  CHECK(holds(seen, kind::deleted, "c"));
  CHECK(holds(seen, kind::created, "e/d/file"));
  g.put("e/d/file", "y");
  CHECK(drain(tree) == changes{{kind::changed, "e/d/file"}});
  fs::remove_all(g.path("e"));
  CHECK(holds(drain(tree), kind::deleted, "e"));
}

TEST_CASE("a folder that moved away is not watched any more", "[folder_watch]") {
  ground const g;
  g.put("watched/inner/file");
  auto tree = g.watch("watched", {.recursive = true});
  fs::rename(g.path("watched/inner"), g.path("away"));
  CHECK(drain(tree) == changes{{kind::deleted, "watched/inner"}});
  g.put("away/file", "x");
  CHECK(drain(tree).empty());
}

TEST_CASE("a recursive watch follows no link and does not enter what it must not",
          "[folder_watch]") {
  ground const g;
  g.put("outside/file");
  g.put("watched/secret/file");
  fs::create_symlink("../outside", g.path("watched/link"));
  watch_options options{.recursive = true};
  options.enter = [](std::string_view relative) { return !relative.ends_with("secret"); };
  auto tree = g.watch("watched", options);
  g.put("outside/file", "x");
  g.put("watched/secret/file", "x");
  CHECK(drain(tree).empty());
  g.put("watched/new/secret/file");
  fs::create_directory_symlink("../outside", g.path("watched/link2"));
  auto const seen = drain(tree);
  CHECK(holds(seen, kind::created, "watched/new/secret"));
  CHECK_FALSE(holds(seen, kind::created, "watched/new/secret/file"));
  CHECK_FALSE(holds(seen, kind::created, "watched/link2/file"));
}

TEST_CASE("the end of a watched folder is told, though it is held open", "[folder_watch]") {
  ground const g;
  g.put("dir/inner/file");
  auto const held = g.find("dir");
  auto tree = g.watch("dir", {.recursive = GENERATE(false, true)});
  SECTION("deleted") {
    fs::remove_all(g.path("dir"));
  }
  SECTION("moved") {
    fs::rename(g.path("dir"), g.path("away"));
  }
  SECTION("replaced") {
    fs::remove_all(g.path("dir/inner"));
    fs::create_directory(g.path("other"));
    fs::rename(g.path("other"), g.path("dir"));
  }
  auto const seen = drain(tree);
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back() == change{kind::gone, "dir"});
  CHECK(count(seen, kind::gone) == 1);
  CHECK(tree.ended());
  CHECK(tree.read_changes().empty());
}

TEST_CASE("a folder beside the watched one that ends is nothing to it", "[folder_watch]") {
  ground const g;
  fs::create_directory(g.path("dir"));
  fs::create_directory(g.path("dir2"));
  auto tree = g.watch("dir");
  fs::remove(g.path("dir2"));
  CHECK(drain(tree).empty());
  CHECK_FALSE(tree.ended());
}

TEST_CASE("what can't be watched is an error that says why", "[folder_watch]") {
  ground const g;
  g.put("a/b/file");
  CHECK(code_of(watched_tree::open(g.find(""), {.recursive = true, .max_watches = 2})) ==
        errc::limit_exceeded);
  CHECK(code_of(watched_tree::open(g.find(""), {.recursive = true, .max_watches = 3})) == errc{});
  auto const deleted = g.find("a/b/file");
  fs::remove(g.path("a/b/file"));
  CHECK(code_of(watched_tree::open(deleted)) == errc::file_not_found);
}

TEST_CASE("a folder that appears beyond the limit is an overflow", "[folder_watch]") {
  ground const g;
  auto tree = g.watch("", {.recursive = true, .max_watches = 2});
  fs::create_directory(g.path("a"));
  CHECK(count(drain(tree), kind::overflow) == 0);
  fs::create_directory(g.path("b"));
  auto const seen = drain(tree);
  CHECK(holds(seen, kind::created, "b"));
  CHECK(seen.back() == change{kind::overflow, ""});
}

TEST_CASE("names that can't be told are a change of their folder", "[folder_watch]") {
  ground const g;
  fs::create_directory(g.path("dir"));
  auto tree = g.watch("", {.recursive = true});
  for (auto const* name : {"dir/\xff", "dir/a\nb", "dir/\x1b[2J", "dir/\x7f"}) {
    g.put(name);
    CHECK(drain(tree) == changes{{kind::changed, "dir"}});
  }
  fs::create_directory(g.path("dir/\xff\xff"));
  g.put("dir/\xff\xff/file");
  CHECK(drain(tree) == changes{{kind::changed, "dir"}});
  g.put("dir/grüße");
  CHECK(drain(tree) == changes{{kind::created, "dir/grüße"}});
}

TEST_CASE("one call tells a bounded number of changes", "[folder_watch]") {
  ground const g;
  auto tree = g.watch("", {.recursive = true});
  // Read as a whole when it appears.
  fs::create_directory(g.path("dir"));
  for (std::size_t i = 0; i <= watched_tree::max_changes; ++i)
    g.put("dir/" + std::to_string(i), "");
  auto const seen = tree.read_changes();
  CHECK(seen.size() == watched_tree::max_changes + 1);
  CHECK(seen.back() == change{kind::overflow, ""});
  CHECK(count(seen, kind::overflow) == 1);
}

TEST_CASE("what the kernel could not keep is one overflow, and the watch goes on",
          "[folder_watch]") {
  ground const g;
  g.put("one");
  auto tree = g.watch("", {.recursive = true});
  std::size_t queued = 0;
  REQUIRE(std::ifstream{"/proc/sys/fs/inotify/max_queued_events"} >> queued);
  auto const one = g.path("one");
  auto const two = g.path("two");
  for (std::size_t i = 0; i <= queued / 4; ++i) {
    REQUIRE(::rename(one.c_str(), two.c_str()) == 0);
    REQUIRE(::rename(two.c_str(), one.c_str()) == 0);
  }
  // Its own event is lost, and it is watched all the same.
  fs::create_directory(g.path("late"));
  CHECK(count(drain(tree), kind::overflow) == 1);
  g.put("late/file");
  CHECK(holds(drain(tree), kind::created, "late/file"));
}

TEST_CASE("an end that the kernel could not keep is told as well", "[folder_watch]") {
  ground const g;
  g.put("dir/one");
  auto tree = g.watch("dir");
  std::size_t queued = 0;
  REQUIRE(std::ifstream{"/proc/sys/fs/inotify/max_queued_events"} >> queued);
  auto const one = g.path("dir/one");
  auto const two = g.path("dir/two");
  for (std::size_t i = 0; i <= queued / 4; ++i) {
    REQUIRE(::rename(one.c_str(), two.c_str()) == 0);
    REQUIRE(::rename(two.c_str(), one.c_str()) == 0);
  }
  fs::remove_all(g.path("dir"));
  auto const seen = drain(tree);
  CHECK(count(seen, kind::overflow) == 1);
  CHECK(seen.back() == change{kind::gone, "dir"});
}

// ---- on an event loop ---------------------------------------------------------------------------

TEST_CASE("changes come to the sink until the folder ends", "[folder_watch]") {
  asio::io_context io;
  ground const g;
  fs::create_directory(g.path("dir"));
  changes seen;
  folder_watch const watch{io.get_executor(), g.watch("dir"), [&](changes next) {
                             CHECK_FALSE(next.empty());
                             seen.insert(seen.end(), next.begin(), next.end());
                           }};
  g.put("dir/file");
  REQUIRE(run_until(io, [&] { return !seen.empty(); }));
  CHECK(seen == changes{{kind::created, "dir/file"}});
  fs::remove_all(g.path("dir"));
  REQUIRE(run_until(io, [&] { return seen.back().what == kind::gone; }));
  // Nothing is left to wait for.
  io.restart();
  CHECK(io.run_for(patience) == 0);
}

TEST_CASE("nothing more is read while changes are handled", "[folder_watch]") {
  asio::io_context io;
  ground const g;
  int calls = 0;
  folder_watch const watch{io.get_executor(), g.watch(""), [&](changes const&) {
                             if (++calls == 1)
                               for (auto i = 0; i < 100; ++i)
                                 g.put("during" + std::to_string(i));
                           }};
  g.put("file");
  REQUIRE(run_until(io, [&] { return calls == 1; }));
  REQUIRE(run_until(io, [&] { return calls == 2; }));
}

TEST_CASE("a watch may be destroyed by its own sink and before it is called", "[folder_watch]") {
  asio::io_context io;
  ground const g;
  int calls = 0;
  std::optional<folder_watch> watch;
  watch.emplace(io.get_executor(), g.watch(""), [&](changes const&) {
    ++calls;
    watch.reset();
  });
  g.put("one");
  g.put("two");
  io.run_for(patience);
  CHECK(calls == 1);

  watch.emplace(io.get_executor(), g.watch(""), [&](changes const&) { ++calls; });
  g.put("three");
  watch.reset();
  io.restart();
  io.run_for(patience);
  CHECK(calls == 1);
}

TEST_CASE("a watch moves, and ends the one it replaces", "[folder_watch]") {
  asio::io_context io;
  ground const g;
  fs::create_directory(g.path("a"));
  fs::create_directory(g.path("b"));
  changes seen;
  auto const sink = [&](changes next) { seen.insert(seen.end(), next.begin(), next.end()); };
  folder_watch watch{io.get_executor(), g.watch("a"), sink};
  watch = folder_watch{io.get_executor(), g.watch("b"), sink};
  g.put("a/file");
  g.put("b/file");
  REQUIRE(run_until(io, [&] { return !seen.empty(); }));
  CHECK(seen == changes{{kind::created, "b/file"}});
}

TEST_CASE("a watch runs on a thread pool", "[folder_watch]") {
  asio::thread_pool pool{1};
  ground const g;
  std::promise<change> first;
  bool is_first = true;
  folder_watch const watch{pool.get_executor(), g.watch(""), [&](changes const& seen) {
                             if (std::exchange(is_first, false))
                               first.set_value(seen.front());
                           }};
  g.put("file");
  auto told = first.get_future();
  REQUIRE(told.wait_for(patience) == std::future_status::ready);
  CHECK(told.get() == change{kind::created, "file"});
  pool.stop();
  pool.join();
}
