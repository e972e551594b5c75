#include "containment_check.hpp"
#include "exit_code.hpp"
#include "output/json_text.hpp"
#include "output/terminal.hpp"
#include "subcommand.hpp"

#include <bulkhead/config/load.hpp>
#include <bulkhead/platform/machine_probe.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <iostream>
#include <optional>
#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {
namespace {

using platform::escape_line;
using platform::machine_report;
using platform::mechanism;

command_page const page{
    "bulkhead doctor",
    "Tries out what this machine can enforce for the current user, and says what to do about the\n"
    "rest.",
    {},
    {},
    "Each mechanism is used as a host's start uses it; nothing is left behind. What holds for "
    "root\n"
    "need not hold for another user: ask as the user that the backend runs as.\n"
    "\n"
    "With a POLICY it also says, for each host, whether what it requires can be met. Exit code 4\n"
    "where it can't for one of them, 3 where the policy is invalid, else 0.",
    "bulkhead doctor policy.toml",
    "POLICY"};

/// At the most.
std::size_t ready_processes(policy const& rules) {
  std::size_t wanted = 0;
  for (auto const& host : rules.hosts)
    wanted += host.start.warm;
  return std::min<std::size_t>(wanted, rules.warm_limit);
}

machine_report probe(std::optional<policy> const& rules) {
  platform::probe_options options;
  if (rules) {
    options.first_uid = rules->first_uid;
    auto const processes = rules->hosts.size() + ready_processes(*rules);
    options.uids = static_cast<std::uint32_t>(std::max<std::size_t>(processes, 1));
  }
  return platform::probe_machine(options);
}

// ---- text ---------------------------------------------------------------------------------------

enum class colour { green, yellow, red };

/// Colours where they were asked for.
class painter {
public:
  explicit painter(bool has_colours) noexcept
      : has_colours_{has_colours} {}

  std::string operator()(colour with, std::string_view text) const {
    constexpr std::string_view begins[] = {"\x1b[32m", "\x1b[33m", "\x1b[31m"};
    if (!has_colours_)
      return std::string{text};
    return fmt::format("{}{}\x1b[0m", begins[static_cast<std::size_t>(with)], text);
  }

private:
  bool has_colours_;
};

std::string who(std::uint32_t user) {
  return user == 0 ? "as root" : fmt::format("as you (uid {})", user);
}

bool is_vital(mechanism const& what) noexcept {
  return what.needed_for != platform::purpose::improvement;
}

std::string mark_of(mechanism const& what, painter const& paint) {
  if (what.holds)
    return paint(colour::green, "yes");
  return paint(is_vital(what) ? colour::red : colour::yellow, "no ");
}

void print_table(machine_report const& machine, painter const& paint) {
  std::size_t widest = 0;
  for (auto const& each : machine.mechanisms)
    widest = std::max(widest, each.name.size());
  for (auto const& each : machine.mechanisms)
    std::cout << fmt::format("  {}  {:<{}}  {}\n", mark_of(each, paint), each.name, widest,
                             escape_line(each.detail));
}

/// Mechanisms that one remedy is for.
using ailment = std::vector<mechanism const*>;

std::vector<ailment> ailments_of(machine_report const& machine) {
  std::vector<ailment> found;
  for (auto const& each : machine.mechanisms) {
    if (each.holds)
      continue;
    auto const same = std::ranges::find_if(
        found, [&](ailment const& known) { return known.front()->remedy == each.remedy; });
    if (same == found.end())
      found.push_back({&each});
    else
      same->push_back(&each);
  }
  return found;
}

/// "strong launch (for the strong tier), openat2 (for improvement)".
std::string text_of(ailment const& what) {
  std::string text;
  for (auto const* const each : what)
    text += fmt::format("{}{} (for {})", text.empty() ? "" : ", ", each->name,
                        to_string(each->needed_for));
  return text;
}

void print_remedies(machine_report const& machine) {
  auto const ailments = ailments_of(machine);
  if (!ailments.empty())
    std::cout << "\nWhat to do:\n";
  for (auto const& each : ailments)
    std::cout << fmt::format("  {}\n    {}\n", text_of(each), escape_line(each.front()->remedy));
}

std::string best_tier_line(machine_report const& machine, painter const& paint) {
  switch (machine.best_tier()) {
  case sandbox_tier::strong:
    return paint(colour::green, "strong") + ": hosts get every layer";
  case sandbox_tier::basic:
    return paint(colour::yellow, "basic") +
           ": hosts get Landlock, a filter of system calls and resource limits, no namespaces";
  case sandbox_tier::none:
    break;
  }
  return paint(colour::red, "none") + ": hosts that require containment don't start";
}

std::string names_of(std::vector<mechanism const*> const& mechanisms) {
  std::string names;
  for (auto const* const each : mechanisms)
    names += (names.empty() ? "" : ", ") + each->name;
  return names;
}

std::string line_of(host_verdict const& verdict, painter const& paint) {
  auto line = fmt::format("{} requires {}: ", verdict.host, to_string(verdict.required));
  if (!verdict.can_start())
    return line + paint(colour::red, "not met") + ", for lack of " + names_of(verdict.unmet);
  line += paint(colour::green, "met");
  if (!verdict.unheld.empty())
    line += paint(colour::yellow, ", without ") + names_of(verdict.unheld);
  return line;
}

void print_text(machine_report const& machine, std::vector<host_verdict> const& verdicts) {
  painter const paint{look_at(output_stream::standard).has_colours};
  std::cout << "What this machine can enforce " << who(machine.user) << ":\n\n";
  print_table(machine, paint);
  print_remedies(machine);
  std::cout << "\nBest tier: " << best_tier_line(machine, paint) << '\n';
  for (auto const& each : verdicts)
    std::cout << line_of(each, paint) << '\n';
}

// ---- JSON ---------------------------------------------------------------------------------------

boost::json::array json_of(std::vector<mechanism const*> const& mechanisms) {
  boost::json::array names;
  for (auto const* const each : mechanisms)
    names.emplace_back(each->name);
  return names;
}

void print_json(machine_report const& machine, std::vector<host_verdict> const& verdicts) {
  auto answer = to_json(machine);
  boost::json::array hosts;
  for (auto const& each : verdicts)
    hosts.push_back({{"host", each.host},
                     {"require", to_string(each.required)},
                     {"met", each.can_start()},
                     {"missing", json_of(each.unmet)},
                     {"without", json_of(each.unheld)}});
  answer.as_object().emplace("hosts", std::move(hosts));
  std::cout << json_text(answer) << '\n';
}

} // namespace

int doctor_subcommand(arguments const& given) {
  boost::program_options::options_description options;
  options.add_options()("json", "Print the result as one line of JSON");
  auto const line = parse(page, options, given);
  if (!line)
    return exit_done;
  std::optional<policy> rules;
  if (!line->operands.empty())
    rules = load_policy(line->operands.front());
  auto const machine = probe(rules);
  auto const verdicts = rules ? check_containment(*rules, machine) : std::vector<host_verdict>{};
  if (line->options.contains("json"))
    print_json(machine, verdicts);
  else
    print_text(machine, verdicts);
  return std::ranges::all_of(verdicts, &host_verdict::can_start) ? exit_done : exit_containment;
}

} // namespace bulkhead::tool
