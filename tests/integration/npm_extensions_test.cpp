// Real packages from npm as extensions, on real sources: what comes back is byte for byte what the
// packages' own programs give.

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/runtime.hpp>
#include <bulkhead/testing.hpp>

#include "run_command.hpp"
#include "shared/text.hpp"

#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <future>
#include <map>
#include <string>

using namespace bulkhead;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using sources = std::map<std::string, std::string>;

/// Where tests/integration/npm/prepare has put everything; a fixture of the test run calls it.
fs::path const prepared = BULKHEAD_TEST_NPM_DIR;

sources read_folder(fs::path const& folder) {
  sources files;
  for (auto const& entry : fs::directory_iterator{folder})
    files[entry.path().filename().string()] = testing::content_of(entry.path());
  return files;
}

std::string policy_for(std::string const& extension) {
  return "[hosts.tool]\nextension = \"" + (prepared / extension).string() +
         "\"\nrequest_timeout = \"120s\"\nsandbox.require = \"none\"\n";
}

/// One request a file, all of them in flight at once.
void check_through_api(std::string const& extension, std::string const& command,
                       sources const& input, sources const& expected) {
  testing::harness backend{policy_for(extension), prepared};
  REQUIRE(backend.start());
  std::map<std::string, std::future<json>> answers;
  for (auto const& [name, text] : input)
    answers[name] =
        backend.host("tool").async_command(command, {name, text}, boost::asio::use_future);
  for (auto& [name, answer] : answers) {
    INFO(name);
    CHECK(std::string{answer.get().as_string()} == expected.at(name));
  }
}

/// All files in one command, through the command line.
void check_through_call(std::string const& extension, std::string const& command,
                        sources const& input, sources const& expected) {
  testing::temporary_directory folder;
  auto const policy = folder.write("policy.toml", policy_for(extension));
  boost::json::object all;
  for (auto const& [name, text] : input)
    all.emplace(name, text);

  auto const ran =
      testing::run_command({BULKHEAD_TEST_COMMAND, "call", policy.string(), "tool", command, "-"},
                           boost::json::serialize(all));

  INFO(ran.errors);
  REQUIRE(ran.exit_code == 0);
  auto const answer = boost::json::parse(ran.output);
  REQUIRE(answer.as_object().size() == expected.size());
  for (auto const& [name, text] : expected) {
    INFO(name);
    CHECK(std::string{answer.at(name).as_string()} == text);
  }
}

} // namespace

TEST_CASE("prettier formats 200 files through the embedding API as its own program does", "[npm]") {
  auto const input = read_folder(prepared / "prettier-input");
  REQUIRE(input.size() >= 200);
  check_through_api("prettier", "format", input, read_folder(prepared / "prettier-expected"));
}

TEST_CASE("prettier formats 200 files through bulkhead call as its own program does", "[npm]") {
  auto const input = read_folder(prepared / "prettier-input");
  REQUIRE(input.size() >= 200);
  check_through_call("prettier", "formatAll", input, read_folder(prepared / "prettier-expected"));
}

TEST_CASE("typescript transpiles 50 files through the embedding API as it does outside", "[npm]") {
  auto const input = read_folder(prepared / "typescript-input");
  REQUIRE(input.size() == 50);
  check_through_api("typescript", "transpile", input,
                    read_folder(prepared / "typescript-expected"));
}

TEST_CASE("typescript transpiles 50 files through bulkhead call as it does outside", "[npm]") {
  auto const input = read_folder(prepared / "typescript-input");
  REQUIRE(input.size() == 50);
  check_through_call("typescript", "transpileAll", input,
                     read_folder(prepared / "typescript-expected"));
}
