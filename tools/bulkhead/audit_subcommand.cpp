#include "exit_code.hpp"
#include "output/json_text.hpp"
#include "output/terminal.hpp"
#include "subcommand.hpp"

#include <bulkhead/platform/audit_verify.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <boost/json/object.hpp>
#include <iostream>

namespace bulkhead::tool {
namespace {

using platform::audit_finding;
using platform::audit_report;
using platform::escape_line;

void print_json(audit_report const& report) {
  boost::json::object printed{
      {"unbroken", !report.finding},    {"records", report.records},
      {"files", report.files},          {"first_seq", report.first_seq},
      {"last_seq", report.last_seq},    {"first_time", report.first_time},
      {"last_time", report.last_time},  {"ahead_of_anchor", report.ahead_of_anchor},
      {"recoveries", report.recoveries}};
  if (auto const& finding = report.finding)
    printed["finding"] = {{"flaw", to_string(finding->flaw)},
                          {"file", escape_line(finding->file)},
                          {"line", finding->line},
                          {"text", finding->text},
                          {"remedy", finding->as_error().remedy()}};
  std::cout << json_text(printed) << '\n';
}

std::string counted(std::uint64_t number, std::string_view one) {
  return std::to_string(number) + ' ' + std::string{one} + (number == 1 ? "" : "s");
}

void print_line(audit_report const& report) {
  if (report.records == 0) {
    std::cout << "0 records: unbroken\n";
    return;
  }
  std::cout << counted(report.records, "record") << ", seq " << report.first_seq << "–"
            << report.last_seq << ", from " << report.first_time << " to " << report.last_time
            << ": unbroken";
  if (report.recoveries != 0)
    std::cout << "; a torn end was replaced " << counted(report.recoveries, "time");
  if (report.ahead_of_anchor != 0)
    std::cout << "; the last " << counted(report.ahead_of_anchor, "record") << " not yet anchored";
  std::cout << '\n';
}

/// One line that is written over, so only where somebody looks.
platform::audit_progress progress_output() {
  if (!look_at(output_stream::error).is_steerable)
    return {};
  return [](std::uint64_t records) {
    std::cerr << '\r' << counted(records, "record") << " so far\x1b[K" << std::flush;
  };
}

int verify(arguments const& given) {
  static command_page const page{
      "bulkhead audit verify",
      "Checks an audit log, with its rotated files, for anything that was changed afterwards.",
      {"FILE"},
      {},
      "FILE is the current file of the log; its older files and FILE.head lie beside it. Prints\n"
      "how many records there are, or the first thing that is wrong and then exits with code 1.\n"
      "Somebody who can write both FILE and FILE.head can forge a log that this finds unbroken.",
      "bulkhead audit verify /var/lib/backend/audit.jsonl"};
  boost::program_options::options_description options;
  options.add_options()("json", "Print the result as one line of JSON");
  auto const line = parse(page, options, given);
  if (!line)
    return exit_done;
  auto const& file = line->operands.front();
  auto is_shown = false;
  platform::audit_progress const show = [&, shown = progress_output()](std::uint64_t records) {
    if (shown) {
      shown(records);
      is_shown = true;
    }
  };
  auto const report = platform::verify_audit(file, show);
  if (is_shown)
    std::cerr << "\r\x1b[K";
  if (!report)
    throw report.error();
  if (line->options.contains("json"))
    print_json(*report);
  else if (report->finding)
    throw report->finding->as_error();
  else
    print_line(*report);
  return report->finding ? exit_failed : exit_done;
}

constexpr subcommand members[] = {
    {"verify", "Find any edit, removal or truncation of an audit log", verify},
};

} // namespace

int audit_subcommand(arguments const& given) {
  return run_group({"bulkhead audit", "Checks the audit log.", members,
                    "'bulkhead audit COMMAND --help' tells more of each.",
                    "bulkhead audit verify audit.jsonl"},
                   given);
}

} // namespace bulkhead::tool
