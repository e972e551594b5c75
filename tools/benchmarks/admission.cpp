// How fast requests of a host are decided on: rate limit, permission and path rule, without I/O. In
// processor time, so that what else runs on the machine does not count.
//
//   taskset -c 0 build/release/bin/bench_admission [--json]
//     [--at-least PER_SECOND] [--together-at-least PER_SECOND]
//
// Ends with 1 where the median of the runs is less than a limit.

#include "admission_rules.hpp"

#include <bulkhead/actors/rate_limiter.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/messages/inbound_batch.hpp>
#include <bulkhead/messages/json.hpp>

#include <boost/json/serialize.hpp>
#include <boost/program_options.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace bulkhead;

/// One in ten is denied, as in use.
constexpr std::array<std::string_view, 10> payloads = {
    R"({"path":"/w/docs/guide/one.md"})",   R"({"path":"/w/src/main/two.cpp"})",
    R"({"path":"/w/README.md"})",           R"({"path":"/w/docs/guide/three.md"})",
    R"({"path":"/w/src/lib/four.hpp"})",    R"({"path":"/w/docs/a/b/c/five.md"})",
    R"({"path":"/w/src/private/key.txt"})", R"({"path":"/w/src/six.cpp"})",
    R"({"path":"/w/docs/guide/seven.md"})", R"({"path":"/w/docs/guide/eight.md"})",
};

struct figure {
  std::string name;
  std::vector<double> per_second; // of each run, sorted

  double median() const { return per_second[per_second.size() / 2]; }
};

/// Decisions a second of nine runs of at least 200 ms each; `decide` makes `each` of them.
template <class Decide>
figure measure(std::string name, std::size_t each, Decide decide) {
  constexpr int runs = 9;
  constexpr double least = 0.2;
  figure result{std::move(name), {}};
  for (int run = 0; run < runs; ++run) {
    std::size_t decisions = 0;
    auto const begin = std::clock();
    auto spent = 0.0;
    while (spent < least) {
      for (int i = 0; i < 100; ++i)
        decide();
      decisions += 100 * each;
      spent = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    }
    result.per_second.push_back(static_cast<double>(decisions) / spent);
  }
  std::ranges::sort(result.per_second);
  return result;
}

void print_table(std::vector<figure> const& figures) {
  for (auto const& each : figures)
    std::cout << each.name << ": " << static_cast<long>(each.median() / 1000) << "k/s (from "
              << static_cast<long>(each.per_second.front() / 1000) << "k to "
              << static_cast<long>(each.per_second.back() / 1000) << "k, " << each.per_second.size()
              << " runs)\n";
}

void print_json(std::vector<figure> const& figures) {
  boost::json::array all;
  for (auto const& each : figures)
    all.push_back(
        {{"name", each.name},
         {"median_per_second", each.median()},
         {"runs_per_second", boost::json::array(each.per_second.begin(), each.per_second.end())}});
  std::cout << boost::json::serialize(all) << '\n';
}

/// One decision at a time, and 64 of them at one reading of the clock.
std::vector<figure> measure_both() {
  auto const rules =
      access_rules::compile(parse_policy(admission_rules, "/w"), "/run/bench").value();
  auto const host = rules->find("bench");
  host_rate_limits limits{host->rate_limit};
  std::size_t next = 0;
  std::size_t denied = 0;

  access_decision decision;
  auto const decide = [&](rate_limit::clock::time_point now) {
    auto const& payload = payloads[next++ % payloads.size()];
    if (limits.take("fs.readFile", now).count() > 0)
      std::abort(); // the limit is above what this machine can do
    rules->decide(*host, host->granted, "fs.readFile", payload, decision);
    denied += decision.result != access_decision::outcome::allowed ? 1 : 0;
  };
  std::vector<figure> figures;
  figures.push_back(measure("one at a time", 1, [&] { decide(rate_limit::clock::now()); }));
  constexpr std::size_t together = 64;
  figures.push_back(measure("64 with one reading of the clock", together, [&] {
    auto const now = rate_limit::clock::now();
    for (std::size_t i = 0; i < together; ++i)
      decide(now);
  }));
  if (denied * payloads.size() < next * 9 / 10 || denied > next / 5)
    throw std::runtime_error{"the rules decided otherwise than they should have"};
  return figures;
}

bool is_fast_enough(figure const& measured, double least) {
  if (measured.median() >= least)
    return true;
  std::cerr << measured.name << ": " << static_cast<long>(measured.median())
            << " decisions a second, fewer than " << static_cast<long>(least) << '\n';
  return false;
}

void refuse_unless_positive(double limit) {
  if (!(limit > 0))
    throw std::invalid_argument{"a limit has to be more than 0"};
}

} // namespace

int main(int argc, char** argv) {
  namespace options = boost::program_options;
  try {
    options::options_description known;
    auto const limit = [] { return options::value<double>()->notifier(refuse_unless_positive); };
    known.add_options()("json", "")("at-least", limit(), "")("together-at-least", limit(), "");
    options::variables_map given;
    options::store(options::command_line_parser{argc, argv}.options(known).positional({}).run(),
                   given);
    options::notify(given);
    auto const least = [&](char const* name) {
      return given.contains(name) ? given[name].as<double>() : 0;
    };
    auto const figures = measure_both();
    given.contains("json") ? print_json(figures) : print_table(figures);
    auto const one_by_one = is_fast_enough(figures[0], least("at-least"));
    auto const together = is_fast_enough(figures[1], least("together-at-least"));
    return one_by_one && together ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (std::exception const& failed) {
    std::cerr << failed.what() << '\n';
    return EXIT_FAILURE;
  }
}
