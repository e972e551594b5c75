// What a call to an extension costs through Bulkhead, every check included, against the client that
// one would write in an afternoon (floor_client.hpp), both with the same Node process and
// extension. The two take turns, round by round; a ratio is taken within a round.
//
//   taskset -c 0 build/release/bin/bench_calls --case latency
//   build/release/bin/bench_calls [--rounds N] [--json]

#include "floor_client.hpp"
#include "scratch_folder.hpp"

#include <bulkhead/platform/embedded_file.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/runtime.hpp>

#include <boost/asio/use_future.hpp>
#include <boost/json/serialize.hpp>
#include <boost/program_options.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <iomanip>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace bulkhead;
using namespace bulkhead::bench;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using boost::asio::use_future;

/// One way to load a host.
struct load {
  std::string_view name;
  std::size_t bytes;     ///< of the text that is sent and comes back
  std::size_t in_flight; ///< calls open at a time
  std::size_t calls;     ///< of one round
};

// The bars 1 to 4.
constexpr load loads[] = {{"latency", 100, 1, 5'000},
                          {"64 in flight", 100, 64, 50'000},
                          {"1024 in flight", 100, 1024, 100'000},
                          {"4 KiB", 4096, 64, 20'000}};

struct outcome {
  double per_second;
  double p50; ///< µs
  double p99;
};

/// Makes the calls of a load, `in_flight` at a time; `call` takes a function to call at the end of
/// the call. Everything on one thread, the one that calls start().
template <class Call>
class driver {
public:
  driver(load const& what, Call call)
      : load_{what}
      , call_{std::move(call)} {
    times_.reserve(what.calls);
  }

  std::future<outcome> start() {
    begin_ = clock_type::now();
    for (std::size_t i = 0; i < load_.in_flight; ++i)
      next();
    return done_.get_future();
  }

private:
  void next() {
    if (sent_ == load_.calls)
      return;
    ++sent_;
    call_([this, begin = clock_type::now()] {
      times_.push_back(clock_type::now() - begin);
      if (times_.size() == load_.calls)
        finish();
      else
        next();
    });
  }

  void finish() {
    using microseconds = std::chrono::duration<double, std::micro>;
    auto const took = std::chrono::duration<double>{clock_type::now() - begin_}.count();
    std::ranges::sort(times_);
    auto const at = [&](std::size_t percent) {
      return microseconds{times_[times_.size() * percent / 100]}.count();
    };
    done_.set_value({static_cast<double>(load_.calls) / took, at(50), at(99)});
  }

  load const& load_;
  Call call_;
  std::size_t sent_ = 0;
  std::vector<clock_type::duration> times_;
  clock_type::time_point begin_;
  std::promise<outcome> done_;
};

/// The floor, on this thread.
outcome run_floor(load const& what, boost::asio::io_context& loop, floor_client& client) {
  std::string const text(what.bytes, 'x');
  driver calls{what, [&](auto ended) {
                 client.request("executeCommand",
                                boost::json::object{{"command", "echo"}, {"args", {text}}},
                                [ended](boost::json::value const&) { ended(); });
               }};
  auto done = calls.start();
  while (done.wait_for(0s) != std::future_status::ready)
    loop.run_one();
  return done.get();
}

/// Bulkhead, with its callbacks on its loop's thread.
outcome run_bulkhead(load const& what, runtime& runtime) {
  auto host = runtime.host("bench");
  std::string const text(what.bytes, 'x');
  driver calls{what, [&](auto ended) {
                 json asked{{"command", "echo"}, {"args", boost::json::array{text}}};
                 host.async_request("executeCommand", std::move(asked), 30s,
                                    [ended](std::exception_ptr const& failed, payload const&) {
                                      if (failed)
                                        std::rethrow_exception(failed);
                                      ended();
                                    });
               }};
  std::promise<std::future<outcome>> started;
  boost::asio::post(runtime.loop_executor(), [&] { started.set_value(calls.start()); });
  return started.get_future().get().get();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct figure {
  load const* what;
  std::vector<outcome> floor;
  std::vector<outcome> bulkhead;

  double median_of(std::vector<outcome> const& among, double outcome::*which) const {
    std::vector<double> values;
    for (auto const& each : among)
      values.push_back(each.*which);
    return median(std::move(values));
  }
  /// Of each round: how many times the floor's calls a second Bulkhead makes; with one call at a
  /// time, how many times the floor's median it takes.
  std::vector<double> ratios() const {
    std::vector<double> all;
    for (std::size_t i = 0; i < floor.size(); ++i)
      all.push_back(is_latency() ? bulkhead[i].p50 / floor[i].p50
                                 : bulkhead[i].per_second / floor[i].per_second);
    return all;
  }
  bool is_latency() const { return what->in_flight == 1; }
};

void print_table(std::vector<figure> const& figures) {
  std::cout << std::fixed;
  for (auto const& each : figures) {
    auto const ratios = each.ratios();
    auto const [least, most] = std::ranges::minmax(ratios);
    std::cout << std::left << std::setw(16) << each.what->name << std::right;
    for (auto const& [name, among] :
         {std::pair{"floor", &each.floor}, std::pair{"bulkhead", &each.bulkhead}})
      std::cout << name << std::setprecision(0) << std::setw(8)
                << each.median_of(*among, &outcome::per_second) << "/s" << std::setprecision(1)
                << "  p50 " << each.median_of(*among, &outcome::p50) << " us  p99 "
                << each.median_of(*among, &outcome::p99) << " us   ";
    std::cout << std::setprecision(2) << median(ratios) << " x floor's "
              << (each.is_latency() ? "p50" : "rate") << "  (" << least << " to " << most << ", "
              << ratios.size() << " rounds)\n";
  }
}

void print_json(std::vector<figure> const& figures) {
  boost::json::array all;
  for (auto const& each : figures) {
    auto const rounds = [](std::vector<outcome> const& among) {
      boost::json::array list;
      for (auto const& round : among)
        list.push_back(
            {{"per_second", round.per_second}, {"p50_us", round.p50}, {"p99_us", round.p99}});
      return list;
    };
    all.push_back({{"name", each.what->name},
                   {"bytes", each.what->bytes},
                   {"in_flight", each.what->in_flight},
                   {"of_floor", median(each.ratios())},
                   {"floor", rounds(each.floor)},
                   {"bulkhead", rounds(each.bulkhead)}});
  }
  std::cout << boost::json::serialize(all) << '\n';
}

void measure(int rounds, std::string const& only, bool as_json) {
  scratch_folder const folder;
  folder.write("extension/package.json",
               R"({"name": "bench", "version": "1.0.0", "main": "main.js"})");
  folder.write("extension/main.js", "exports.activate = context => {\n"
                                    "  context.commands.register('echo', args => args);\n};\n");
  for (auto const& file : platform::node_runtime_files())
    folder.write("node/" + std::string{file.name}, file.content);

  boost::asio::io_context loop{1};
  auto const node = platform::find_node(platform::environment_search_path()).value();
  floor_client floor{loop, node, folder.path() / "node/bootstrap.js", folder.path() / "extension"};
  runtime runtime{parse_policy("[runtime]\nstate_dir = \"state\"\nlog_level = \"error\"\n"
                               "[hosts.bench]\nextension = \"extension\"\nlimits.in_flight = 4096\n"
                               "sandbox.require = \"none\"\n",
                               folder.path())};
  runtime.start();
  runtime.host("bench").async_start(use_future).get();

  std::vector<figure> figures;
  for (auto const& what : loads)
    if (only.empty() || only == what.name)
      figures.push_back({&what, {}, {}});
  if (figures.empty())
    throw std::invalid_argument{"there is no case " + only + ": see tools/bench/calls.cpp"};
  for (int round = -1; round < rounds; ++round) // the first one warms up
    for (auto& each : figures) {
      auto const by_floor = run_floor(*each.what, loop, floor);
      auto const by_bulkhead = run_bulkhead(*each.what, runtime);
      if (round < 0)
        continue;
      each.floor.push_back(by_floor);
      each.bulkhead.push_back(by_bulkhead);
    }
  as_json ? print_json(figures) : print_table(figures);
}

} // namespace

int main(int argc, char** argv) {
  namespace options = boost::program_options;
  try {
    options::options_description known{"bench_calls: calls through Bulkhead against a bare client"};
    known.add_options()("help", "this text")("rounds", options::value<int>()->default_value(7),
                                             "how often the two take turns")(
        "case", options::value<std::string>()->default_value(""),
        "only this one: latency, \"64 in flight\", \"1024 in flight\" or \"4 KiB\"")(
        "json", "every round, for machines");
    options::variables_map given;
    options::store(options::parse_command_line(argc, argv, known), given);
    if (given.contains("help"))
      std::cout << known;
    else
      measure(std::clamp(given["rounds"].as<int>(), 1, 10'000), given["case"].as<std::string>(),
              given.contains("json"));
    return EXIT_SUCCESS;
  } catch (std::exception const& failed) { // bulkhead::error: what happened, its code, what to do
    std::cerr << failed.what() << '\n';
    return EXIT_FAILURE;
  }
}
