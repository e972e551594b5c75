#include <bulkhead/platform/linux/interpreter_probe.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/linux/bounded_run.hpp>
#include <bulkhead/platform/linux/elf_dependencies.hpp>
#include <bulkhead/platform/linux/probe_verdict.hpp>
#include <bulkhead/platform/ownership.hpp>

#include <cerrno>
#include <charconv>
#include <fcntl.h>

namespace bulkhead::platform {
namespace {

/// Debian 12's. What is older has no support from its authors either.
constexpr int oldest_version = 18;
constexpr auto install_node = "install Node.js 18 or later: apt install nodejs";

/// "20.20.2" of a Node.js that took the flags of a host.
result<std::string> version_of(std::filesystem::path const& node) {
  auto ran = run_bounded({.program = node,
                          .arguments = {"--disallow-code-generation-from-strings", "--no-addons",
                                        "--print", "process.versions.node"},
                          .environment = {},
                          .working_directory = {},
                          .inherited = {}});
  if (!ran)
    return ran.error();
  if (ran->status != exit_status{.kind = exit_kind::exited})
    return error{errc::spawn_failed, "it ended with " + to_string(ran->status)};
  return ran->output.substr(0, ran->output.find('\n'));
}

bool is_recent(std::string_view version) noexcept {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major >= oldest_version;
}

} // namespace

mechanism probe_node(std::string_view search_path) {
  mechanism const what{.name = "Node.js", .needed_for = purpose::node_hosts};
  auto const refused = [&](error const& failed) {
    return not_held(what, failed.detail(),
                    failed.remedy().empty() ? install_node : failed.remedy());
  };
  auto const path = find_node(search_path);
  if (!path)
    return refused(path.error());
  unique_fd const opened{::open(path->c_str(), O_RDONLY | O_CLOEXEC)};
  if (!opened)
    return not_held(what, path->string() + ": " + errno_text(errno), install_node);
  if (auto const safe = require_safe_path(opened.get()); !safe)
    return refused(safe.error());
  auto const needed = dependencies_of(opened.get());
  if (!needed)
    return refused(needed.error());
  auto const version = version_of(*path);
  if (!version)
    return not_held(what, path->string() + ": " + version.error().detail(), install_node);
  if (!is_recent(*version))
    return not_held(what, path->string() + " is version " + *version + ", which is too old",
                    install_node);
  return held(what, path->string() + " is version " + *version + ", with " +
                        std::to_string(needed->files.size()) + " libraries");
}

} // namespace bulkhead::platform
