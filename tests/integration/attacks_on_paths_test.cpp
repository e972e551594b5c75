#include "service_hosts.hpp"

#include <algorithm>
#include <sys/stat.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using boost::json::array;
using boost::json::object;
using test_hosts::files_host;
using test_hosts::fs;
using test_hosts::tell;
using test_hosts::told;
using test_hosts::workspace_rules;
namespace disk = std::filesystem;

namespace {

/// A workspace `ws` beside a folder `outside` that nothing of may be seen or changed.
struct target : temporary_directory {
  disk::path const root = path() / "ws";
  disk::path const outside = path() / "outside";

  explicit target(std::string_view rules = workspace_rules, std::string_view more = {})
      : run{(write("ws/plain.txt", "plain"), write("ws/key.pem", "denied"),
             write("outside/treasure", "treasure"), policy_text(files_host(rules, more))),
            path()} {
    REQUIRE(run.start());
  }
  ~target() {
    CHECK(content_of(outside / "treasure") == "treasure");
    CHECK(std::distance(disk::directory_iterator{outside}, {}) == 1);
    CHECK(run.host().status().violations == 0);
    CHECK(fs(run, "stat", storage()).code.empty()); // the host is served on
  }

  std::string name(std::string_view below) const { return (root / below).string(); }
  std::string storage() {
    auto const folders = outcome(run.host().async_command("folders", {}, boost::asio::use_future));
    return std::string{folders.value().at("storage").as_string()};
  }

  /// That the call is refused as `code`, and that nothing of the reason tells a path.
  void refuses(std::string_view code, told const& ended) {
    CHECK(ended.code == code);
    CHECK(ended.value.is_null());
    auto const said = boost::json::serialize(ended.failed);
    INFO(said);
    CHECK(said.find(path().filename().string()) == std::string::npos);
  }
  /// That whatever is asked of an existing name is refused.
  void refuses_all(std::string_view code, json const& path) {
    INFO(path);
    for (auto const* method : {"readFile", "stat", "readDirectory", "delete", "createDirectory"}) {
      INFO(method);
      refuses(code, fs(run, method, path));
    }
    refuses(code, fs(run, "writeFile", path, "overwritten"));
    refuses(code, fs(run, "rename", path, "taken", object{{"overwrite", true}}));
    refuses(code, fs(run, "rename", "plain.txt", path, object{{"overwrite", true}}));
    refuses(code, fs(run, "copy", path, "taken", object{{"overwrite", true}}));
    refuses(code, fs(run, "copy", "plain.txt", path, object{{"overwrite", true}}));
    refuses(code, tell(run, "files", "watch", {"w", json(path)}));
  }

  harness run;
};

} // namespace

TEST_CASE("a path outside the rules is denied, whatever it looks like") {
  target here;
  auto const outside = here.outside.string();
  for (auto const& path :
       {outside + "/treasure", outside + "/missing", here.name("../outside/treasure"),
        here.name(".//x/.././../outside//treasure/"), std::string{"../outside/treasure"},
        "file://" + outside + "/treasure", "FILE://localhost" + outside + "/treasure",
        "file://" + here.name("%2e%2e/outside/treasure"),
        "file://" + here.name("%2E./outside/treasure"), std::string{"/"},
        std::string{"/etc/passwd"}})
    here.refuses_all("path_denied", json(path));
  here.refuses("path_denied",
               fs(here.run, "readFile", object{{"url", "file://" + outside + "/treasure"}}));
}

TEST_CASE("percent signs of a plain path are names, and those of a URI are decoded once") {
  target here;
  here.write("ws/%2e%2e/outside/treasure", "a file of the workspace");
  for (auto const& path :
       {std::string{"%2e%2e/outside/treasure"}, here.name("%2e%2e/outside/treasure"),
        "file://" + here.name("%252e%252e/outside/treasure")}) {
    INFO(path);
    CHECK(fs(here.run, "readFile", path, "utf8").value == json("a file of the workspace"));
  }
  here.refuses("file_not_found",
               fs(here.run, "readFile", here.name("%252e%252e/outside/treasure")));
}

TEST_CASE("what can be no path is refused as such") {
  target here;
  for (json const& path :
       {json(std::string("plain.txt\0.png", 14)), json("plain\n.txt"), json("\x7f"), json(""),
        json(std::string(4097, 'a')), json("/" + std::string(4096, 'a')), json("../../../../../.."),
        json("file:plain.txt"), json("file://elsewhere" + here.name("plain.txt")),
        json("file://" + here.name("plain.txt?x")), json("file://" + here.name("a%2fb")),
        json("file://" + here.name("a%00b")), json("file://" + here.name("a%b"))})
    here.refuses_all("invalid_payload", path);
  here.refuses("invalid_payload", tell(here.run, "files", "request", {"fs.readFile", object{}}));
  here.refuses("invalid_payload",
               tell(here.run, "files", "request", {"fs.readFile", object{{"path", 7}}}));
  here.refuses("invalid_payload", tell(here.run, "files", "request", {"fs.readFile", nullptr}));
  // A name that is too long for any file system.
  here.refuses("invalid_payload", fs(here.run, "writeFile", std::string(300, 'a'), ""));
}

TEST_CASE("a folder whose name begins like an allowed one is another folder") {
  target here;
  here.write("ws2/file", "theirs");
  here.refuses_all("path_denied", json(here.root.string() + "2/file"));
  here.refuses("path_denied", fs(here.run, "readDirectory", here.root.string() + "2"));
}

TEST_CASE("what a deny matches stays closed, whatever allows it and however it is named") {
  target here;
  here.write("ws/.git/config", "denied");
  disk::create_symlink("key.pem", here.root / "innocent.txt");
  disk::create_directory_symlink(".git", here.root / "folder");
  for (auto const* path : {"key.pem", "./x/../key.pem", ".git", ".git/config", ".git/missing"})
    here.refuses_all("path_denied", json(path));
  for (auto const* path : {"innocent.txt", "folder", "folder/config"})
    for (auto const* method : {"readFile", "stat", "readDirectory"}) {
      INFO(method << " " << path);
      here.refuses("path_denied", fs(here.run, method, path));
    }
  here.refuses("path_denied", fs(here.run, "copy", "innocent.txt", "copy.txt"));
  here.refuses("path_denied", fs(here.run, "writeFile", "innocent.txt", "x"));
  here.refuses("path_denied", fs(here.run, "writeFile", "folder/config", "x"));
  here.refuses("path_denied", fs(here.run, "rename", "plain.txt", "plain.pem"));
  CHECK(content_of(here.root / "key.pem") == "denied");
  CHECK(content_of(here.root / ".git/config") == "denied");
}

TEST_CASE("a folder is not moved, copied or deleted with what is denied in it") {
  target here;
  here.write("ws/project/key.pem", "denied");
  here.refuses("path_denied", fs(here.run, "rename", "project", "renamed"));
  here.refuses("path_denied", fs(here.run, "copy", "project", "copied"));
  here.refuses("path_denied", fs(here.run, "delete", "project", object{{"recursive", true}}));
  CHECK(content_of(here.root / "project/key.pem") == "denied");
  CHECK(!disk::exists(here.root / "copied"));
}

TEST_CASE("a symbolic link that leads out opens nothing") {
  target here;
  auto const folder = GENERATE(true, false) ? here.root.string() : here.storage();
  INFO(folder);
  auto const relative = disk::relative(here.outside, folder);
  disk::create_symlink(here.outside / "treasure", folder + "/file");
  disk::create_symlink(relative / "treasure", folder + "/relative");
  disk::create_directory_symlink(here.outside, folder + "/folder");
  disk::create_directory_symlink(relative, folder + "/relative-folder");
  disk::create_symlink(here.outside / "new", folder + "/dangling");
  for (auto const* link : {"file", "relative"}) {
    auto const path = folder + "/" + link;
    INFO(path);
    here.refuses("path_denied", fs(here.run, "readFile", path));
    here.refuses("path_denied", fs(here.run, "stat", path));
    here.refuses("path_denied", fs(here.run, "writeFile", path, "overwritten"));
    here.refuses("path_denied", fs(here.run, "copy", path, folder + "/copy"));
    here.refuses("path_denied",
                 fs(here.run, "copy", "plain.txt", path, object{{"overwrite", true}}));
    here.refuses("path_denied", tell(here.run, "files", "watch", {"w", json(path)}));
  }
  for (auto const* link : {"folder", "relative-folder"}) {
    auto const path = folder + "/" + link;
    INFO(path);
    here.refuses("path_denied", fs(here.run, "readDirectory", path));
    here.refuses("path_denied", fs(here.run, "copy", path, folder + "/copy"));
    here.refuses_all("path_denied", json(path + "/treasure"));
    here.refuses("path_denied", fs(here.run, "writeFile", path + "/new", ""));
  }
  here.refuses("path_denied", fs(here.run, "writeFile", folder + "/dangling", "new"));
  CHECK(tell(here.run, "files", "findFiles", {"**/treasure"}).value == array{});

  // The link itself may be moved and deleted, and leads nowhere from its new place either.
  CHECK(fs(here.run, "rename", folder + "/folder", folder + "/moved").code.empty());
  here.refuses("path_denied", fs(here.run, "readFile", folder + "/moved/treasure"));
  CHECK(fs(here.run, "delete", folder + "/moved", object{{"recursive", true}}).code.empty());
  CHECK(disk::exists(here.outside / "treasure"));
}

TEST_CASE("a symbolic link that stays inside is followed to where the rules allow it") {
  target here;
  here.write("ws/below/file", "inside");
  disk::create_symlink("below/file", here.root / "link");
  CHECK(fs(here.run, "readFile", "link", "utf8").value == json("inside"));
}

TEST_CASE("a search stays in the workspace, where its folder was replaced by a link as well") {
  target here{R"(workspace = ["ws/inner"]
read = ["ws/readable"]
write = ["ws"])"};
  here.write("ws/inner/file", "");
  here.write("ws/readable/file", "");
  here.write("ws/other/file", "");
  auto const search = [&] { return tell(here.run, "files", "findFiles", {"**"}); };
  CHECK(search().value == array{here.name("inner/file")});
  REQUIRE(fs(here.run, "rename", here.name("inner"), here.name("moved")).code.empty());

  disk::create_directory_symlink(disk::relative(here.outside, here.root), here.root / "inner");
  here.refuses("path_denied", search());
  disk::remove(here.root / "inner");
  disk::create_directory_symlink("other", here.root / "inner");
  CHECK(search().value == array{});
  disk::remove(here.root / "inner");
  disk::create_directory_symlink("readable", here.root / "inner");
  CHECK(search().value == array{here.name("inner/file")});
}

TEST_CASE("a denial by the real name of a linked folder hides what is in there and what changes") {
  target here{R"(workspace = ["link"]
read = ["link"]
write = ["link"]
deny = ["ws/hidden"])"};
  disk::create_directory_symlink(here.root, here.path() / "link");
  auto& run = here.run;
  auto const linked = [&](std::string_view below) {
    return (here.path() / "link" / below).string();
  };
  REQUIRE(tell(run, "files", "watch", {"w", ".", object{{"recursive", true}}}).code.empty());
  here.write("ws/hidden/new", "");
  here.write("ws/shown", "");
  CHECK(run.wait_for_log("w: created " + linked("shown")));
  CHECK(!run.wait_for_log("w: created " + linked("hidden"), {}));
  here.refuses("path_denied", fs(run, "stat", "hidden/new"));
  CHECK(tell(run, "files", "findFiles", {"**/{new,shown}"}).value == array{linked("shown")});
}

TEST_CASE("a link is not put where a rule leads, by whatever name the folder is reached") {
  // "alias" is another name of "ws", and what is read is named by that of "ws".
  target here{R"(workspace = ["ws/deep/inner"]
read = ["ws/deep/inner"]
write = ["alias"])"};
  disk::create_directory_symlink(here.root, here.path() / "alias");
  here.write("ws/deep/inner/file", "");
  here.write("ws/trap/file", "");
  auto const by_alias = [&](std::string_view below) {
    return (here.path() / "alias" / below).string();
  };
  disk::create_directory_symlink(here.outside, here.root / "link");
  disk::create_directory_symlink(here.outside, here.root / "trap/inner");
  auto const away = GENERATE("deep/inner", "deep");
  INFO("moved away: " << away);
  REQUIRE(fs(here.run, "rename", by_alias(away), by_alias("moved")).code.empty());
  here.refuses(disk::exists(here.root / "deep") ? "path_denied" : "file_not_found",
               fs(here.run, "rename", by_alias("link"), by_alias("deep/inner")));
  here.refuses("path_denied", fs(here.run, "rename", by_alias("trap"), by_alias("deep")));
  CHECK(!disk::exists(here.root / "deep/inner"));
}

TEST_CASE("a link that is put in the place of a file which a rule names opens nothing") {
  target here{R"(read = ["only.txt"]
write = ["only.txt"])"};
  auto const only = (here.path() / "only.txt").string();
  auto const storage = here.storage();
  auto const present = GENERATE(true, false);
  INFO("the file is there: " << present);
  if (present)
    here.write("only.txt", "only");
  disk::create_directory_symlink(here.outside, storage + "/link");
  here.refuses("path_denied",
               fs(here.run, "rename", storage + "/link", only, object{{"overwrite", true}}));
  CHECK(!disk::is_symlink(only));
  here.refuses(present ? "file_not_a_directory" : "file_not_found",
               fs(here.run, "readFile", only + "/treasure", "utf8"));
}

TEST_CASE("a file with another name elsewhere is not written") {
  target here;
  disk::create_hard_link(here.outside / "treasure", here.root / "shared");
  here.refuses("path_denied", fs(here.run, "writeFile", "shared", "overwritten"));
  here.refuses("path_denied",
               fs(here.run, "copy", "plain.txt", "shared", object{{"overwrite", true}}));
  here.refuses("path_denied",
               fs(here.run, "rename", "plain.txt", "shared", object{{"overwrite", true}}));
  CHECK(fs(here.run, "delete", "shared").code.empty()); // the name, not the file
}

TEST_CASE("a FIFO, a socket or a device is neither opened nor waited for") {
  target here{R"(workspace = ["ws"]
read = ["ws", "/dev/zero"]
write = ["ws", "/dev/zero"])"};
  REQUIRE(::mkfifo(here.name("fifo").c_str(), 0600) == 0);
  for (auto const& path : {here.name("fifo"), std::string{"/dev/zero"}}) {
    INFO(path);
    here.refuses("file_unsupported", fs(here.run, "readFile", path));
    here.refuses("file_unsupported", fs(here.run, "writeFile", path, "x"));
    here.refuses("file_unsupported", fs(here.run, "copy", path, "copy"));
    CHECK(fs(here.run, "stat", path).value.at("type") == json("other"));
  }
  CHECK(tell(here.run, "files", "findFiles", {"**/fifo"}).value == array{});
}

TEST_CASE("links of the kernel's lead nowhere, even where every path is allowed") {
  target here{R"(read = ["/"])"};
  for (auto const& path : {"/proc/self/root" + here.name("plain.txt"),
                           "/proc/thread-self/root" + here.name("plain.txt"),
                           "/proc/" + std::to_string(here.run.host().status().pid) + "/cwd/x",
                           std::string{"/proc/self/exe"}, std::string{"/dev/fd/0"},
                           std::string{"/dev/stdin"}, std::string{"/proc/self/fd/0"}}) {
    INFO(path);
    here.refuses("path_denied", fs(here.run, "readFile", path));
    here.refuses("path_denied", fs(here.run, "stat", path));
  }
  CHECK(fs(here.run, "readFile", here.name("plain.txt"), "utf8").value == json("plain"));
}

TEST_CASE("a permission that is missing is named, before anything is said of the path") {
  temporary_directory files;
  files.write("ws/file", "");
  auto policy = policy_text(files_host(workspace_rules));
  auto const all = policy.find("permissions = [");
  policy.replace(all, policy.find(']', all) + 1 - all, R"(permissions = ["fileSystem.read"])");
  harness run{policy, files.path()};
  REQUIRE(run.start());
  auto const lacks = [&](told const& ended, std::string_view permission) {
    CHECK(ended.code == "permission_denied");
    CHECK(ended.failed.at("permission") == json(permission));
    CHECK(ended.failed.at("message").as_string().find(permission) != std::string::npos);
  };
  CHECK(fs(run, "stat", "file").code.empty());
  for (auto const* path : {"file", "../outside", "\n"}) {
    lacks(fs(run, "writeFile", path, ""), "fileSystem.write");
    lacks(fs(run, "createDirectory", path), "fileSystem.write");
    lacks(fs(run, "copy", path, path), "fileSystem.write");
    lacks(fs(run, "rename", path, path), "fileSystem.write");
    lacks(fs(run, "delete", path), "fileSystem.delete");
  }
  lacks(tell(run, "files", "findFiles", {"**"}), "workspace.read");
  CHECK(disk::exists(files.path() / "ws/file"));
}

TEST_CASE("every attacker of the corpus is stopped, and its neighbour is served") {
  using enum permission;
  disk::path const corpus{BULKHEAD_TEST_SOURCE_DIR "/tests/adversary"};
  for (auto const& entry : disk::directory_iterator{corpus}) {
    if (!disk::exists(entry.path() / "package.json"))
      continue;
    INFO(entry.path().filename());
    temporary_directory files;
    files.write("ws/file", "inside");
    auto const outside = files.write("outside/treasure", "treasure");
    auto attacker = test_hosts::files_host_in(files.path() / "ws", "attacker");
    attacker.extension = entry.path();
    attacker.limits.storage = 1'000'000;
    auto neighbour = node_host("neighbour", test_hosts::folder / "extensions/secrets");
    for (auto* host : {&attacker, &neighbour})
      for (auto const each : {secrets_read, secrets_write})
        host->permissions.insert(each);
    auto rules = policy_of({attacker, neighbour});
    rules.secrets.backend = secret_backend_kind::memory;
    harness run{rules};
    REQUIRE(run.start());
    REQUIRE(tell(run, "neighbour", "secrets", {"set", "token", "theirs"}).code.empty());

    auto const ended = outcome(run.host("attacker")
                                   .async_command("attack",
                                                  {{{"workspace", (files.path() / "ws").string()},
                                                    {"outside", outside.string()}}},
                                                  patience, boost::asio::use_future));
    REQUIRE(ended);
    auto const manifest = boost::json::parse(content_of(entry.path() / "package.json")).as_object();
    auto const& expected = manifest.at("stoppedBy").as_array();
    CHECK(!ended->as_array().empty());
    for (auto const& attempt : ended->as_array()) {
      INFO(boost::json::serialize(attempt));
      auto const* const code = attempt.as_object().if_contains("code");
      CHECK((code && std::ranges::find(expected, *code) != expected.end()));
    }
    CHECK(content_of(outside) == "treasure");
    CHECK(std::distance(disk::directory_iterator{outside.parent_path()}, {}) == 1);
    CHECK(run.host("attacker").status().violations == 0);
    CHECK(tell(run, "neighbour", "secrets", {"get", "token"}).value == json("theirs"));
  }
}
