// Whatever one host does, another one is served as before.

#include "fault_table.hpp"
#include "shared/text.hpp"
#include "steady_load.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <fstream>
#include <spdlog/fmt/fmt.h>
#include <sstream>
#include <thread>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;

namespace {

/// How long the load is looked at before and after each fault, and at the least during it.
constexpr auto calm = 100ms;
constexpr auto least_during = 200ms;

// What the 99th of 100 requests may take while another host does its worst: some thousand times
// what it takes, as other programs and other tests may have the machine, and far below what a
// backend takes that waits for a host.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr auto worst_p99 = 2s;
#else
constexpr auto worst_p99 = 500ms;
#endif

constexpr std::string_view table_begins = "<!-- the table begins -->\n";
constexpr std::string_view heading =
    "| threat | what a host does | what comes of it | before | during | after |\n"
    "|---|---|---|---|---|---|\n";

std::filesystem::path const document{BULKHEAD_TEST_SOURCE_DIR "/docs/faults.md"};

/// The part of a row that does not depend on the machine.
std::string row_of(faults::fault const& each) {
  return fmt::format("| {} | {} | {} |", each.threat, each.what, each.comes_of_it);
}

std::string figures_of(service_quality const& seen) {
  auto const milliseconds = [](std::chrono::microseconds time) {
    return static_cast<double>(time.count()) / 1000;
  };
  return fmt::format(" {:.2f} / {:.2f} |", milliseconds(seen.p50), milliseconds(seen.p99));
}

/// What was seen for this long.
service_quality watch(steady_load& load, std::chrono::milliseconds how_long) {
  load.take();
  std::this_thread::sleep_for(how_long);
  return load.take();
}

/// The rows without their figures.
std::string without_figures(std::string const& table) {
  std::istringstream in{table};
  std::string text;
  for (std::string line; std::getline(in, line);) {
    for (auto cell = 0; cell < 3 && line.size() > 1; ++cell)
      line.erase(line.rfind('|', line.size() - 2) + 1);
    text += line + '\n';
  }
  return text;
}

} // namespace

TEST_CASE("whatever one host does wrong, it gets its due, and another is served as before",
          "[faults]") {
  harness run{faults::policy_of_all()};
  run->on_request("work", [](request) -> boost::asio::awaitable<json> {
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, 20ms};
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return boost::json::object{};
  });
  REQUIRE(run.start());
  steady_load load{run.host("steady")};
  watch(load, calm); // what is done once
  std::string rows;
  auto before = watch(load, calm);
  auto const table = faults::fault_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    auto const& each = table[i];
    INFO(each.threat << ": " << each.what);
    load.take();
    auto const until = std::chrono::steady_clock::now() + least_during;
    CHECK(each.happen(run, faults::id_of(i)) == each.comes_of_it);
    std::this_thread::sleep_until(until);
    auto const during = load.take();
    auto const after = watch(load, calm);
    for (auto const& [name, seen] :
         {std::pair{"before", before}, {"during", during}, {"after", after}}) {
      INFO(name);
      CHECK(seen.requests > 0);
      CHECK(seen.failed == 0);
      CHECK(seen.p99 < worst_p99);
    }
    rows += row_of(each) + figures_of(before) + figures_of(during) + figures_of(after) + '\n';
    before = after;
  }
  UNSCOPED_INFO(rows);
  CHECK(run.host("steady").status().restarts == 0);
  CHECK(run.path_of("steady") == "Stopped Starting Running");
  CHECK(run.every_transition_was_legal());
  if (!std::getenv("BULKHEAD_WRITE_DOCUMENTS"))
    return;
  auto const text = content_of(document);
  auto const at = text.find(table_begins);
  REQUIRE(at != text.npos);
  std::ofstream{document} << text.substr(0, at + table_begins.size()) << heading << rows;
}

TEST_CASE("the documentation of the faults is the table that the tests compare", "[faults]") {
  auto const text = content_of(document);
  auto const at = text.find(table_begins);
  REQUIRE(at != text.npos);
  auto const table = text.substr(at + table_begins.size());
  REQUIRE(table.starts_with(heading));
  std::string expected;
  for (auto const& each : faults::fault_table())
    expected += row_of(each) + '\n';
  CHECK(without_figures(table.substr(heading.size())) == expected);
}
