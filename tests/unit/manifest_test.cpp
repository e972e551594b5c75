#include <bulkhead/config/manifest.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>

using namespace bulkhead;
using testing::temporary_directory;
namespace fs = std::filesystem;

namespace {

/// An extension with that package.json and an index.js.
struct extension : temporary_directory {
  explicit extension(std::string_view package) {
    write("package.json", package);
    write("index.js", "");
  }

  std::string mistake() const {
    auto const loaded = load_manifest(path());
    REQUIRE(!loaded);
    auto detail = loaded.error().detail();
    if (auto const at = detail.find(path().string()); at != std::string::npos)
      detail.replace(at, path().string().size(), "EXT");
    return detail;
  }
};

} // namespace

TEST_CASE("a manifest gives id, version, main and the permissions asked for") {
  extension const ext{
      R"({"name": "greeter", "publisher": "acme", "version": "1.2.3", "main": "./lib/main.mjs",
    "scripts": {}, "bulkhead": {"permissions": ["fileSystem.read", "ui.dialogs"]}})"};
  ext.write("lib/main.mjs", "");

  auto const loaded = load_manifest(ext.path()).value();
  CHECK(loaded.id == "acme.greeter");
  CHECK(loaded.version == "1.2.3");
  CHECK(loaded.folder == ext.path());
  CHECK(loaded.main == ext.path() / "lib/main.mjs");
  CHECK(to_string(loaded.permissions) == "fileSystem.read, ui.dialogs");
}

TEST_CASE("only the name is needed: main is index.js and nothing is asked for") {
  extension const ext{R"({"name": "@acme/greeter"})"};
  auto const loaded = load_manifest(ext.path()).value();
  CHECK(loaded.id == "@acme/greeter");
  CHECK(loaded.version.empty());
  CHECK(loaded.main == ext.path() / "index.js");
  CHECK(loaded.permissions.empty());
}

TEST_CASE("main may lack its ending or name a folder, as in Node") {
  extension const ext{R"({"name": "a", "main": "./out/extension"})"};
  ext.write("out/extension.js", "");
  CHECK(load_manifest(ext.path()).value().main == ext.path() / "out/extension.js");

  extension const folder{R"({"name": "a", "main": "out"})"};
  folder.write("out/index.js", "");
  CHECK(load_manifest(folder.path()).value().main == folder.path() / "out/index.js");
}

TEST_CASE("a single script is an extension named by its stem that asks for nothing") {
  temporary_directory const folder;
  for (char const* name : {"hello.js", "hello.mjs", "hello.cjs"}) {
    folder.write(name, "");
    auto const loaded = load_manifest(folder.path() / name).value();
    CHECK(loaded.id == "hello");
    CHECK(loaded.main == folder.path() / name);
    CHECK(loaded.folder == folder.path());
    CHECK(loaded.permissions.empty());
  }
  folder.write("hello.py", "");
  CHECK(load_manifest(folder.path() / "hello.py").error().detail() ==
        (folder.path() / "hello.py").string() +
            " is neither a folder nor a .js, .mjs or .cjs file");
}

TEST_CASE("an extension that is not there is named") {
  auto const loaded = load_manifest("/nowhere/at/all");
  REQUIRE(!loaded);
  CHECK(loaded.error().code() == errc::extension_unusable);
  CHECK(loaded.error().detail() == "there is no /nowhere/at/all");

  temporary_directory const empty;
  CHECK(load_manifest(empty.path()).error().detail() ==
        (empty.path() / "package.json").string() + " can't be read: there is no such file");
  CHECK(load_manifest("/dev/null").error().detail() ==
        "/dev/null can't be used: it is neither a folder nor a file");
}

TEST_CASE("a package.json that is not JSON is refused with the place") {
  CHECK(extension{"{\n  \"name\": \"a\",\n  oops\n}"}.mistake() ==
        "EXT/package.json:3:3: not valid JSON: syntax error");
  CHECK(extension{"{\"name\": \"a\"} x"}.mistake() ==
        "EXT/package.json:1:15: not valid JSON: extra data");
  CHECK(extension{"{\"name\": "}.mistake() ==
        "EXT/package.json:1:10: not valid JSON: incomplete JSON");
  CHECK(extension{""}.mistake() == "EXT/package.json:1:1: not valid JSON: incomplete JSON");
  CHECK(extension{"[]"}.mistake() == "EXT/package.json is not a JSON object");
  CHECK(extension{std::string(100'000, '[')}.mistake().find("not valid JSON") != std::string::npos);
  CHECK(extension{std::string(manifest_file_limit + 1, ' ')}.mistake() ==
        "EXT/package.json can't be read: it is longer than 1MiB");
}

TEST_CASE("a package.json with a value of the wrong type is refused by the key's name") {
  CHECK(extension{R"({})"}.mistake() == "EXT/package.json has no \"name\"");
  CHECK(extension{R"({"name": 1})"}.mistake() == "EXT/package.json: \"name\" is not a string");
  CHECK(extension{R"({"name": "../up"})"}.mistake() ==
        "EXT/package.json: the name \"../up\" is not one that npm would take");
  CHECK(extension{R"({"name": "a", "publisher": "b/c"})"}.mistake() ==
        "EXT/package.json: the publisher \"b/c\" has other characters than A-Z a-z 0-9 _ . -");
  CHECK(extension{R"({"name": "a", "version": 1})"}.mistake() ==
        "EXT/package.json: \"version\" is not a string");
  CHECK(extension{R"({"name": "a", "bulkhead": []})"}.mistake() ==
        "EXT/package.json: \"bulkhead\" is not an object");
  CHECK(extension{R"({"name": "a", "bulkhead": {"permissions": "env.read"}})"}.mistake() ==
        "EXT/package.json: \"bulkhead.permissions\" is not a list");
  CHECK(extension{R"({"name": "a", "bulkhead": {"permissions": [1]}})"}.mistake() ==
        "EXT/package.json: \"bulkhead.permissions\" has something else than strings in it");
}

TEST_CASE("main has to exist inside the extension's folder, links followed") {
  CHECK(extension{R"({"name": "a", "main": "gone.js"})"}.mistake() ==
        "EXT/package.json: \"main\" is \"gone.js\", and there is no such file");

  temporary_directory const outside;
  outside.write("evil.js", "");
  auto const evil = (outside.path() / "evil.js").string();
  CHECK(extension{R"({"name": "a", "main": ")" + evil + "\"}"}.mistake() ==
        "EXT/package.json: \"main\" is \"" + evil + "\", outside the extension's folder");
  auto const dotted = "../" + outside.path().filename().string() + "/evil.js";
  CHECK(extension{R"({"name": "a", "main": ")" + dotted + "\"}"}.mistake() ==
        "EXT/package.json: \"main\" is \"" + dotted + "\", outside the extension's folder");

  extension const linked{R"({"name": "a", "main": "link.js"})"};
  fs::create_symlink(evil, linked.path() / "link.js");
  CHECK(linked.mistake() ==
        "EXT/package.json: \"main\" is \"link.js\", outside the extension's folder");
}

TEST_CASE("asking for a permission that does not exist fails with its own code") {
  extension const ext{R"({"name": "a", "bulkhead": {"permissions": ["fileSystem.raed"]}})"};
  CHECK(load_manifest(ext.path()).error().code() == errc::policy_unknown_permission);
  CHECK(ext.mistake() == "EXT/package.json: unknown permission \"fileSystem.raed\" - did you mean "
                         "\"fileSystem.read\"?");
}

TEST_CASE("what holds is what is granted and asked for; the rest is reported or refused") {
  host_policy host;
  host.id = "formatter";
  host.permissions.insert(permission::file_system_read);
  host.permissions.insert(permission::env_read);
  manifest asked;
  asked.id = "acme.formatter";
  asked.permissions.insert(permission::file_system_read);
  asked.permissions.insert(permission::clipboard_read);

  auto const resolved = resolve_permissions(host, asked).value();
  CHECK(to_string(resolved.held) == "fileSystem.read");
  CHECK(to_string(resolved.refused) == "clipboard.read");

  host.strict_permissions = true;
  auto const refused = resolve_permissions(host, asked);
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::policy_conflict);
  CHECK(refused.error().host() == "formatter");
  CHECK(refused.error().detail() ==
        "the extension \"acme.formatter\" asks for clipboard.read, which "
        "the policy does not grant");

  host.permissions.insert(permission::clipboard_read);
  CHECK(resolve_permissions(host, asked).value().refused.empty());
}
