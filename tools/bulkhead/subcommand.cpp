#include "subcommand.hpp"

#include "exit_code.hpp"

#include <bulkhead/config/quote.hpp>

#include <algorithm>
#include <iostream>
#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {
namespace {

void print_help(subcommand_group const& group, std::ostream& out) {
  out << "Usage: " << group.path << " COMMAND [ARGUMENT…]\n\n"
      << group.summary << "\n\nCommands:\n";
  for (auto const& member : group.members)
    out << fmt::format("  {:<10} {}\n", member.name, member.summary);
  out << fmt::format("  {:<10} {}\n", "help", "Print the help of a command");
  out << '\n' << group.text << "\n\nExample:\n  " << group.example << '\n';
}

subcommand const& find(subcommand_group const& group, std::string const& name) {
  auto const found = std::ranges::find(group.members, std::string_view{name}, &subcommand::name);
  if (found != group.members.end())
    return *found;
  std::vector<std::string_view> known{"help", "--help", "--version"};
  for (auto const& member : group.members)
    known.push_back(member.name);
  auto const kind = name.starts_with('-') ? "option" : "command";
  throw usage_error{group.path,
                    fmt::format("there is no {} {}{}", kind, quote(name), suggestion(name, known))};
}

} // namespace

int run_group(subcommand_group const& group, arguments const& given) {
  if (given.empty()) {
    print_help(group, std::cerr);
    return exit_usage;
  }
  auto const& first = given.front();
  if (first == "--version") {
    std::cout << "bulkhead " BULKHEAD_VERSION "\n";
    return exit_done;
  }
  auto const asks_for_help = first == "help" || first == "--help" || first == "-h";
  if (asks_for_help && given.size() == 1) {
    print_help(group, std::cout);
    return exit_done;
  }
  auto const name = given.begin() + (asks_for_help ? 1 : 0);
  arguments rest{name + 1, given.end()};
  if (asks_for_help)
    rest.emplace_back("--help");
  return find(group, *name).run(rest);
}

} // namespace bulkhead::tool
