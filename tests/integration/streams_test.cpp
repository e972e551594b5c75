// Files that are read and written piece by piece: as streams of a Node extension, and as requests.

#include "held_memory.hpp"
#include "service_hosts.hpp"

#include <bulkhead/platform/sha256.hpp>

#include <boost/asio/detached.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::json::array;
using boost::json::object;
using test_hosts::files_host;
using test_hosts::fs;
using test_hosts::tell;
using test_hosts::told;

namespace {

constexpr std::size_t mebibyte = 1u << 20;

/// Writes so many MiB, each of which is different; their digest.
std::string write_large(std::filesystem::path const& file, std::size_t mebibytes) {
  std::ofstream out{file, std::ios::binary};
  platform::sha256 sum;
  std::string block(mebibyte, '\0');
  for (std::size_t i = 0; i < mebibytes; ++i) {
    for (std::size_t at = 0; at < block.size(); at += 64)
      block[at] = static_cast<char>(at / 64 * (i + 1));
    out << block;
    sum.update(block);
  }
  return platform::to_hex(sum.finish());
}

std::string digest_of_file(std::filesystem::path const& file) {
  std::ifstream in{file, std::ios::binary};
  platform::sha256 sum;
  std::string block(mebibyte, '\0');
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0)
    sum.update(std::string_view{block}.substr(0, static_cast<std::size_t>(in.gcount())));
  return platform::to_hex(sum.finish());
}

std::size_t entries_in(std::filesystem::path const& folder) {
  std::filesystem::directory_iterator const all{folder};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Whether the folder has so many entries before long: files are closed by a thread of the pool.
bool has_soon(std::filesystem::path const& folder, std::size_t entries) {
  auto const until = std::chrono::steady_clock::now() + patience;
  while (entries_in(folder) != entries)
    if (std::chrono::steady_clock::now() > until)
      return false;
    else
      std::this_thread::yield();
  return true;
}

/// The host "files" with a workspace, and its requests about open files.
struct open_workspace : temporary_directory {
  explicit open_workspace(std::string_view more = {})
      : run{policy_text(files_host(test_hosts::workspace_rules, more)),
            (std::filesystem::create_directory(path() / "ws"), path())} {
    REQUIRE(run.start());
  }

  std::filesystem::path root() const { return path() / "ws"; }

  told ask(std::string_view type, object payload) {
    return tell(run, "files", "request", {json(type), std::move(payload)});
  }
  json open(std::string_view type, std::string_view name) {
    auto const opened = ask(type, {{"path", name}});
    REQUIRE(opened.code.empty());
    return opened.value.at("file");
  }
  std::string write(json const& file, std::string_view text) {
    return ask("fs.writeChunk", {{"file", file}, {"content", text}}).code;
  }
  std::string commit(json const& file) { return ask("fs.commitFile", {{"file", file}}).code; }
  std::string close(json const& file) { return ask("fs.closeFile", {{"file", file}}).code; }
  std::string own_folder(std::string_view which) {
    auto const folders = outcome(run.host().async_command("folders", {}, boost::asio::use_future));
    return std::string{folders.value().at(which).as_string()};
  }

  harness run;
};

} // namespace

TEST_CASE("a file of 200 MiB streams both ways, and the backend holds little of it") {
  open_workspace here{"[hosts.files.sandbox]\nrequire = \"strong\"\n"};
  auto const digest = write_large(here.root() / "in", 200);
  // Whatever is read, written, sent and under way in one piece each, and what the allocator keeps.
  constexpr auto bound = 48 * mebibyte;
  auto const before = held_bytes();
  auto copied =
      here.run.host().async_command("copyStream", {"in", "out"}, 5min, boost::asio::use_future);
  std::size_t most = 0;
  while (copied.wait_for(1ms) != std::future_status::ready)
    most = std::max(most, held_bytes());
  auto const ended = outcome(std::move(copied)).value();
  INFO(ended);
  CHECK(ended.at("value").at("size") == json(200 * mebibyte));
  CHECK(ended.at("value").at("sha256") == json(digest));
  CHECK(digest_of_file(here.root() / "out") == digest);
  CHECK(most < before + bound);
  CHECK(entries_in(here.root()) == 2);
}

TEST_CASE("a host without attachments reads and writes pieces as base64") {
  temporary_directory files;
  files.write("in", std::string("\x00\xff\x80"
                                "abcd",
                                7));
  auto const agreed = GENERATE(false, true);
  CAPTURE(agreed);
  auto const encoding = agreed ? R"(,"encoding":"binary"})" : "}";
  auto host = test_hosts::raw_host(
      {agreed ? R"(ready:{"attachments":true})" : "ready", R"(ask:fs.openRead {"path":"in"})",
       R"(ask:fs.readChunk {"file":"1","length":3)" + std::string{encoding},
       R"(ask:fs.readChunk {"file":"1")" + std::string{encoding},
       R"(ask:fs.readChunk {"file":"1")" + std::string{encoding},
       R"(ask:fs.openWrite {"path":"out"})",
       agreed ? R"(ask-attached:00ff fs.writeChunk {"file":"2","encoding":"binary"})"
              : R"(ask:fs.writeChunk {"file":"2","content":"AP8=","encoding":"base64"})",
       R"(ask:fs.writeChunk {"file":"2","content":"text"})", R"(ask:fs.commitFile {"file":"2"})",
       "serve"});
  auto const other = test_hosts::files_host_in(files.path(), "files");
  host.permissions = other.permissions;
  host.filesystem = other.filesystem;
  harness run{test_hosts::only(std::move(host))};
  REQUIRE(run.start());
  CHECK(run.wait_for_log(R"("payload": {"file": "1", "size": 7}})"));
  auto const read = [](std::string_view base64, std::string_view hex) {
    return std::pair{R"("payload": {"content": ")" + std::string{base64} +
                         R"(", "encoding": "base64"}})",
                     R"("attachment": ")" + std::string{hex} + "\"}"};
  };
  for (auto const& [base64, hex] :
       {read("AP+A", "00ff80"), read("YWJjZA==", "61626364"), read("", "")})
    CHECK(run.wait_for_log(agreed ? hex : base64));
  CHECK(run.wait_for_log("fs.commitFile-response"));
  CHECK(content_of(files.path() / "out") == std::string("\x00\xff", 2) + "text");
}

TEST_CASE("what is written piece by piece appears whole, or not at all") {
  open_workspace here;
  here.temporary_directory::write("ws/there", "old");
  auto const file = here.open("fs.openWrite", "there");
  CHECK(here.write(file, "new ").empty());
  CHECK(here.write(file, "text").empty());
  CHECK(content_of(here.root() / "there") == "old");
  CHECK(entries_in(here.root()) == 2);
  CHECK(fs(here.run, "readDirectory", ".").value.as_array().size() == 1);
  SECTION("put in place") {
    CHECK(here.commit(file).empty());
    CHECK(content_of(here.root() / "there") == "new text");
  }
  SECTION("given up") {
    CHECK(here.close(file).empty());
    CHECK(content_of(here.root() / "there") == "old");
  }
  SECTION("at the end of its process") {
    REQUIRE(test_hosts::stop(here.run.host()));
    CHECK(has_soon(here.root(), 1));
    CHECK(content_of(here.root() / "there") == "old");
    REQUIRE(test_hosts::start(here.run.host()));
  }
  CHECK(has_soon(here.root(), 1));
  CHECK(here.commit(file) == "invalid_payload");
  CHECK(here.write(file, "late") == "invalid_payload");
  CHECK(here.close(file) == "invalid_payload");
}

TEST_CASE("a process that is killed leaves none of its open files") {
  open_workspace here{"[hosts.files.restart]\nbackoff = { initial = \"1ms\" }\n"};
  auto const file = here.open("fs.openWrite", "half");
  CHECK(here.write(file, "half").empty());
  CHECK(entries_in(here.root()) == 1);
  here.run.host().async_command("exit", {3}, boost::asio::detached);
  REQUIRE(here.run.wait_for("files", host_state::Running, after_restarts(1)));
  CHECK(has_soon(here.root(), 0));
  CHECK(here.write(file, "more") == "invalid_payload");
}

TEST_CASE("files are opened as the rules allow, and in the way that was asked for") {
  open_workspace here;
  here.temporary_directory::write("ws/there", "there");
  here.temporary_directory::write("ws/key.pem", "key");
  auto const outside = here.temporary_directory::write("outside", "outside").string();
  std::filesystem::create_symlink(outside, here.root() / "link");
  std::filesystem::create_directory(here.root() / "folder");
  for (auto const* type : {"fs.openRead", "fs.openWrite"}) {
    CAPTURE(type);
    for (auto const& name : {std::string{"key.pem"}, std::string{"link"}, outside})
      CHECK(here.ask(type, {{"path", name}}).code == "path_denied");
    CHECK(here.ask(type, {{"path", "folder"}}).code == "file_is_a_directory");
    CHECK(here.ask(type, {}).code == "invalid_payload");
  }
  CHECK(here.ask("fs.openRead", {{"path", "none"}}).code == "file_not_found");
  auto const begin = [&](std::string_view name, std::string_view option) {
    return here.ask("fs.openWrite", {{"path", name}, {option, false}}).code;
  };
  CHECK(begin("none", "create") == "file_not_found");
  CHECK(begin("there", "overwrite") == "file_exists");
  CHECK(entries_in(here.root()) == 4);

  auto const read = here.open("fs.openRead", "there");
  auto const written = here.open("fs.openWrite", "new");
  CHECK(here.write(read, "x") == "invalid_payload");
  CHECK(here.commit(read) == "invalid_payload");
  auto const piece = [&](object more) {
    more["file"] = read;
    return here.ask("fs.readChunk", std::move(more));
  };
  CHECK(here.ask("fs.readChunk", {{"file", written}}).code == "invalid_payload");
  CHECK(piece({{"length", 0}}).code == "invalid_payload");
  CHECK(piece({{"length", "1"}}).code == "invalid_payload");
  CHECK(piece({{"encoding", "utf8"}}).code == "invalid_payload");
  CHECK(piece({}).value == json{{"content", "dGhlcmU="}, {"encoding", "base64"}});
  CHECK(here.ask("fs.readChunk", {}).code == "invalid_payload");
}

TEST_CASE("a host has only so many open files, and none after its end") {
  open_workspace here;
  here.temporary_directory::write("ws/there", "there");
  auto const descriptors = entries_in("/proc/self/fd");
  std::vector<json> files;
  for (int i = 0; i < 16; ++i)
    files.push_back(i % 2 == 0 ? here.open("fs.openRead", "there")
                               : here.open("fs.openWrite", "new" + std::to_string(i)));
  for (auto const* type : {"fs.openRead", "fs.openWrite"})
    CHECK(here.ask(type, {{"path", "there"}}).code == "limit_exceeded");
  CHECK(here.close(files.back()).empty());
  here.open("fs.openRead", "there");
  CHECK(entries_in("/proc/self/fd") >= descriptors + files.size());
  REQUIRE(test_hosts::stop(here.run.host()));
  REQUIRE(test_hosts::start(here.run.host()));
  CHECK(has_soon("/proc/self/fd", descriptors));
  here.open("fs.openRead", "there");
}

TEST_CASE("each piece is an operation, but a file may always be closed") {
  open_workspace here{"[hosts.files.limits]\nfs_operations = 3\n"};
  auto const file = here.open("fs.openWrite", "half");
  CHECK(here.write(file, "one").empty());
  CHECK(here.write(file, "two").empty());
  CHECK(here.write(file, "three") == "limit_exceeded");
  CHECK(here.commit(file) == "limit_exceeded");
  CHECK(here.close(file).empty());
  CHECK(has_soon(here.root(), 0));
}

TEST_CASE("what is written piece by piece counts as storage while it grows") {
  open_workspace here{"[hosts.files.limits]\nstorage = \"1000B\"\n"};
  auto const storage = here.own_folder("storage");
  auto const text = [](std::size_t size) { return std::string(size, 'x'); };
  auto const left = [&](std::size_t bytes) {
    auto const probe = storage + "/probe";
    auto const fits = fs(here.run, "writeFile", probe, text(bytes)).code.empty();
    auto const more = fs(here.run, "writeFile", probe, text(bytes + 1)).code;
    if (fits)
      CHECK(fs(here.run, "delete", probe).code.empty());
    return fits && more == "limit_exceeded";
  };
  auto const file = here.open("fs.openWrite", storage + "/a");
  CHECK(here.write(file, text(600)).empty());
  CHECK(left(400));
  SECTION("until it is put in place, and then on") {
    CHECK(here.write(file, text(400)).empty());
    CHECK(here.commit(file).empty());
    CHECK(left(0));
    // It is beside what it replaces until then.
    auto const again = here.open("fs.openWrite", storage + "/a");
    CHECK(here.write(again, text(1)) == "limit_exceeded");
  }
  SECTION("until it is given up") {
    CHECK(here.close(file).empty());
    CHECK(left(1000));
  }
  SECTION("until there is no more room, and then no more") {
    CHECK(here.write(file, text(401)) == "limit_exceeded");
    CHECK(here.write(file, text(1)) == "invalid_payload");
    CHECK(has_soon(storage, 0));
    CHECK(left(1000));
  }
  SECTION("and what it replaces until it is put in place") {
    CHECK(here.commit(file).empty());
    auto const again = here.open("fs.openWrite", storage + "/a");
    CHECK(here.write(again, text(400)).empty());
    CHECK(left(0));
    CHECK(here.commit(again).empty());
    CHECK(left(600));
  }
  SECTION("and elsewhere it does not") {
    auto const outside = here.open("fs.openWrite", "big");
    CHECK(here.write(outside, text(5000)).empty());
    CHECK(here.commit(outside).empty());
    CHECK(left(400));
  }
}

TEST_CASE("a folder that was moved takes no file that was begun in it") {
  open_workspace here;
  std::filesystem::create_directory(here.root() / "a");
  auto const file = here.open("fs.openWrite", "a/file");
  auto const other = here.open("fs.openWrite", "a/other");
  CHECK(here.write(file, "x").empty());
  std::filesystem::rename(here.root() / "a", here.root() / "b");
  CHECK(here.write(other, "x") == "path_denied");
  CHECK(here.commit(file) == "path_denied");
  CHECK(has_soon(here.root() / "b", 0));
}

TEST_CASE("rules that change hold for files that are open") {
  temporary_directory home;
  home.write("in", "text");
  auto now = policy_of({test_hosts::files_host_in(home.path(), "files")});
  harness run{now};
  REQUIRE(run.start());
  auto const ask = [&](std::string_view type, object payload) {
    return tell(run, "files", "request", {json(type), std::move(payload)});
  };
  auto const in = ask("fs.openRead", {{"path", "in"}}).value.at("file");
  auto const out = ask("fs.openWrite", {{"path", "out"}}).value.at("file");
  now.hosts.front().filesystem.rules.deny = now.hosts.front().filesystem.rules.read;
  now.state_dir = run->active_policy()->state_dir;
  REQUIRE(outcome(run->async_update_policy(now, boost::asio::use_future)));
  CHECK(ask("fs.readChunk", {{"file", in}}).code == "path_denied");
  CHECK(ask("fs.commitFile", {{"file", out}}).code == "path_denied");
  CHECK(has_soon(home.path(), 1));
}
