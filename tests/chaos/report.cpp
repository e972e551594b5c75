#include "report.hpp"

#include "target.hpp"

#include <boost/json/serialize.hpp>

#include <iomanip>
#include <ostream>

namespace chaos {
namespace {

using namespace std::chrono_literals;
using bulkhead::json;
using bulkhead::testing::call_tally;
using clock = std::chrono::steady_clock;

constexpr auto progress_interval = 2s;

figures::counts named_failures(call_tally const& tally) {
  figures::counts named;
  for (auto const& [code, times] : tally.failures())
    named.emplace(bulkhead::to_string(code), times);
  return named;
}

std::string tally_text(call_tally const& tally) {
  auto const failures = named_failures(tally);
  return std::to_string(tally.started()) + ": replied " + std::to_string(tally.succeeded()) +
         (failures.empty() ? "" : ", " + to_text(failures));
}

json tally_json(call_tally const& tally) {
  return {{"started", tally.started()},
          {"succeeded", tally.succeeded()},
          {"failed", to_json(named_failures(tally))}};
}

void print_progress(std::ostream& out, run_context const& of, clock::duration since) {
  auto const now = of.counted.now();
  auto const& requests = of.requests;
  auto const ended = requests.succeeded() + sum_of(named_failures(requests));
  out << std::setw(4) << std::chrono::duration_cast<std::chrono::seconds>(since).count()
      << " s  runtimes " << sum_of(now.runtimes) << "  requests ended " << ended << "  starts "
      << now.starts << "  restarts " << now.restarts << "  given up " << now.crashes << "  faults "
      << sum_of(now.faults) << std::endl;
}

} // namespace

progress_lines::progress_lines(std::ostream& out, run_context const& of)
    : printer_{[&out, &of](std::stop_token const& stop) {
      auto const begin = clock::now();
      for (pause(stop, progress_interval); !stop.stop_requested(); pause(stop, progress_interval))
        print_progress(out, of, clock::now() - begin);
    }} {}

void print_text(std::ostream& out, options const& chosen, run_context const& run,
                verdict const& found) {
  auto const now = run.counted.now();
  out << "\nruntimes  " << sum_of(now.runtimes) << ": " << to_text(now.runtimes) << '\n'
      << "requests  " << tally_text(run.requests) << '\n'
      << "controls  " << tally_text(run.controls) << "; of these " << now.reloads
      << " policy reloads\n"
      << "faults    " << sum_of(now.faults) << ": " << to_text(now.faults) << '\n'
      << "hosts     " << now.starts << " starts, " << now.restarts << " restarts, " << now.crashes
      << " given up; ended: " << to_text(now.ends) << '\n'
      << "files     " << to_text(now.file_steps) << "; " << (now.file_bytes >> 10)
      << " KiB; refused: " << to_text(now.file_refusals) << '\n'
      << "compiled  " << now.compiled_starts << " starts found their scripts compiled\n"
      << "memory    " << (found.memory_first >> 10) << " KiB in use after the first runtimes, "
      << (found.memory_last >> 10) << " KiB at the end\n"
      << "seconds   " << std::fixed << std::setprecision(1) << found.took.count() << "\n\n";
  for (auto const& each : found.wrong)
    out << "wrong: " << each << '\n';
  if (found.wrong.empty())
    out << "passed: every request ended once, every transition was legal, nothing is left over"
        << std::endl;
  else
    out << "failed; the same choices again: " << command_of(chosen) << std::endl;
}

void print_json(std::ostream& out, options const& chosen, run_context const& run,
                verdict const& found) {
  auto const now = run.counted.now();
  json const summary{{"passed", found.wrong.empty()},
                     {"wrong", boost::json::array(found.wrong.begin(), found.wrong.end())},
                     {"seed", chosen.seed},
                     {"hosts", chosen.hosts},
                     {"seconds", found.took.count()},
                     {"runtimes", to_json(now.runtimes)},
                     {"requests", tally_json(run.requests)},
                     {"controls", tally_json(run.controls)},
                     {"policy_reloads", now.reloads},
                     {"faults", to_json(now.faults)},
                     {"starts", now.starts},
                     {"restarts", now.restarts},
                     {"given_up", now.crashes},
                     {"ends", to_json(now.ends)},
                     {"file_steps", to_json(now.file_steps)},
                     {"file_refusals", to_json(now.file_refusals)},
                     {"file_bytes", now.file_bytes},
                     {"compiled_starts", now.compiled_starts},
                     {"memory_first", found.memory_first},
                     {"memory_last", found.memory_last}};
  out << boost::json::serialize(summary) << std::endl;
}

} // namespace chaos
