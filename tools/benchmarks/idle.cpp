// What hosts cost that nobody asks for anything: the backend's processor time and memory, with
// heartbeats and the measuring of what each host uses, and the hosts' own processor time. With a
// long --heartbeat nothing of the backend's is left but the measuring.
//
//   build/release/bin/bench_idle [--hosts N] [--seconds S] [--heartbeat S] [--sandbox none|strong]
//     [--kib-at-most N] [--cpu-at-most PERCENT]
//
// Ends with 1 where the backend takes more memory for a host, or more of a core, than a limit.

#include "rounds.hpp"
#include "scratch_folder.hpp"

#include <bulkhead/runtime.hpp>

#include <boost/asio/use_future.hpp>
#include <boost/json/serialize.hpp>
#include <boost/program_options.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <malloc.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace bulkhead;
using bench::scratch_folder;
using boost::asio::use_future;

/// Hosts whose memory is not counted: what the first ones make the backend allocate is kept for
/// all.
constexpr int first_hosts = 4;

std::string host_name(int number) {
  return "host" + std::to_string(number);
}

struct idle_options {
  int hosts;
  int seconds;
  int heartbeat;
  std::string sandbox;
};

policy policy_of(idle_options const& asked, scratch_folder const& folder) {
  std::string text = "[runtime]\nstate_dir = \"state\"\nlog_level = \"error\"\n";
  for (int i = 0; i < first_hosts + asked.hosts; ++i)
    text += "[hosts." + host_name(i) +
            "]\nextension = \"extension\"\nautostart = false\nsandbox.require = \"" +
            asked.sandbox + "\"\nhealth.ping_interval = \"" + std::to_string(asked.heartbeat) +
            "s\"\n";
  return parse_policy(text, folder.path());
}

/// Memory that this process has written, in KiB. What it maps of programs and libraries is left
/// out: it counts as ours alone or as shared by who else happens to run.
long written_kib() {
  std::ifstream rollup{"/proc/self/smaps_rollup"};
  for (std::string line; std::getline(rollup, line);)
    if (line.starts_with("Anonymous:"))
      return std::stol(line.substr(line.find(':') + 1));
  throw std::runtime_error{"/proc/self/smaps_rollup does not tell what was written"};
}

/// Processor time of a process and its descendants, in s.
double tree_time(pid_t process) {
  auto sum = bench::processor_time(process) / 1e6;
  std::error_code gone;
  std::filesystem::directory_iterator const threads{"/proc/" + std::to_string(process) + "/task",
                                                    gone};
  for (auto const& thread : threads) {
    std::ifstream children{thread.path() / "children"};
    for (pid_t child = 0; children >> child;)
      sum += tree_time(child);
  }
  return sum;
}

double time_of_hosts(runtime& on) {
  double sum = 0;
  for (auto& each : on.hosts())
    sum += tree_time(each.status().pid);
  return sum;
}

void start(runtime& on, int from, int to) {
  std::vector<std::future<host_state>> starts;
  for (int i = from; i < to; ++i)
    starts.push_back(on.host(host_name(i)).async_start(use_future));
  for (auto& each : starts)
    each.get();
}

struct figures {
  double cpu_percent; ///< of one core
  double hosts_cpu_percent;
  double kib_a_host;
};

figures measure(idle_options const& asked) {
  scratch_folder const folder;
  folder.write("extension/package.json",
               R"({"name": "bench", "version": "1.0.0", "main": "main.js"})");
  folder.write("extension/main.js", "exports.activate = () => {};\n");
  // Large buffers go back at once. Else each of the backend's threads keeps the one that it read a
  // manifest to, and chance decides whether it did so before the memory is looked at or later.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  runtime on{policy_of(asked, folder)};
  on.start();
  start(on, 0, first_hosts);
  auto const memory_before = written_kib();
  start(on, first_hosts, first_hosts + asked.hosts);
  auto const memory = written_kib() - memory_before;
  std::cerr << "bench_idle: all hosts are up" << std::endl;

  auto const hosts_before = time_of_hosts(on);
  auto const processor_before = std::clock();
  std::this_thread::sleep_for(std::chrono::seconds{asked.seconds});
  auto const processor = static_cast<double>(std::clock() - processor_before) / CLOCKS_PER_SEC;
  auto const of_hosts = time_of_hosts(on) - hosts_before;
  return {100 * processor / asked.seconds, 100 * of_hosts / asked.seconds,
          static_cast<double>(memory) / asked.hosts};
}

void print(idle_options const& asked, figures const& measured) {
  boost::json::object const told{{"hosts", asked.hosts},
                                 {"seconds", asked.seconds},
                                 {"heartbeat", asked.heartbeat},
                                 {"sandbox", asked.sandbox},
                                 {"cpu_percent", measured.cpu_percent},
                                 {"hosts_cpu_percent", measured.hosts_cpu_percent},
                                 {"kib_a_host", measured.kib_a_host}};
  std::cout << boost::json::serialize(told) << '\n';
}

void refuse_unless_positive(double limit) {
  if (!(limit > 0))
    throw std::invalid_argument{"a limit has to be more than 0"};
}

void refuse_unless_a_tier(std::string const& sandbox) {
  if (sandbox != "none" && sandbox != "strong")
    throw std::invalid_argument{"--sandbox is none or strong"};
}

} // namespace

int main(int argc, char** argv) {
  namespace options = boost::program_options;
  try {
    options::options_description known;
    auto const number = [](int usual) { return options::value<int>()->default_value(usual); };
    auto const limit = [] { return options::value<double>()->notifier(refuse_unless_positive); };
    auto const tier =
        options::value<std::string>()->default_value("none")->notifier(refuse_unless_a_tier);
    known.add_options()("hosts", number(100), "")("seconds", number(20), "");
    known.add_options()("heartbeat", number(1), "")("sandbox", tier, "");
    known.add_options()("kib-at-most", limit(), "")("cpu-at-most", limit(), "");
    options::variables_map given;
    options::store(options::command_line_parser{argc, argv}.options(known).positional({}).run(),
                   given);
    options::notify(given);
    idle_options const asked{std::clamp(given["hosts"].as<int>(), 1, 1000),
                             std::clamp(given["seconds"].as<int>(), 1, 3600),
                             std::clamp(given["heartbeat"].as<int>(), 1, 3600),
                             given["sandbox"].as<std::string>()};
    auto const measured = measure(asked);
    print(asked, measured);
    auto const is_within = [&](char const* option, double figure, char const* of) {
      auto const most = given.contains(option) ? given[option].as<double>() : figure;
      if (figure <= most)
        return true;
      std::cerr << "the backend takes " << figure << of << ", more than " << most << '\n';
      return false;
    };
    auto const is_small = is_within("kib-at-most", measured.kib_a_host, " KiB for an idle host");
    auto const is_calm =
        is_within("cpu-at-most", measured.cpu_percent, " % of a core for its idle hosts");
    return is_small && is_calm ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (std::exception const& failed) { // bulkhead::error: what happened, its code, what to do
    std::cerr << failed.what() << '\n';
    return EXIT_FAILURE;
  }
}
