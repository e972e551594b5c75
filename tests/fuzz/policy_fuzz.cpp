// Any text as a policy: it gives a policy that keeps what policies promise, or mistakes that can be
// shown, and nothing else.
#include "fuzz_target.hpp"

#include <bulkhead/config/load.hpp>
#include <bulkhead/config/path_rules.hpp>
#include <bulkhead/config/policy_change.hpp>
#include <bulkhead/config/policy_keys.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

using namespace bulkhead;
using fuzz::require;

namespace {

void check_host(host_policy const& host, std::set<std::string>& ids) {
  require(policy_keys::valid_name(host.id), "a host's name is a name");
  require(ids.insert(host.id).second, "a host is there once");
  bool const is_node = host.runtime == host_runtime::node;
  require(!is_node || !host.extension.empty(), "a node host has an extension");
  require(is_node != !host.command.empty(), "a command is a command host's");
  require(host.extension.empty() || host.extension.is_absolute(), "an extension is absolute");
  for (auto const& folder : host.filesystem.workspace)
    require(folder.is_absolute(), "a workspace is absolute");
  for (auto const& [name, value] : host.environment)
    require(!name.starts_with("LD_") && name != "NODE_OPTIONS" && !name.starts_with("BULKHEAD_"),
            "no variable changes what runs");
  require(host.restart.backoff_initial <= host.restart.backoff_max, "backoff grows");
  require(host.limits.cpu_time.count() % 1000 == 0, "CPU time is whole seconds");
  require(host.sandbox.require == sandbox_tier::none ||
              host.transport == host_transport::socketpair,
          "a contained host needs no socket's path");
  for (auto const& digest : host.integrity.interpreter_sha256)
    require(digest.size() == policy_keys::digest_size, "a digest is a digest");
  auto const rules = path_rules::compile(host.filesystem.rules);
  require(rules.has_value(), "the path rules of a policy compile");
}

void check_policy(policy const& good, std::string_view text) {
  require(!good.hosts.empty(), "a policy has a host");
  require(good.state_dir.is_absolute(), "the state directory is absolute");
  std::set<std::string> ids;
  for (auto const& host : good.hosts)
    check_host(host, ids);
  require(policy_changes(good, good).empty(), "a policy is what it is");

  // Other text that says the same.
  auto const again = parse_policy(std::string{text} + "\n# the end\n", "/etc/demo", "policy.toml");
  require(policy_changes(good, again).empty(), "a comment changes nothing");
}

void check_mistakes(policy_error const& failed, std::string_view text) {
  auto const mistakes = failed.mistakes();
  require(!mistakes.empty() && failed.code() == mistakes.front().code,
          "the error has the first mistake's code");
  auto const lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  for (auto const& mistake : mistakes) {
    require(mistake.code >= errc::policy_unreadable && mistake.code <= errc::policy_invalid_pattern,
            "a mistake has the code of a policy's");
    require(mistake.line <= lines + 1, "a mistake is on a line of the text");
    require(!mistake.sentence.empty() && !fuzz::has_control_character(mistake.sentence),
            "a mistake is one line that steers no terminal");
  }
  require(std::ranges::is_sorted(mistakes, {}, &policy_mistake::line),
          "mistakes are in the order of the text");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  auto const text = fuzz::text_of(bytes, size);
  std::optional<policy> good;
  try {
    good = parse_policy(text, "/etc/demo", "policy.toml");
  } catch (policy_error const& failed) {
    check_mistakes(failed, text);
  }
  if (good)
    check_policy(*good, text);
  return 0;
}
