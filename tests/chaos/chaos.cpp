// The chaos test: see --help.

#include "dice.hpp"
#include "leftovers.hpp"
#include "options.hpp"
#include "population.hpp"
#include "process_tree.hpp"
#include "report.hpp"
#include "round.hpp"
#include "workspace.hpp"

#include "shared/open_directory.hpp"

#include <bulkhead/platform/audit_verify.hpp>
#include <bulkhead/testing.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <optional>

namespace chaos {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// Long enough for all hosts to start on two cores, short enough for many runtimes in a minute.
constexpr auto shortest_round = 2000ms;
constexpr auto longest_round = 6000ms;

void check_audit_log(bulkhead::policy const& rules, std::vector<std::string>& wrong) {
  auto const verified = bulkhead::platform::verify_audit(rules.audit_file());
  if (!verified)
    wrong.push_back(std::string{"the audit log can't be verified: "} + verified.error().what());
  else if (verified->finding)
    wrong.push_back(std::string{"the audit log is broken: "} +
                    verified->finding->as_error().what());
}

/// Whether all that hosts do at random has been done by then, however slow the machine is. Of fewer
/// hosts there may be none of a kind.
bool is_long_enough(options const& chosen) {
  return chosen.hosts >= 10 && chosen.duration * chosen.hosts >= 1200s;
}

void check_coverage(figures::snapshot const& counted, std::vector<std::string>& wrong) {
  for (auto const* const step : {"write", "read", "copy", "read copy", "delete"})
    if (!counted.file_steps.contains(step))
      wrong.push_back(std::string{"no host did this with a file: "} + step);
}

/// Runtime after runtime until the time is over or something is wrong.
verdict run_all(run_context& run, options const& chosen) {
  auto const begin = clock::now();
  auto const left = [&] { return chosen.duration - (clock::now() - begin); };
  verdict found;
  memory_watch memory;
  dice roll{chosen.seed, 0};
  std::optional<holdings> before; // after the first runtime: some things are opened once
  for (std::uint64_t number = 1; found.wrong.empty() && left() > 0s; ++number) {
    auto const length = std::min(roll.between(shortest_round, longest_round),
                                 std::chrono::ceil<std::chrono::milliseconds>(left()));
    found.wrong = run_round(run, chosen.seed, number, length);
    if (before)
      std::ranges::move(holdings::leftovers(*before, run.inhabitants.rules.state_dir),
                        std::back_inserter(found.wrong));
    else
      before = holdings::look();
    std::ranges::move(clear_workspace(run.inhabitants.workspace), std::back_inserter(found.wrong));
    std::ranges::move(memory.look(), std::back_inserter(found.wrong));
  }
  if (found.wrong.empty() && is_long_enough(chosen))
    check_coverage(run.counted.now(), found.wrong);
  check_audit_log(run.inhabitants.rules, found.wrong);
  found.memory_first = memory.first();
  found.memory_last = memory.last();
  found.took = clock::now() - begin;
  return found;
}

bool run(options const& chosen) {
  auto& progress = chosen.as_json ? std::cerr : std::cout;
  progress << "seed " << chosen.seed << "; again with  " << command_of(chosen) << std::endl;
  adopt_orphans();
  bulkhead::testing::open_directory const home;
  run_context context{make_population(chosen.hosts, home.path())};
  verdict found;
  {
    progress_lines const lines{progress, context};
    found = run_all(context, chosen);
  }
  if (chosen.as_json)
    print_json(std::cout, chosen, context, found);
  else
    print_text(std::cout, chosen, context, found);
  return found.wrong.empty();
}

} // namespace
} // namespace chaos

int main(int count, char** arguments) {
  try {
    auto const chosen = chaos::parse_options(count, arguments);
    if (chosen.help) {
      std::cout << chaos::help_text();
      return EXIT_SUCCESS;
    }
    return chaos::run(chosen) ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (std::exception const& failed) {
    std::cerr << "chaos: " << failed.what() << '\n';
    return 2;
  }
}
