#include "exit_code.hpp"
#include "subcommand.hpp"

#include <bulkhead/config/load.hpp>
#include <bulkhead/config/reference.hpp>

#include <iostream>

namespace bulkhead::tool {
namespace {

int check(arguments const& given) {
  static command_page const page{
      "bulkhead policy check",
      "Reads a policy and reports every mistake in it, each with its line and column.",
      {"POLICY"},
      {},
      "Exit code 3 where there are mistakes; 4 where the policy is well-formed and requires a\n"
      "containment that is not available here.",
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

constexpr subcommand members[] = {
    {"check", "Report every mistake in a policy", check},
    {"reference", "Print every key with its default and the reason for it", reference},
    {"schema", "Print a JSON Schema for editors", schema},
};

} // namespace

int policy_subcommand(arguments const& given) {
  return run_group({"bulkhead policy", "Checks a policy, and says what one may hold.", members,
                    "'bulkhead policy COMMAND --help' tells more of each.",
                    "bulkhead policy check policy.toml"},
                   given);
}

} // namespace bulkhead::tool
