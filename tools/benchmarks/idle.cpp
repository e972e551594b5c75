// What hosts cost the backend that nobody asks for anything: its processor time and memory, with
// heartbeats and the measuring of what each host uses. With a long --heartbeat nothing is left but
// the latter.
//
//   build/release/bin/bench_idle [--hosts N] [--seconds S] [--heartbeat S]

#include "scratch_folder.hpp"

#include <bulkhead/runtime.hpp>

#include <boost/asio/use_future.hpp>
#include <boost/json/serialize.hpp>
#include <boost/program_options.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <future>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace bulkhead;
using bench::scratch_folder;
using boost::asio::use_future;

/// Hosts that are not counted: what the first ones make the backend allocate is kept for all.
constexpr int first_hosts = 4;

std::string host_name(int number) {
  return "host" + std::to_string(number);
}

policy policy_of(int hosts, int heartbeat, scratch_folder const& folder) {
  std::string text = "[runtime]\nstate_dir = \"state\"\nlog_level = \"error\"\n";
  for (int i = 0; i < hosts; ++i)
    text += "[hosts." + host_name(i) +
            "]\nextension = \"extension\"\nautostart = false\nsandbox.require = \"none\"\n"
            "health.ping_interval = \"" +
            std::to_string(heartbeat) + "s\"\n";
  return parse_policy(text, folder.path());
}

/// Memory of this process alone, in KiB.
long private_kib() {
  std::ifstream rollup{"/proc/self/smaps_rollup"};
  long sum = 0;
  for (std::string line; std::getline(rollup, line);)
    if (line.starts_with("Private_"))
      sum += std::stol(line.substr(line.find(':') + 1));
  return sum;
}

void start(runtime& on, int from, int to) {
  std::vector<std::future<host_state>> starts;
  for (int i = from; i < to; ++i)
    starts.push_back(on.host(host_name(i)).async_start(use_future));
  for (auto& each : starts)
    each.get();
}

void measure(int hosts, int seconds, int heartbeat) {
  scratch_folder const folder;
  folder.write("extension/package.json",
               R"({"name": "bench", "version": "1.0.0", "main": "main.js"})");
  folder.write("extension/main.js", "exports.activate = () => {};\n");
  runtime on{policy_of(first_hosts + hosts, heartbeat, folder)};
  on.start();
  start(on, 0, first_hosts);
  auto const memory_before = private_kib();
  start(on, first_hosts, first_hosts + hosts);
  auto const memory = private_kib() - memory_before;

  auto const processor_before = std::clock();
  std::this_thread::sleep_for(std::chrono::seconds{seconds});
  auto const processor = static_cast<double>(std::clock() - processor_before) / CLOCKS_PER_SEC;
  boost::json::object const told{{"hosts", hosts},
                                 {"seconds", seconds},
                                 {"heartbeat", heartbeat},
                                 {"cpu_percent", 100 * processor / seconds},
                                 {"kib_a_host", static_cast<double>(memory) / hosts}};
  std::cout << boost::json::serialize(told) << '\n';
}

} // namespace

int main(int argc, char** argv) {
  namespace options = boost::program_options;
  try {
    options::options_description known;
    known.add_options()("hosts", options::value<int>()->default_value(100),
                        "")("seconds", options::value<int>()->default_value(20),
                            "")("heartbeat", options::value<int>()->default_value(1), "");
    options::variables_map given;
    options::store(options::parse_command_line(argc, argv, known), given);
    measure(std::clamp(given["hosts"].as<int>(), 1, 1000),
            std::clamp(given["seconds"].as<int>(), 1, 3600),
            std::clamp(given["heartbeat"].as<int>(), 1, 3600));
    return EXIT_SUCCESS;
  } catch (std::exception const& failed) { // bulkhead::error: what happened, its code, what to do
    std::cerr << failed.what() << '\n';
    return EXIT_FAILURE;
  }
}
