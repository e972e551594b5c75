#include "exit_code.hpp"
#include "output/json_text.hpp"
#include "policy_host.hpp"
#include "subcommand.hpp"

#include <bulkhead/config/explain.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/reference.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <iostream>

namespace bulkhead::tool {
namespace {

int check(arguments const& given) {
  static command_page const page{
      "bulkhead policy check",
      "Reads a policy and reports every mistake in it, each with its line and column.",
      {"POLICY"},
      {},
      "Exit code 3 where there are mistakes. Whether this machine can do what the policy requires\n"
      "is told by  bulkhead doctor POLICY.",
      "bulkhead policy check policy.toml"};
  auto const line = parse(page, {}, given);
  if (!line)
    return exit_done;
  auto const& file = line->operands.front();
  auto const count = load_policy(file).hosts.size();
  std::cout << file << ": ok (" << count << (count == 1 ? " host)\n" : " hosts)\n");
  return exit_done;
}

int reference(arguments const& given) {
  static command_page const page{
      "bulkhead policy reference",
      "Prints every key of a policy: type, range, default, meaning, and the reason of the default.",
      {},
      {},
      {},
      "bulkhead policy reference | less"};
  if (parse(page, {}, given))
    std::cout << policy_reference();
  return exit_done;
}

int schema(arguments const& given) {
  static command_page const page{
      "bulkhead policy schema",
      "Prints a JSON Schema with which an editor completes and checks a policy.",
      {},
      {},
      {},
      "bulkhead policy schema > bulkhead.schema.json"};
  if (parse(page, {}, given))
    std::cout << policy_schema();
  return exit_done;
}

permission find_permission(std::string const& name) {
  auto const found = permission_from_string(name);
  if (!found)
    throw error{errc::policy_unknown_permission, unknown_permission_sentence(name)};
  return *found;
}

access_explanation explained(policy const& rules, host_policy const& host,
                             access_question const& question) {
  // A runtime makes a folder of its own there when it starts.
  auto const access = access_rules::compile(rules, rules.state_dir / "run" / rules.name).value();
  std::optional<result<manifest>> extension;
  if (!host.extension.empty())
    extension = load_manifest(host.extension);
  return explain_access(host, *access->find(host.id), extension, question).value();
}

int explain(arguments const& given) {
  static command_page const page{
      "bulkhead policy explain",
      "Says whether a host may do something, which rule decides that, and what would change it.",
      {"POLICY", "HOST", "PERMISSION"},
      {},
      "PATH is what a request would name: absolute, or relative to the host's first workspace "
      "folder,\n"
      "or a file: URI. fileSystem.read, .write and .delete and workspace.read take one.\n"
      "\n"
      "The rules are asked about the name. Where it is, or leads through, a symbolic link, the "
      "place\n"
      "that it leads to has to be allowed as well. A runtime's temp folder has another name each "
      "time.\n"
      "\n"
      "Exit code 0 whatever the answer is; \"allowed\" of --json is for scripts.",
      "bulkhead policy explain policy.toml formatter fileSystem.read guide.md",
      "PATH"};
  boost::program_options::options_description options;
  options.add_options()("json", "Print the answer as one line of JSON");
  auto const line = parse(page, options, given);
  if (!line)
    return exit_done;
  auto const& operands = line->operands;
  auto const rules = load_policy(operands[0]);
  auto const& host = find_host(rules, operands[1]);
  access_question question{find_permission(operands[2]), {}};
  if (operands.size() > 3) {
    question.path = operands[3];
    if (!takes_path(question.asked))
      throw usage_error{page.path,
                        operands[2] + " is not about paths - ask without " + quote(operands[3])};
  }
  auto const answer = explained(rules, host, question);
  if (line->options.contains("json")) {
    std::cout << json_text(json_of(answer)) << '\n';
    return exit_done;
  }
  for (auto const& each : lines_of(answer, operands[0]))
    std::cout << platform::escape_line(each) << '\n';
  return exit_done;
}

constexpr subcommand members[] = {
    {"check", "Report every mistake in a policy", check},
    {"explain", "Say which rule allows or denies something", explain},
    {"reference", "Print every key with its default and the reason for it", reference},
    {"schema", "Print a JSON Schema for editors", schema},
};

} // namespace

int policy_subcommand(arguments const& given) {
  return run_group({"bulkhead policy", "Checks and explains a policy, and says what one may hold.",
                    members, "'bulkhead policy COMMAND --help' tells more of each.",
                    "bulkhead policy check policy.toml"},
                   given);
}

} // namespace bulkhead::tool
