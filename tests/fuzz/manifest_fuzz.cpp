// Any text as an extension's package.json. The folder has an index.js, a folder lib with another,
// a file main.js, and links that lead out of it: outside.js to a file, up to the folder above.
#include "fuzz_target.hpp"

#include <bulkhead/config/manifest.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/messages/frame_scanner.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>

using namespace bulkhead;
using fuzz::require;

namespace {

namespace fs = std::filesystem;

class extension_folder {
public:
  extension_folder() {
    for (auto const* const file : {"index.js", "main.js", "lib/index.js"})
      parent_.write(fs::path{"extension"} / file, "");
    fs::create_symlink(parent_.write("outside.js", ""), path() / "outside.js");
    fs::create_directory_symlink(parent_.path(), path() / "up");
  }

  fs::path path() const { return parent_.path() / "extension"; }
  void write(std::string_view text) const { parent_.write("extension/package.json", text); }

private:
  testing::temporary_directory parent_;
};

void check_accepted(manifest const& found, std::string_view text, fs::path const& folder) {
  auto const safe = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-' || c == '@' || c == '/';
  };
  require(!found.id.empty() && std::ranges::all_of(found.id, safe), "an id is safe to show");
  require(found.id.front() != '.' && found.id.find("..") != 0, "an id names no folder above");
  require(std::ranges::count(found.id, '/') <= 1, "an id has one scope at most");
  require(found.folder == folder, "the folder is the one that was asked for");
  require(found.main == found.main.lexically_normal() && fs::is_regular_file(found.main),
          "what Node loads is a file");
  auto const relative = fs::canonical(found.main).lexically_relative(fs::canonical(folder));
  require(!relative.empty() && *relative.begin() != "..", "what Node loads is in the folder");

  auto const odd = wire::frame_scanner{}.validate(text);
  require(!odd || odd == errc::json_duplicate_key || odd == errc::json_number,
          "what is accepted is JSON");
  host_policy host;
  host.id = "x";
  host.permissions.insert(permission::file_system_read);
  auto const resolved = resolve_permissions(host, found).value();
  require((resolved.held - host.permissions).empty(), "nothing is held that was not granted");
  require((resolved.held - found.permissions).empty(), "nothing is held that was not asked for");
  require(resolved.held.size() + resolved.refused.size() == found.permissions.size(),
          "each permission is held or refused");
  host.strict_permissions = true;
  require(resolve_permissions(host, found).has_value() == resolved.refused.empty(),
          "who is strict refuses to ask for more");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  static extension_folder const extension;
  auto const text = fuzz::text_of(bytes, size);
  extension.write(text);
  auto const found = load_manifest(extension.path());
  if (found) {
    check_accepted(*found, text, extension.path());
    return 0;
  }
  auto const& why = found.error();
  require(why.code() == errc::extension_unusable || why.code() == errc::policy_unknown_permission,
          "a refusal has its code");
  require(why.detail().starts_with(extension.path().string()), "a refusal names the file");
  require(!fuzz::has_control_character(why.what()), "a refusal is one line");
  return 0;
}
