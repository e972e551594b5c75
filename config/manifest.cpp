#include <bulkhead/config/manifest.hpp>

#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/text_file.hpp>

#include <boost/json/object.hpp>
#include <boost/json/parser.hpp>

#include <algorithm>
#include <system_error>
#include <utility>

namespace bulkhead {
namespace {

namespace fs = std::filesystem;
using boost::json::object;

/// Fits in a path component, and with its scope in the protocol's ids.
constexpr std::size_t longest_name = 100;

error unusable(std::string sentence) {
  return error{errc::extension_unusable, std::move(sentence)};
}

/// A single part of an extension's id: safe as a folder's name and on the wire.
bool valid_part(std::string_view text) {
  auto const alphanumeric = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= longest_name && alphanumeric(text.front()) &&
         std::ranges::all_of(
             text, [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

/// "name" or, as npm has it, "@scope/name".
bool valid_package_name(std::string_view text) {
  if (!text.starts_with('@'))
    return valid_part(text);
  auto const slash = text.find('/');
  return slash != std::string_view::npos && valid_part(text.substr(1, slash - 1)) &&
         valid_part(text.substr(slash + 1));
}

std::string place_in(std::string_view text, std::size_t offset) {
  auto const before = text.substr(0, offset);
  auto const line = std::ranges::count(before, '\n') + 1;
  auto const newline = before.rfind('\n');
  auto const column = newline == std::string_view::npos ? offset + 1 : offset - newline;
  return std::to_string(line) + ':' + std::to_string(column);
}

/// Reads one package.json; each sentence begins with the file's path.
class manifest_reader {
public:
  explicit manifest_reader(fs::path folder)
      : folder_{std::move(folder)}
      , file_{(folder_ / "package.json").string()} {}

  result<manifest> read() const {
    auto const text = read_text_file(file_, manifest_file_limit, errc::extension_unusable);
    if (!text)
      return unusable(file_ + ' ' + text.error().detail());
    auto const package = parse(*text);
    if (!package)
      return package.error();

    auto id = read_id(*package);
    if (!id)
      return id.error();
    auto version = optional_string(*package, "version");
    if (!version)
      return version.error();
    auto main = read_main(*package);
    if (!main)
      return main.error();
    auto const permissions = read_permissions(*package);
    if (!permissions)
      return permissions.error();
    return manifest{std::move(*id), std::move(*version), folder_, std::move(*main), *permissions};
  }

private:
  result<object> parse(std::string_view text) const {
    boost::json::parser parser; // its depth limit of 32 is far beyond any package.json
    boost::system::error_code fault;
    auto const parsed = parser.write_some(text.data(), text.size(), fault);
    if (!fault && text.find_first_not_of(" \t\r\n", parsed) != std::string_view::npos)
      fault = boost::json::error::extra_data;
    if (fault)
      return unusable(file_ + ':' + place_in(text, parsed) +
                      ": not valid JSON: " + fault.message());
    auto package = parser.release();
    if (!package.is_object())
      return unusable(file_ + " is not a JSON object");
    return std::move(package.as_object());
  }

  /// Empty where the key is absent.
  result<std::string> optional_string(object const& package, std::string_view key) const {
    auto const* found = package.if_contains(key);
    if (found == nullptr)
      return std::string{};
    if (!found->is_string())
      return unusable(file_ + ": \"" + std::string{key} + "\" is not a string");
    return std::string{found->as_string()};
  }

  result<std::string> read_id(object const& package) const {
    auto const name = optional_string(package, "name");
    if (!name)
      return name.error();
    if (name->empty())
      return unusable(file_ + " has no \"name\"");
    if (!valid_package_name(*name))
      return unusable(file_ + ": the name " + quote(*name) + " is not one that npm would take");
    auto const publisher = optional_string(package, "publisher");
    if (!publisher)
      return publisher.error();
    if (publisher->empty())
      return *name;
    if (!valid_part(*publisher))
      return unusable(file_ + ": the publisher " + quote(*publisher) +
                      " has other characters than A-Z a-z 0-9 _ . -");
    return *publisher + '.' + *name;
  }

  result<fs::path> read_main(object const& package) const {
    auto written = optional_string(package, "main");
    if (!written)
      return written.error();
    if (written->empty())
      *written = "index.js";
    if (written->find('\0') != std::string::npos)
      return unusable(file_ + ": \"main\" has a NUL character");

    std::error_code fault;
    auto const found = existing_main(folder_ / *written);
    if (found.empty())
      return unusable(file_ + ": \"main\" is " + quote(*written) + ", and there is no such file");
    // Links are followed first: one that leads out of the folder is outside.
    auto const real_folder = fs::canonical(folder_, fault);
    auto const real_main = fault ? fs::path{} : fs::canonical(found, fault);
    if (fault || std::ranges::mismatch(real_folder, real_main).in1 != real_folder.end())
      return unusable(file_ + ": \"main\" is " + quote(*written) +
                      ", outside the extension's folder");
    return found.lexically_normal();
  }

  static fs::path existing_main(fs::path const& written) {
    for (char const* ending : {"", ".js", "/index.js"}) {
      fs::path candidate = written;
      candidate += ending;
      std::error_code fault;
      if (fs::is_regular_file(candidate, fault))
        return candidate;
    }
    return {};
  }

  result<permission_set> read_permissions(object const& package) const {
    permission_set asked;
    auto const* bulkhead = package.if_contains("bulkhead");
    if (bulkhead == nullptr)
      return asked;
    if (!bulkhead->is_object())
      return unusable(file_ + ": \"bulkhead\" is not an object");
    auto const* list = bulkhead->as_object().if_contains("permissions");
    if (list == nullptr)
      return asked;
    if (!list->is_array())
      return unusable(file_ + ": \"bulkhead.permissions\" is not a list");
    for (auto const& element : list->as_array()) {
      if (!element.is_string())
        return unusable(file_ + ": \"bulkhead.permissions\" has something else than strings in it");
      auto const found = permission_from_string(element.as_string());
      if (!found)
        return error{errc::policy_unknown_permission,
                     file_ + ": " + unknown_permission_sentence(element.as_string())};
      asked.insert(*found);
    }
    return asked;
  }

  fs::path folder_;
  std::string file_;
};

bool is_script(fs::path const& file) {
  auto const extension = file.extension();
  return extension == ".js" || extension == ".mjs" || extension == ".cjs";
}

result<manifest> manifest_of_script(fs::path const& file) {
  auto id = file.stem().string();
  if (!is_script(file))
    return unusable(file.string() + " is neither a folder nor a .js, .mjs or .cjs file");
  if (!valid_part(id))
    return unusable(file.string() +
                    ": the file's name is the extension's, and has other characters "
                    "than A-Z a-z 0-9 _ . -");
  return manifest{std::move(id), {}, file.parent_path(), file, {}};
}

} // namespace

result<manifest> load_manifest(std::filesystem::path const& extension) {
  std::error_code fault;
  auto const where = fs::absolute(extension, fault).lexically_normal();
  auto const status = fault ? fs::file_status{} : fs::status(where, fault);
  switch (status.type()) {
  case fs::file_type::directory:
    return manifest_reader{where}.read();
  case fs::file_type::regular:
    return manifest_of_script(where);
  case fs::file_type::not_found:
    return unusable("there is no " + where.string());
  default:
    return unusable(where.string() + " can't be used: " +
                    (fault ? fault.message() : "it is neither a folder nor a file"));
  }
}

result<effective_permissions> resolve_permissions(host_policy const& host, manifest const& asked) {
  effective_permissions resolved{host.permissions & asked.permissions,
                                 asked.permissions - host.permissions};
  if (host.strict_permissions && !resolved.refused.empty())
    return error{errc::policy_conflict,
                 "the extension " + quote(asked.id) + " asks for " + to_string(resolved.refused) +
                     ", which the policy does not grant",
                 "grant it in hosts." + host.id +
                     ".permissions, or let the host start with less: "
                     "strict_permissions = false"}
        .with_host(host.id);
  return resolved;
}

} // namespace bulkhead
