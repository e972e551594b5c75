#include "exit_code.hpp"
#include "subcommand.hpp"

#include <bulkhead/config/load.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <algorithm>
#include <csignal>
#include <iostream>

namespace bulkhead::tool {
namespace {

constexpr subcommand members[] = {
    {"run", "Start the hosts of a policy and serve until a signal", run_subcommand},
    {"call", "Run one command of one extension and print its result", call_subcommand},
    {"policy", "Check or explain a policy; print its reference or JSON Schema", policy_subcommand},
    {"secrets", "List, set and delete the secrets of a host", secrets_subcommand},
    {"audit", "Check the audit log", audit_subcommand},
    {"integrity", "Print the hash that pins an extension or an interpreter", integrity_subcommand},
    {"doctor", "Say what this machine can enforce, and what to do about the rest",
     doctor_subcommand},
};

constexpr subcommand_group everything{
    "bulkhead", "Runs untrusted extensions in supervised processes of their own.", members,
    "'bulkhead help COMMAND' tells more of each; 'bulkhead --version' prints the version.\n"
    "\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  the work failed\n"
    "  2  the command was called wrongly\n"
    "  3  the policy is invalid\n"
    "  4  this machine can't enforce what the policy requires",
    "bulkhead run policy.toml"};

int run_reporting_errors(arguments const& given) {
  try {
    return run_group(everything, given);
  } catch (usage_error const& wrong) {
    std::cerr << wrong.path() << ": " << wrong.what() << "\nTry '" << wrong.path() << " --help'.\n";
    return exit_usage;
  } catch (policy_error const& failed) {
    std::cerr << failed.report() << '\n';
    return exit_policy;
  } catch (error const& failed) {
    std::cerr << platform::escape_line(failed.what()) << '\n';
    return exit_code_of(failed);
  } catch (std::exception const& failed) {
    std::cerr << "bulkhead: " << platform::escape_line(failed.what()) << '\n';
    return exit_failed;
  }
}

} // namespace
} // namespace bulkhead::tool

int main(int argc, char** argv) {
  using namespace bulkhead::tool;
  // Whoever reads our output may stop doing so: that is a failed write, not the end of the hosts.
  std::signal(SIGPIPE, SIG_IGN);
  auto const ended = run_reporting_errors({argv + std::min(argc, 1), argv + argc});
  if (std::cout.flush())
    return ended;
  std::cerr << "bulkhead: standard output can't be written\n";
  return ended == exit_done ? exit_failed : ended;
}
