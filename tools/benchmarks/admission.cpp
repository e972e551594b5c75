// How fast requests of a host are decided on: rate limit, permission and path rule, without I/O. In
// processor time, so that what else runs on the machine does not count.
//
//   taskset -c 0 build/release/bin/bench_admission [--json | --at-least PER_SECOND]

#include "admission_rules.hpp"

#include <bulkhead/actors/rate_limiter.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/messages/inbound_batch.hpp>
#include <bulkhead/messages/json.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <iostream>
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
  for (auto const& [name, runs] : figures)
    std::cout << name << ": " << static_cast<long>(runs[runs.size() / 2] / 1000) << "k/s (from "
              << static_cast<long>(runs.front() / 1000) << "k to "
              << static_cast<long>(runs.back() / 1000) << "k, " << runs.size() << " runs)\n";
}

void print_json(std::vector<figure> const& figures) {
  boost::json::array all;
  for (auto const& [name, runs] : figures)
    all.push_back({{"name", name},
                   {"median_per_second", runs[runs.size() / 2]},
                   {"runs_per_second", boost::json::array(runs.begin(), runs.end())}});
  std::cout << boost::json::serialize(all) << '\n';
}

} // namespace

int main(int argc, char** argv) {
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
  if (denied * payloads.size() < next * 9 / 10 || denied > next / 5) {
    std::cerr << "the rules decided otherwise than they should have\n";
    return EXIT_FAILURE;
  }
  std::string_view const option = argc > 1 ? argv[1] : "";
  option == "--json" ? print_json(figures) : print_table(figures);
  auto const least = option == "--at-least" && argc > 2 ? std::atof(argv[2]) : 0.0;
  auto const is_slow = [least](figure const& one) { return one.per_second.back() < least; };
  return std::ranges::any_of(figures, is_slow) ? EXIT_FAILURE : EXIT_SUCCESS;
}
