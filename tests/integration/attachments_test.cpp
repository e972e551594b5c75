// Bytes of files beside the JSON, between real hosts and the backend.

#include "service_hosts.hpp"

#include <bulkhead/platform/sha256.hpp>

#include <random>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::testing;
using boost::json::array;
using boost::json::object;
using test_hosts::files_host;
using test_hosts::fs;
using test_hosts::raw_host;
using test_hosts::tell;

namespace {

constexpr std::size_t mebibyte = 1u << 20;

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random{size};
  std::string bytes(size, '\0');
  for (auto& byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

/// How the extension "files" describes bytes.
json summary_of(std::string_view bytes) {
  return json{{"size", bytes.size()},
              {"sha256", platform::to_hex(platform::sha256{}.digest_of(bytes))}};
}

/// A host of steps that may read and write in a folder, and prints what it is answered.
struct asking_host : temporary_directory {
  explicit asking_host(std::vector<std::string> steps)
      : run{test_hosts::only(host(path(), std::move(steps)))} {
    REQUIRE(run.start());
  }

  static host_policy host(std::filesystem::path const& home, std::vector<std::string> steps) {
    steps.emplace_back("serve");
    auto made = raw_host(std::move(steps));
    auto const files = test_hosts::files_host_in(home, "files");
    made.permissions = files.permissions;
    made.filesystem = files.filesystem;
    return made;
  }

  std::string answer() {
    auto const line = run.wait_for_log("stdout: answer");
    REQUIRE(line);
    return *line;
  }

  harness run;
};

std::string const agreed = R"(ready:{"attachments":true})";

} // namespace

TEST_CASE("a Node extension reads and writes bytes of any size as they are") {
  temporary_directory files;
  // What base64 makes of the last one does not fit.
  harness run{policy_text(files_host(test_hosts::workspace_rules,
                                     "[hosts.files.limits]\nframe = \"6MiB\"\n")),
              (std::filesystem::create_directory(files.path() / "ws"), files.path())};
  REQUIRE(run.start());
  for (std::size_t const size : {std::size_t{0}, std::size_t{1}, std::size_t{4096},
                                 std::size_t{100'000}, mebibyte, 5 * mebibyte + 1}) {
    CAPTURE(size);
    auto const bytes = random_bytes(size);
    files.write("ws/in", bytes);
    CHECK(tell(run, "files", "readBytes", {"in"}).value == summary_of(bytes));
    auto const written = tell(run, "files", "writeBytes", {"out", size});
    CHECK(written.code.empty());
    CHECK(summary_of(content_of(files.path() / "ws/out")) == written.value);
  }
  CHECK(tell(run, "files", "writeBytes", {"out", 6 * mebibyte}).code == "payload_too_large");
  CHECK(tell(run, "files", "readBytes", {"out"}).value.at("size") == json(5 * mebibyte + 1));
}

TEST_CASE("many files at once keep their bytes apart") {
  temporary_directory files;
  harness run{test_hosts::only(test_hosts::files_host_in(files.path(), "files"))};
  REQUIRE(run.start());
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(random_bytes(static_cast<std::size_t>(i) * 9973));
    files.write("in" + std::to_string(i), all.back());
  }
  std::vector<std::future<json>> reads;
  for (std::size_t i = 0; i < all.size(); ++i)
    reads.push_back(run.host().async_command("readBytes", {"in" + std::to_string(i)}, patience,
                                             boost::asio::use_future));
  for (std::size_t i = 0; i < all.size(); ++i)
    CHECK(outcome(std::move(reads[i])).value().at("value") == summary_of(all[i]));
}

TEST_CASE("what attachments carry is checked as what stands in the JSON is") {
  temporary_directory files;
  std::filesystem::create_directory(files.path() / "ws");
  harness run{policy_text(files_host(test_hosts::workspace_rules,
                                     "[hosts.files.limits]\nstorage = \"100000B\"\n")),
              files.path()};
  REQUIRE(run.start());
  SECTION("by the path rules") {
    CHECK(tell(run, "files", "writeBytes", {"key.pem", 10}).code == "path_denied");
    CHECK(!std::filesystem::exists(files.path() / "ws/key.pem"));
    auto const outside = files.write("outside", "kept").string();
    CHECK(tell(run, "files", "writeBytes", {json(outside), 10}).code == "path_denied");
    CHECK(tell(run, "files", "readBytes", {json(outside)}).code == "path_denied");
    std::filesystem::create_symlink(outside, files.path() / "ws/link");
    CHECK(tell(run, "files", "writeBytes", {"link", 10}).code == "path_denied");
    CHECK(tell(run, "files", "readBytes", {"link"}).code == "path_denied");
    CHECK(content_of(outside) == "kept");
  }
  SECTION("by the quota, to the byte") {
    auto const folders = outcome(run.host().async_command("folders", {}, boost::asio::use_future));
    auto const name = std::string{folders.value().at("storage").as_string()} + "/bytes";
    CHECK(tell(run, "files", "writeBytes", {json(name), 100'001}).code == "limit_exceeded");
    CHECK(!std::filesystem::exists(name));
    CHECK(tell(run, "files", "writeBytes", {json(name), 100'000}).code.empty());
    CHECK(tell(run, "files", "writeBytes", {json(name + "2"), 1}).code == "limit_exceeded");
  }
  SECTION("by the options") {
    files.write("ws/there", "kept");
    object const bytes{{"base64", "AAAA"}};
    CHECK(fs(run, "writeFile", "there", bytes, object{{"overwrite", false}}).code == "file_exists");
    CHECK(fs(run, "writeFile", "none", bytes, object{{"create", false}}).code == "file_not_found");
    CHECK(content_of(files.path() / "ws/there") == "kept");
  }
}

TEST_CASE("a host that says so is answered with attachments") {
  SECTION("and told that it is") {
    asking_host here{{agreed}};
    CHECK(here.run.wait_for_log(R"("attachments": true)"));
  }
  SECTION("and reads with them") {
    temporary_directory files;
    auto const file = files.write("bytes", std::string("\x00\xff\x80", 3)).string();
    harness run{test_hosts::only(asking_host::host(
        files.path(),
        {agreed, R"(ask:fs.readFile {"path":")" + file + R"(","encoding":"binary"})"}))};
    REQUIRE(run.start());
    auto const line = run.wait_for_log("stdout: answer");
    REQUIRE(line);
    CHECK(contains(*line, R"("payload": {"encoding": "binary"}, "attachment": "00ff80"})"));
  }
  SECTION("and writes with them") {
    asking_host here{
        {agreed, R"(ask-attached:00ff80 fs.writeFile {"path":"bytes","encoding":"binary"})"}};
    CHECK(contains(here.answer(), R"("type": "fs.writeFile-response", "payload": {})"));
    CHECK(content_of(here.path() / "bytes") == std::string("\x00\xff\x80", 3));
  }
  SECTION("over two sockets, too") {
    temporary_directory files;
    auto host = asking_host::host(
        files.path(),
        {agreed, R"(ask-attached:00ff80 fs.writeFile {"path":"bytes","encoding":"binary"})",
         R"(ask:fs.readFile {"path":"bytes","encoding":"binary"})"});
    host.transport = host_transport::sockets;
    harness run{test_hosts::only(std::move(host))};
    REQUIRE(run.start());
    CHECK(run.wait_for_log(R"("attachment": "00ff80")"));
  }
}

TEST_CASE("a host that says nothing of attachments gets base64, and is told why no bytes") {
  auto const ready = GENERATE(as<std::string>{}, "ready", R"(ready:{"attachments":false})",
                              R"(ready:{"attachments":"yes"})");
  temporary_directory files;
  files.write("bytes", std::string("\x00\xff\x80", 3));
  auto const ask = [](std::string_view encoding) {
    return R"(ask:fs.readFile {"path":"bytes","encoding":")" + std::string{encoding} + "\"}";
  };
  harness run{test_hosts::only(asking_host::host(
      files.path(), {ready, ask("base64"), ask("binary"),
                     R"(ask:fs.writeFile {"path":"out","content":"AP+A","encoding":"base64"})"}))};
  REQUIRE(run.start());
  CHECK(run.wait_for_log(R"("payload": {"content": "AP+A", "encoding": "base64"}})"));
  auto const refused = run.wait_for_log("fs.readFile-error");
  REQUIRE(refused);
  CHECK(contains(*refused, "invalid_payload"));
  CHECK(contains(*refused, "extension-host-ready"));
  CHECK(run.wait_for_log("fs.writeFile-response"));
  CHECK(content_of(files.path() / "out") == std::string("\x00\xff\x80", 3));
  CHECK(!run.wait_for_log(R"("attachments": true)", {}));
}

TEST_CASE("content is in the payload or beside it, as the encoding says") {
  auto const write =
      GENERATE(as<std::string>{}, R"(ask-attached:00 fs.writeFile {"path":"a"})",
               R"(ask-attached:00 fs.writeFile {"path":"a","encoding":"utf8"})",
               R"(ask-attached:00 fs.writeFile {"path":"a","encoding":"base64","content":""})",
               R"(ask-attached:00 fs.writeFile {"path":"a","encoding":"binary","content":""})",
               R"(ask:fs.writeFile {"path":"a","encoding":"binary","content":""})",
               R"(ask:fs.writeFile {"path":"a","encoding":"binary"})",
               R"(ask-attached:00 fs.writeFile {"path":"a","encoding":"bytes"})");
  CAPTURE(write);
  asking_host here{{agreed, write}};
  CHECK(contains(here.answer(), "invalid_payload"));
  CHECK(!std::filesystem::exists(here.path() / "a"));
}

TEST_CASE("each process says for itself whether it takes attachments") {
  temporary_directory files;
  files.write("bytes", "bytes");
  auto const marker = (files.path() / "marker").string();
  // The first process agrees and ends; the second one does not agree, asks for one and sends one.
  auto host = asking_host::host(
      files.path(),
      {"ready-once:{\"attachments\":true} " + marker, "exit-once:3 " + marker,
       R"(ask:fs.readFile {"path":"bytes","encoding":"binary"})",
       R"(attach:00 {"id":"a","type":"fs.writeFile","payload":{"path":"a","encoding":"binary"}})"});
  host.restart.max_restarts = 1;
  host.restart.backoff_initial = std::chrono::milliseconds{1};
  harness run{test_hosts::only(std::move(host))};
  run->start();
  REQUIRE(run.wait_for("raw", host_state::Crashed));
  auto const answer = run.wait_for_log("stdout: answer", {});
  REQUIRE(answer);
  CHECK(contains(*answer, "invalid_payload"));
  CHECK(run.host().status().last_end_detail.find("frame_too_large") != std::string::npos);
}
