#pragma once

#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

/// Extensions that use the backend's services as they are told, and what they tell.
namespace test_hosts {

/// How one call of an extension's ended.
struct told {
  bulkhead::json value;  ///< its result; null where it failed
  std::string code;      ///< why it failed; empty where it did not
  bulkhead::json failed; ///< all that the error has, with its "message"
};

/// Runs a command of the extensions in extensions/files and extensions/secrets.
inline told tell(bulkhead::testing::harness& run, std::string_view host, std::string command,
                 boost::json::array arguments) {
  auto const ended = bulkhead::testing::outcome(
      run.host(host).async_command(std::move(command), std::move(arguments),
                                   bulkhead::testing::patience, boost::asio::use_future));
  if (!ended)
    FAIL(ended.error().what());
  auto const& members = ended->as_object();
  if (auto const* const value = members.if_contains("value"))
    return {*value, {}, {}};
  return {{}, std::string{members.at("code").as_string()}, *ended};
}

/// One call of context.fs.
template <class... Arguments>
told fs(bulkhead::testing::harness& run, Arguments&&... arguments) {
  boost::json::array all;
  (all.push_back(bulkhead::json(std::forward<Arguments>(arguments))), ...);
  return tell(run, "files", "fs", std::move(all));
}

/// The host "files" as TOML, with what stands behind `[hosts.files]` and in tables of their own.
inline std::string files_host(std::string_view rules, std::string_view more = {}) {
  return R"(
[hosts.files]
extension = ")" +
         (folder / "extensions/files").string() + R"("
permissions = ["fileSystem.read", "fileSystem.write", "fileSystem.delete", "workspace.read"]
[hosts.files.filesystem]
)" + std::string{rules} +
         R"(
[hosts.files.rate_limit]
requests_per_second = 100000
burst = 100000
)" + std::string{more};
}

/// A workspace `ws` that the host may use, with nothing but what is denied kept from it.
inline constexpr std::string_view workspace_rules = R"(
workspace = ["ws"]
read = ["ws"]
write = ["ws"]
deny = ["**/*.pem", "**/.git/**"]
)";

/// The same host as a value: it may do what it likes in a folder, and as often as it likes.
inline bulkhead::host_policy files_host_in(std::filesystem::path const& home, std::string id) {
  using enum bulkhead::permission;
  auto host = bulkhead::testing::node_host(std::move(id), folder / "extensions/files");
  for (auto const each : {file_system_read, file_system_write, file_system_delete, workspace_read})
    host.permissions.insert(each);
  host.filesystem.workspace = {home};
  bulkhead::path_pattern const all{home.string(), home.string(), 0, "the test", true};
  host.filesystem.rules.read = host.filesystem.rules.write = {all};
  host.rate_limit = {100'000, 100'000, {}};
  return host;
}

} // namespace test_hosts
