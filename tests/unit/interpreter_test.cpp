#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/interpreter.hpp>

#include <fstream>
#include <stdlib.h>
#include <sys/stat.h>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::find_node;
using bulkhead::platform::resolve_program;

/// Folders with programs in them, gone at the end.
struct machine {
  machine() { ::mkdtemp(root.data()); }
  ~machine() { fs::remove_all(root); }

  fs::path program(fs::path const& relative, mode_t mode = 0755) const {
    auto const path = fs::path{root} / relative;
    fs::create_directories(path.parent_path());
    std::ofstream{path} << "#!/bin/sh\n";
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string search_path(std::initializer_list<char const*> folders) const {
    std::string path;
    for (auto const* const folder : folders)
      path += (fs::path{root} / folder).string() + ':';
    return path;
  }

  std::string root = "/tmp/bulkhead-test-XXXXXX";
};

} // namespace

TEST_CASE("the first node in the search path is found", "[interpreter]") {
  machine const m;
  auto const first = m.program("a/node");
  m.program("b/node");
  CHECK(find_node(m.search_path({"none", "a", "b"})).value() == first);
}

TEST_CASE("node goes before nodejs and nodejs is found without it", "[interpreter]") {
  machine const m;
  auto const old_name = m.program("a/nodejs");
  CHECK(find_node(m.search_path({"a", "b"})).value() == old_name);
  auto const node = m.program("b/node");
  CHECK(find_node(m.search_path({"a", "b"})).value() == node);
}

TEST_CASE("what is no executable file is passed over", "[interpreter]") {
  machine const m;
  m.program("plain/node", 0644);
  fs::create_directories(fs::path{m.root} / "folder/node");
  auto const real = m.program("real/node");
  CHECK(find_node(m.search_path({"plain", "folder", "real"})).value() == real);
}

TEST_CASE("the working directory never decides what runs", "[interpreter]") {
  machine const m;
  m.program("node");
  auto const before = fs::current_path();
  fs::current_path(m.root);
  CHECK_FALSE(find_node(":.:").has_value());
  CHECK_FALSE(find_node("").has_value());
  fs::current_path(before);
}

TEST_CASE("a machine without node is told what to do", "[interpreter]") {
  machine const m;
  auto const found = find_node(m.search_path({"empty"}));
  REQUIRE(found.has_error());
  CHECK(found.error().code() == errc::interpreter_missing);
  CHECK_FALSE(found.error().remedy().empty());
  CHECK(found.error().detail().find(m.root) != std::string::npos);
}

TEST_CASE("a command with a slash is relative to its base", "[interpreter]") {
  machine const m;
  auto const host = m.program("ext/my-host");
  CHECK(resolve_program("./my-host", fs::path{m.root} / "ext", "").value() == host);
  CHECK(resolve_program("ext/../ext/my-host", m.root, "").value() == host);
  CHECK(resolve_program(host.string(), "/elsewhere", "").value() == host);
}

TEST_CASE("a command without a slash is looked up and never taken from its base", "[interpreter]") {
  machine const m;
  m.program("ext/tool");
  auto const tool = m.program("bin/tool");
  CHECK(resolve_program("tool", fs::path{m.root} / "ext", m.search_path({"bin"})).value() == tool);
  CHECK(resolve_program("tool", fs::path{m.root} / "ext", "").error().code() == errc::spawn_failed);
}

TEST_CASE("a command that can't run is refused with its path and the reason", "[interpreter]") {
  machine const m;
  auto const plain = m.program("ext/plain", 0644);
  auto const refused = resolve_program("./plain", fs::path{m.root} / "ext", "");
  CHECK(refused.error().code() == errc::spawn_failed);
  CHECK(refused.error().detail() == "can't run " + plain.string() + ": Permission denied");
  auto const missing = resolve_program("./none", m.root, "");
  CHECK(missing.error().detail() == "can't run " + m.root + "/none: No such file or directory");
  CHECK(resolve_program("./ext", m.root, "").error().detail() ==
        "can't run " + m.root + "/ext: Is a directory");
  CHECK(resolve_program("", m.root, "/bin").has_error());
}

TEST_CASE("there is a search path even without PATH", "[interpreter]") {
  CHECK_FALSE(bulkhead::platform::environment_search_path().empty());
}
