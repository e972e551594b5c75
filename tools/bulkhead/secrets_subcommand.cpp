#include "exit_code.hpp"
#include "operator_audit.hpp"
#include "output/json_text.hpp"
#include "output/secret_input.hpp"
#include "policy_host.hpp"
#include "subcommand.hpp"

#include <bulkhead/actors/policy_secrets.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/platform/output_lines.hpp>
#include <bulkhead/platform/run_directory.hpp>

#include <algorithm>
#include <iostream>
#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {
namespace {

using platform::escape_line;
using platform::secret_name;
using platform::secret_scope;

command_page const page{
    "bulkhead secrets",
    "Lists, sets or deletes what a host's extension keeps as secrets. Never shows a value.",
    {"POLICY", "HOST", "list|set|delete"},
    {},
    "The store is the one of the policy's [secrets].\n"
    "\n"
    "  list          prints the keys, one a line\n"
    "  set KEY       reads the value from standard input: UTF-8, at most 64 KiB, without one\n"
    "                newline at its end; a terminal does not show what is typed\n"
    "  delete KEY    deletes one; exit code 1 where there is none\n"
    "  delete --all  deletes all of this host\n"
    "\n"
    "Each set and delete is recorded in the policy's audit log first, with the key and never with\n"
    "the value. A backend that is running may write to the same log; it may go on with the old\n"
    "value for its secrets.cache_ttl.",
    "bulkhead secrets policy.toml formatter set token < token.txt",
    "KEY"};

/// What the command works on.
struct kept_secrets {
  std::shared_ptr<platform::secret_backend> store;
  secret_scope scope;
  bool as_json = false;

  secret_name named(std::string const& key) const { return {scope, key}; }

  /// One line: `object` with what it is about added, or `sentence`.
  void print(boost::json::object object, std::string const& sentence) const {
    if (!as_json) {
      std::cout << escape_line(sentence) << '\n';
      return;
    }
    boost::json::object whole{{"host", scope.host}, {"backend", store->kind()}};
    for (auto& member : object)
      whole.emplace(member.key(), std::move(member.value()));
    std::cout << json_text(whole) << '\n';
  }
};

int list(kept_secrets const& kept) {
  auto const keys = kept.store->list(kept.scope).value();
  if (kept.as_json) {
    kept.print({{"keys", boost::json::array(keys.begin(), keys.end())}}, {});
    return exit_done;
  }
  for (auto const& key : keys)
    std::cout << escape_line(key) << '\n';
  return exit_done;
}

int set(kept_secrets const& kept, operator_audit& audit, std::string const& key) {
  auto const name = kept.named(key);
  // Before anybody types a secret for nothing.
  platform::check(name).value();
  auto const prompt = fmt::format("Value of {} for {}, then Enter (it is not shown): ", quote(key),
                                  kept.scope.host);
  auto const value = read_secret(platform::max_secret_value, prompt).value();
  audit.change(kept.scope.host, "secrets.set", key,
               [&] { return kept.store->set(name, value.view()); });
  kept.print({{"key", key}, {"set", true}},
             fmt::format("{}: set {} ({})", kept.scope.host, quote(key), kept.store->kind()));
  return exit_done;
}

int remove_one(kept_secrets const& kept, operator_audit& audit, std::string const& key) {
  auto const removed = audit.change(kept.scope.host, "secrets.delete", key,
                                    [&] { return kept.store->remove(kept.named(key)); });
  if (removed) {
    kept.print({{"deleted", 1}},
               fmt::format("{}: deleted {} ({})", kept.scope.host, quote(key), kept.store->kind()));
    return exit_done;
  }
  auto const keys = kept.store->list(kept.scope).value();
  std::vector<std::string_view> const known{keys.begin(), keys.end()};
  if (kept.as_json)
    kept.print({{"deleted", 0}}, {});
  throw error{errc::file_not_found, "no secret " + quote(key) + suggestion(key, known),
              "bulkhead secrets POLICY HOST list  shows the keys that there are"}
      .with_host(kept.scope.host);
}

int remove_all(kept_secrets const& kept, operator_audit& audit) {
  auto const count = audit.change(kept.scope.host, "secrets.delete-all", {},
                                  [&] { return kept.store->remove_all(kept.scope); });
  kept.print({{"deleted", count}}, fmt::format("{}: deleted {} secret{} ({})", kept.scope.host,
                                               count, count == 1 ? "" : "s", kept.store->kind()));
  return exit_done;
}

/// One thing that can be done, given what it needs: a key, --all, or nothing.
struct request_line {
  std::string action;
  std::string key;
  bool all = false;
};

request_line read_request(parsed_line const& line) {
  constexpr std::string_view known[] = {"list", "set", "delete"};
  auto const& operands = line.operands;
  request_line asked{operands[2], operands.size() > 3 ? operands[3] : std::string{},
                     line.options.contains("all")};
  auto const has_key = operands.size() > 3;
  if (std::ranges::find(known, asked.action) == std::end(known))
    throw usage_error{page.path,
                      "there is no " + quote(asked.action) + suggestion(asked.action, known)};
  if (asked.all && asked.action != "delete")
    throw usage_error{page.path, "--all goes with delete only"};
  if (asked.all && has_key)
    throw usage_error{page.path, "--all deletes every key - leave out " + quote(asked.key)};
  if (asked.action == "list" && has_key)
    throw usage_error{page.path, quote(asked.key) + " is one argument too many"};
  if (asked.action != "list" && !asked.all && !has_key)
    throw usage_error{page.path,
                      asked.action == "delete" ? "KEY or --all is missing" : "KEY is missing"};
  return asked;
}

kept_secrets open_secrets(policy const& rules, host_policy const& host, bool as_json) {
  if (rules.secrets.backend == secret_backend_kind::memory)
    throw error{errc::secrets_unavailable,
                "the policy's secrets.backend is \"memory\", which each process has for itself and "
                "which ends with it",
                "write  secrets.backend = \"vault\"  or  \"secret-service\""};
  kept_secrets kept{secrets_of(rules), {rules.name, host.id}, as_json};
  // As the backend makes it when it starts, which may be later.
  if (kept.store->kind() == "vault" && rules.vault_file().parent_path() == rules.state_dir)
    platform::open_state_directory(rules.state_dir).value();
  return kept;
}

} // namespace

int secrets_subcommand(arguments const& given) {
  boost::program_options::options_description options;
  options.add_options()("all", "With delete: every secret of the host")(
      "json", "Print the result as one line of JSON");
  auto const line = parse(page, options, given);
  if (!line)
    return exit_done;
  auto const asked = read_request(*line);
  auto const rules = load_policy(line->operands[0]);
  auto const kept =
      open_secrets(rules, find_host(rules, line->operands[1]), line->options.contains("json"));
  if (asked.action == "list")
    return list(kept);
  operator_audit audit{rules};
  if (asked.action == "set")
    return set(kept, audit, asked.key);
  return asked.all ? remove_all(kept, audit) : remove_one(kept, audit, asked.key);
}

} // namespace bulkhead::tool
