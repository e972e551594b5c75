// `bulkhead integrity` on extensions and interpreters, and the shell that docs/integrity.md offers.

#include "run_command.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace {

namespace fs = std::filesystem;
using bulkhead::testing::contains;
using bulkhead::testing::content_of;
using bulkhead::testing::ran_command;
using bulkhead::testing::run_bulkhead;
using bulkhead::testing::run_command;
using bulkhead::testing::temporary_directory;

ran_command integrity(std::vector<std::string> const& words) {
  return run_bulkhead({"integrity"}, words);
}

/// What sha256sum prints before the name.
std::string sha256sum(fs::path const& file) {
  return run_command({"sha256sum", "-z", "--", file.string()}).output.substr(0, 64);
}

/// With everything that a name can hold.
struct extension {
  extension() {
    for (auto const* const name : {"package.json", "a b", "a-b", "a/ b/c", ".git/config", "-n",
                                   "line\nfeed", "line\nfeed 2/\xFF", "\\", "'\"$(x)", " "})
      write(name, std::string{"content of "} + name);
    write("bin/run", "#!/bin/sh\n", 0755);
    write("bin/run two", "", 0755);
    fs::create_directories(path() / "empty" / "er");
    fs::create_symlink("bin/run", path() / "link");
    fs::create_symlink("./line\nfeed", path() / "link to a\nline");
    secure(path());
  }

  fs::path path() const { return fs::canonical(folder.path()) / "an extension"; }
  void write(std::string const& name, std::string_view content, mode_t mode = 0644) const {
    auto const file = folder.write(fs::path{"an extension"} / name, content);
    ::chmod(file.c_str(), mode);
  }

  /// Whatever the umask is.
  static void secure(fs::path const& root) {
    constexpr auto by_others = fs::perms::group_write | fs::perms::others_write;
    fs::permissions(root, by_others, fs::perm_options::remove);
    for (auto const& entry : fs::recursive_directory_iterator{root})
      if (!entry.is_symlink())
        fs::permissions(entry.path(), by_others, fs::perm_options::remove);
  }

  temporary_directory folder;
};

/// The first block of shell in the document.
std::string documented_shell() {
  auto const text = content_of(BULKHEAD_TEST_SOURCE_DIR "/docs/integrity.md");
  auto const begin = text.find("```sh\n");
  REQUIRE(begin != text.npos);
  auto const end = text.find("```\n", begin + 6);
  return text.substr(begin + 6, end - begin - 6);
}

} // namespace

TEST_CASE("the hash of an extension is printed as a line for the policy", "[command]") {
  extension const e;
  auto const told = integrity({e.path().string()});
  CAPTURE(told.output, told.errors);
  CHECK(told.exit_code == 0);
  CHECK(told.errors.empty());
  CHECK(told.output.starts_with("# " + e.path().string() + ": 13 files, "));
  CHECK(contains(told.output, " bytes\nextension_sha256 = \""));

  auto const json = boost::json::parse(integrity({e.path().string(), "--json"}).output);
  CHECK(json.at("path").as_string() == std::string_view{e.path().native()});
  CHECK(json.at("files") == 13);
  CHECK(contains(told.output, json.at("extension_sha256").as_string()));
  CHECK(contains(told.output, std::to_string(json.at("bytes").as_int64()) + " bytes"));
}

TEST_CASE("the documented shell computes the same hash, whatever the names are", "[command]") {
  extension const e;
  auto const told = integrity({e.path().string()});
  auto const shell =
      run_command({"env", "EXT=" + e.path().string(), "bash", "-c", documented_shell()});
  CAPTURE(told.output, shell.output, shell.errors);
  REQUIRE(shell.output.ends_with("  -\n"));
  CHECK(contains(told.output, "\"" + shell.output.substr(0, 64) + "\"\n"));
}

TEST_CASE("the hash of a single script is the one of its content", "[command]") {
  extension const e;
  e.write("only.js", "'use strict'");
  auto const file = e.path() / "only.js";
  auto const told = integrity({file.string()});
  CHECK(told.output == "# " + file.string() + ": 1 file, 12 bytes\nextension_sha256 = \"" +
                           sha256sum(file) + "\"\n");
}

TEST_CASE("an extension that others can write to has no hash, and the remedy is a command",
          "[command]") {
  extension const e;
  ::chmod((e.path() / "a b").c_str(), 0664);
  auto const told = integrity({e.path().string()});
  CAPTURE(told.errors);
  CHECK(told.exit_code == 1);
  CHECK(told.output.empty());
  CHECK(contains(told.errors, "a b can be changed by its group: it belongs to user "));
  CHECK(contains(told.errors, "integrity_unsafe_owner, 4207"));
  CHECK(contains(told.errors, "chmod -R go-w '" + e.path().string() + "'"));
}

TEST_CASE("an extension that is not there is an error, and none a mistake in the call",
          "[command]") {
  temporary_directory const folder;
  auto const absent = integrity({(folder.path() / "none").string()});
  CHECK(absent.exit_code == 1);
  CHECK(contains(absent.errors, "file_not_found"));
  auto const none = integrity({});
  CHECK(none.exit_code == 2);
  CHECK(contains(none.errors, "EXT is missing"));
  CHECK(integrity({"one", "two"}).exit_code == 2);
}

TEST_CASE("the hash of an interpreter is printed as a line for the policy", "[command]") {
  auto const bash = fs::canonical("/bin/bash");
  auto const hash = sha256sum(bash);
  auto const by_path = integrity({"--interpreter", "/bin/bash"});
  CAPTURE(by_path.output, by_path.errors);
  CHECK(by_path.exit_code == 0);
  CHECK(by_path.output.starts_with("# " + bash.string() + ": "));
  CHECK(by_path.output.ends_with("\ninterpreter_sha256 = [\"" + hash + "\"]\n"));

  auto const node = integrity({"--interpreter", "--json"});
  CAPTURE(node.output, node.errors);
  auto const json = boost::json::parse(node.output);
  auto const path = json.at("programs").at(0).at("path").as_string();
  CHECK(json.at("interpreter_sha256").at(0).as_string() ==
        std::string_view{sha256sum(std::string{path.data(), path.size()})});
  CHECK(integrity({"--interpreter", "/none"}).exit_code == 1);
}

TEST_CASE("of an interpreter that is a script both files are hashed", "[command]") {
  extension const e;
  auto const script = e.path() / "bin/run";
  auto const told = integrity({"--interpreter", script.string()});
  CAPTURE(told.output, told.errors);
  CHECK(told.exit_code == 0);
  CHECK(told.output.ends_with("\ninterpreter_sha256 = [\"" + sha256sum(fs::canonical("/bin/sh")) +
                              "\",\"" + sha256sum(script) + "\"]\n"));
}
