#include "service_hosts.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sys/stat.h>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::testing;
using boost::json::array;
using boost::json::object;
using test_hosts::files_host;
using test_hosts::fs;
using test_hosts::tell;
using test_hosts::workspace_rules;

namespace {

/// A folder with a workspace, and a host that may use it.
struct workspace : temporary_directory {
  std::filesystem::path const root = path() / "ws";

  explicit workspace(std::string_view more = {})
      : run{(write("ws/hello.txt", "hello"), policy_text(files_host(workspace_rules, more))),
            path()} {
    REQUIRE(run.start());
  }

  std::string name(std::string_view below) const { return (root / below).string(); }

  harness run;
};

std::map<std::string, std::string> listed(harness& run, std::string const& folder) {
  std::map<std::string, std::string> entries;
  auto const answer = fs(run, "readDirectory", folder);
  REQUIRE(answer.code.empty());
  for (auto const& entry : answer.value.as_array())
    entries.emplace(entry.at(0).as_string(), entry.at(1).as_string());
  return entries;
}

std::set<std::string> found(harness& run, array arguments) {
  auto const answer = tell(run, "files", "findFiles", std::move(arguments));
  REQUIRE(answer.code.empty());
  std::set<std::string> files;
  for (auto const& file : answer.value.as_array())
    files.emplace(file.as_string());
  return files;
}

/// The path of one of the host's own folders, as the extension sees it.
std::string own_folder(harness& run, std::string_view which) {
  auto const folders = outcome(run.host().async_command("folders", {}, boost::asio::use_future));
  REQUIRE(folders);
  return std::string{folders->at(which).as_string()};
}

/// By this process so far, from files and sockets.
std::size_t bytes_read() {
  std::ifstream in{"/proc/self/io"};
  std::string name;
  std::size_t bytes = 0;
  in >> name >> bytes;
  REQUIRE(name == "rchar:");
  return bytes;
}

} // namespace

TEST_CASE("an extension reads and writes files of its workspace") {
  workspace here;
  auto& run = here.run;
  SECTION("as text, by path, relative path and URI") {
    for (json const& path :
         {json(here.name("hello.txt")), json("hello.txt"), json("./a/../hello.txt"),
          json("file://" + here.name("hello.txt")), json("file://" + here.name("hell%6F.txt")),
          json{{"url", "file://" + here.name("hello.txt")}}}) {
      INFO(path);
      CHECK(fs(run, "readFile", path, "utf8").value == json("hello"));
    }
  }
  SECTION("as bytes") {
    object const bytes{{"base64", "AP+AAQ=="}};
    CHECK(fs(run, "writeFile", "bytes", bytes).code.empty());
    CHECK(content_of(here.root / "bytes") == std::string("\x00\xff\x80\x01", 4));
    CHECK(fs(run, "readFile", "bytes").value == json(bytes));
    CHECK(fs(run, "readFile", "bytes", "utf8").code == "file_unsupported");
  }
  SECTION("replacing and creating unless told otherwise") {
    CHECK(fs(run, "writeFile", "hello.txt", "again").code.empty());
    CHECK(content_of(here.root / "hello.txt") == "again");
    CHECK(fs(run, "writeFile", "hello.txt", "no", object{{"overwrite", false}}).code ==
          "file_exists");
    CHECK(fs(run, "writeFile", "new.txt", "no", object{{"create", false}}).code ==
          "file_not_found");
    CHECK(content_of(here.root / "hello.txt") == "again");
    CHECK(!std::filesystem::exists(here.root / "new.txt"));
  }
  SECTION("whose status it is told") {
    auto const file = fs(run, "stat", "hello.txt").value;
    CHECK(file.at("type") == json("file"));
    CHECK(file.at("size") == json(5));
    CHECK(file.at("mtime").as_int64() > 1'600'000'000'000);
    CHECK(fs(run, "stat", here.root.string()).value.at("type") == json("directory"));
  }
  SECTION("and is told why not") {
    CHECK(fs(run, "readFile", "missing").code == "file_not_found");
    CHECK(fs(run, "readFile", ".").code == "file_is_a_directory");
    CHECK(fs(run, "readDirectory", "hello.txt").code == "file_not_a_directory");
    CHECK(fs(run, "stat", "hello.txt/below").code == "file_not_a_directory");
  }
}

TEST_CASE("an extension moves whole folders about") {
  workspace here;
  auto& run = here.run;
  REQUIRE(fs(run, "createDirectory", "a/b/c").code.empty());
  CHECK(fs(run, "createDirectory", "a/b/c").code.empty());
  REQUIRE(fs(run, "writeFile", "a/b/c/deep.txt", "deep").code.empty());
  CHECK(listed(run, here.root.string()) ==
        std::map<std::string, std::string>{{"a", "directory"}, {"hello.txt", "file"}});

  CHECK(fs(run, "copy", "a", "copied").code.empty());
  CHECK(content_of(here.root / "copied/b/c/deep.txt") == "deep");
  CHECK(fs(run, "copy", "hello.txt", "copied/b/c/deep.txt").code == "file_exists");
  CHECK(fs(run, "copy", "hello.txt", "copied/b/c/deep.txt", object{{"overwrite", true}})
            .code.empty());
  CHECK(content_of(here.root / "copied/b/c/deep.txt") == "hello");

  CHECK(fs(run, "rename", "a", "moved").code.empty());
  CHECK(!std::filesystem::exists(here.root / "a"));
  CHECK(fs(run, "rename", "moved/b/c/deep.txt", "hello.txt").code == "file_exists");
  CHECK(fs(run, "rename", "moved/b/c/deep.txt", "hello.txt", object{{"overwrite", true}})
            .code.empty());
  CHECK(content_of(here.root / "hello.txt") == "deep");

  CHECK(fs(run, "delete", "copied").code == "directory_not_empty");
  CHECK(fs(run, "delete", "copied", object{{"recursive", true}}).code.empty());
  CHECK(fs(run, "delete", "hello.txt").code.empty());
  CHECK(fs(run, "delete", "hello.txt").code == "file_not_found");
  CHECK(listed(run, here.root.string()) ==
        std::map<std::string, std::string>{{"moved", "directory"}});
}

TEST_CASE("an extension hears of changes until it has heard enough") {
  workspace here;
  auto& run = here.run;
  REQUIRE(tell(run, "files", "watch", {"one", ".", object{{"recursive", true}}}).code.empty());
  here.write("ws/deep/new.txt", "new");
  CHECK(run.wait_for_log("one: created " + here.name("deep/new.txt")));
  here.write("ws/hello.txt", "changed");
  CHECK(run.wait_for_log("one: changed " + here.name("hello.txt")));
  std::filesystem::remove(here.root / "hello.txt");
  CHECK(run.wait_for_log("one: deleted " + here.name("hello.txt")));
  here.write("ws/private.pem", "denied");
  CHECK(tell(run, "files", "unwatch", {"one"}).code.empty());

  // What happens now only the second one hears of; that it did says that the first had its chance.
  REQUIRE(tell(run, "files", "watch", {"two", "deep"}).code.empty());
  here.write("ws/deep/later.txt", "later");
  CHECK(run.wait_for_log("two: created " + here.name("deep/later.txt")));
  CHECK(!run.wait_for_log("one: created " + here.name("deep/later.txt"), {}));
  CHECK(!run.wait_for_log("private.pem", {}));

  std::filesystem::remove_all(here.root / "deep");
  CHECK(run.wait_for_log("two: gone " + here.name("deep")));
  CHECK(tell(run, "files", "unwatch", {"two"}).code.empty());
  CHECK(tell(run, "files", "request", {"fs.unwatch", object{{"watch", "2"}}}).code ==
        "invalid_payload");
}

TEST_CASE("an extension finds files by globs, and none that is denied") {
  workspace here;
  auto& run = here.run;
  for (auto const* file : {"a/one.md", "a/two.md", "b/three.md", ".git/config.md", "a/key.pem"})
    here.write(std::filesystem::path{"ws"} / file, "");
  CHECK(found(run, {"**/*.md"}) ==
        std::set{here.name("a/one.md"), here.name("a/two.md"), here.name("b/three.md")});
  CHECK(found(run, {"**/*.md", object{{"exclude", "b/**"}}}) ==
        std::set{here.name("a/one.md"), here.name("a/two.md")});
  CHECK(found(run, {"**", object{{"maxResults", 2}}}).size() == 2);
  CHECK(found(run, {"**/*.pem"}).empty());
  CHECK(tell(run, "files", "findFiles", {"[", object{}}).code == "invalid_payload");
  CHECK(tell(run, "files", "findFiles", {nullptr, object{}}).code == "invalid_payload");
  CHECK(tell(run, "files", "findFiles", {"**", object{{"maxResults", 0}}}).code ==
        "invalid_payload");
}

TEST_CASE("a workspace that no rule opens is searched all the same, and no more") {
  temporary_directory files;
  files.write("ws/below/one.md", "");
  harness run{policy_text(files_host("workspace = [\"ws\"]")), files.path()};
  REQUIRE(run.start());
  auto const name = (files.path() / "ws/below/one.md").string();
  CHECK(found(run, {"**/*.md"}) == std::set{name});
  CHECK(fs(run, "stat", name).code == "path_denied");
}

TEST_CASE("an extension knows its folders, and keeps what it stores from one start to the next") {
  workspace here;
  auto& run = here.run;
  auto const folders =
      outcome(run.host().async_command("folders", {}, boost::asio::use_future)).value();
  CHECK(folders.at("workspace") == json(array{here.root.string()}));
  CHECK(folders.at("extension") == json((test_hosts::folder / "extensions/files").string()));
  for (auto const* own : {"storage", "logs", "temp"})
    CHECK(fs(run, "writeFile", own_folder(run, own) + "/kept", own).code.empty());
  auto const main = own_folder(run, "extension") + "/main.js";
  CHECK(fs(run, "stat", main).code.empty());
  CHECK(fs(run, "writeFile", main, "mine").code == "path_denied");

  REQUIRE(test_hosts::stop(run.host()));
  REQUIRE(test_hosts::start(run.host()));
  CHECK(fs(run, "readFile", own_folder(run, "storage") + "/kept", "utf8").value == json("storage"));
}

TEST_CASE("a relative path is in the storage folder where there is no workspace") {
  temporary_directory files;
  harness run{policy_text(files_host("")), files.path()};
  REQUIRE(run.start());
  CHECK(fs(run, "writeFile", "notes/today", "text").code == "file_not_found");
  CHECK(fs(run, "createDirectory", "notes").code.empty());
  CHECK(fs(run, "writeFile", "notes/today", "text").code.empty());
  CHECK(content_of(std::filesystem::path{own_folder(run, "storage")} / "notes/today") == "text");
}

TEST_CASE("a rule about a single file holds before the file is there and after it was deleted") {
  temporary_directory files;
  auto const name = (files.path() / "only.txt").string();
  files.write("other.txt", "other");
  harness run{policy_text(files_host(R"(read = ["only.txt"]
write = ["only.txt"])")),
              files.path()};
  REQUIRE(run.start());
  CHECK(fs(run, "readFile", name, "utf8").code == "file_not_found");
  CHECK(fs(run, "writeFile", name, "one").code.empty());
  CHECK(fs(run, "readFile", name, "utf8").value == json("one"));
  CHECK(fs(run, "delete", name).code.empty());
  CHECK(fs(run, "writeFile", name, "two").code.empty());
  CHECK(content_of(name) == "two");
  CHECK(fs(run, "readFile", (files.path() / "other.txt").string(), "utf8").code == "path_denied");
}

TEST_CASE("requests that are served together see what those before them have changed") {
  temporary_directory files;
  std::filesystem::create_directories(files.path() / "ws/inner");
  std::filesystem::create_directory_symlink(files.path() / "ws/inner", files.path() / "way");
  harness run{policy_text(files_host("workspace = [\"ws\"]\n"
                                     "read = [\"ws\", \"way\"]\nwrite = [\"ws\"]\n")),
              files.path()};
  REQUIRE(run.start());
  auto const way = (files.path() / "way").string();
  auto const ended = tell(run, "files", "fsTogether",
                          {array{"stat", way}, array{"stat", way}, array{"delete", "inner"},
                           array{"createDirectory", "inner"}, array{"stat", way}});
  REQUIRE(ended.code.empty());
  for (auto const& each : ended.value.as_array())
    CHECK(each.as_object().contains("value"));
}

TEST_CASE("file operations are counted, and anew after a start") {
  workspace here{"[hosts.files.limits]\nfs_operations = 3\n"};
  auto& run = here.run;
  for (int i = 0; i < 3; ++i)
    CHECK(fs(run, "stat", "hello.txt").code.empty());
  auto const refused = fs(run, "stat", "hello.txt");
  CHECK(refused.code == "limit_exceeded");
  CHECK(refused.failed.at("message").as_string().find("limits.fs_operations") != std::string::npos);
  REQUIRE(test_hosts::stop(run.host()));
  REQUIRE(test_hosts::start(run.host()));
  CHECK(fs(run, "stat", "hello.txt").code.empty());
}

TEST_CASE("what an extension stores is bounded, to the byte") {
  workspace here{"[hosts.files.limits]\nstorage = \"1000B\"\n"};
  auto& run = here.run;
  auto const storage = own_folder(run, "storage");
  auto const temp = own_folder(run, "temp");
  auto const text = [](std::size_t size) { return json(std::string(size, 'x')); };

  CHECK(fs(run, "writeFile", storage + "/a", text(1001)).code == "limit_exceeded");
  CHECK(!std::filesystem::exists(storage + "/a"));
  CHECK(fs(run, "writeFile", storage + "/a", text(600)).code.empty());
  CHECK(fs(run, "writeFile", temp + "/b", text(401)).code == "limit_exceeded");
  CHECK(fs(run, "writeFile", temp + "/b", text(400)).code.empty()); // exactly at it
  CHECK(fs(run, "writeFile", storage + "/c", text(1)).code == "limit_exceeded");
  CHECK(fs(run, "copy", here.name("hello.txt"), storage + "/c").code == "limit_exceeded");
  CHECK(fs(run, "rename", here.name("hello.txt"), storage + "/c").code == "limit_exceeded");
  CHECK(content_of(here.root / "hello.txt") == "hello");
  CHECK(fs(run, "writeFile", storage + "/a", text(600)).code.empty()); // no more than before
  CHECK(fs(run, "delete", storage + "/a").code.empty());
  CHECK(fs(run, "copy", here.name("hello.txt"), storage + "/c").code.empty());
  CHECK(fs(run, "writeFile", storage + "/a", text(595)).code.empty());
  CHECK(fs(run, "writeFile", here.name("big"), text(5000)).code.empty()); // not the storage

  REQUIRE(test_hosts::stop(run.host()));
  REQUIRE(test_hosts::start(run.host()));
  CHECK(fs(run, "writeFile", storage + "/d", text(1)).code == "limit_exceeded");
}

TEST_CASE("what an extension stores is bounded by whatever name it goes there") {
  struct way {
    std::string_view workspace, storage, state;
  };
  auto const by = GENERATE(way{"home", "home/link", "home/state"},
                           way{"linked", "linked/state/storage/files", "home/state"},
                           way{"home", "home/state/storage/files", "linked/state"});
  CAPTURE(by.workspace, by.storage, by.state);
  temporary_directory files;
  std::filesystem::create_directory(files.path() / "home");
  std::filesystem::create_directory_symlink("home", files.path() / "linked");
  std::filesystem::create_directory_symlink("state/storage/files", files.path() / "home/link");
  auto host = test_hosts::files_host_in(files.path() / by.workspace, "files");
  host.limits.storage = 1000;
  auto rules = policy_of({host});
  rules.state_dir = files.path() / by.state;
  harness run{rules};
  REQUIRE(run.start());
  auto const text = [](std::size_t size) { return std::string(size, 'x'); };
  auto const stored = [&](std::string_view name) {
    return (files.path() / by.storage / name).string();
  };
  CHECK(fs(run, "writeFile", "big", text(1001)).code.empty());
  CHECK(fs(run, "writeFile", stored("a"), text(1001)).code == "limit_exceeded");
  CHECK(fs(run, "copy", "big", stored("a")).code == "limit_exceeded");
  CHECK(fs(run, "rename", "big", stored("a")).code == "limit_exceeded");
  CHECK(fs(run, "writeFile", stored("a"), text(1000)).code.empty());
  CHECK(fs(run, "writeFile", stored("b"), text(1)).code == "limit_exceeded");
  CHECK(fs(run, "delete", stored("a")).code.empty());
  CHECK(fs(run, "writeFile", stored("b"), text(1)).code.empty());
}

TEST_CASE("a file longer than a frame is not read") {
  workspace here{"[hosts.files.limits]\nframe = \"64KiB\"\n"};
  auto& run = here.run;
  here.write("ws/big", std::string(64 * 1024 + 1, 'x'));
  CHECK(fs(run, "readFile", "big", "utf8").code == "file_too_large");
  here.write("ws/nearly", std::string(60 * 1024, 'x'));
  CHECK(fs(run, "readFile", "nearly", "utf8").code.empty());
  CHECK(tell(run, "files", "readBytes", {"nearly"}).value.at("size") == json(60 * 1024));
  // It fits, but not as base64.
  auto const as_base64 = object{{"path", "nearly"}, {"encoding", "base64"}};
  CHECK(tell(run, "files", "request", {"fs.readFile", as_base64}).code == "payload_too_large");
  CHECK(fs(run, "stat", "big").code.empty());
}

TEST_CASE("an extension has only so many watches") {
  workspace here;
  auto& run = here.run;
  auto const watch = [&](int i) {
    return tell(run, "files", "watch", {json(std::to_string(i)), "."});
  };
  int watches = 0;
  auto refused = watch(watches);
  while (refused.code.empty() && watches < 100)
    refused = watch(++watches);
  CHECK(watches == 16);
  CHECK(refused.code == "limit_exceeded");
  CHECK(tell(run, "files", "unwatch", {"0"}).code.empty());
  CHECK(watch(watches).code.empty());
}

TEST_CASE("answers that a host does not read are not piled up for it") {
  struct way {
    std::string_view ready, encoding;
  };
  auto const by = GENERATE(way{"ready", "utf8"}, way{R"(ready:{"attachments":true})", "binary"});
  CAPTURE(by.encoding);
  temporary_directory files;
  constexpr std::size_t size = 3u << 20;
  constexpr int count = 30;
  auto const big = files.write("big", std::string(size, 'x')).string();
  auto const fifo = (files.path() / "fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  std::vector<std::string> steps{std::string{by.ready}};
  for (int i = 0; i < count; ++i)
    steps.push_back(R"(frame:{"id":")" + std::to_string(i) +
                    R"(","type":"fs.readFile","payload":{"path":")" + big + R"(","encoding":")" +
                    std::string{by.encoding} + "\"}}");
  for (auto const& step : {"print:sent", "wait-for-writer:", "take:", "print:received"})
    steps.emplace_back(step);
  steps[steps.size() - 3] += fifo;
  steps[steps.size() - 2] += std::to_string(count);
  steps.emplace_back("serve");
  auto lazy = test_hosts::raw_host(steps);
  auto const other = test_hosts::files_host_in(files.path(), "files");
  lazy.permissions = other.permissions;
  lazy.filesystem = other.filesystem;
  harness run{policy_of({lazy, other})};
  auto const before = bytes_read();
  REQUIRE(run.start());
  REQUIRE(run.wait_for_log("stdout: sent"));
  // As long as this takes, what is to be read for the lazy one is read as well.
  auto const served = outcome(run.host("files").async_command(
      "burst", {count, "fs.readFile", object{{"path", "big"}}}, boost::asio::use_future));
  REQUIRE(served);
  CHECK(served->at("codes").at("done") == json(count));
  CHECK(bytes_read() - before < size * (count + 8));
  std::ofstream{fifo};
  CHECK(run.wait_for_log("stdout: received"));
  CHECK(bytes_read() - before >= size * 2 * count);
}
