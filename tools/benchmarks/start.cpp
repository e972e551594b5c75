// How long a host takes from the request to start it until it is Running, in each tier that this
// machine has, against a bare Node from its creation to its first byte of output, and the same Node
// in the sandbox, without the bootstrap and a handshake. "warm" is a start from a ready process in
// the strong tier, and "none/reply", "strong/reply" and "warm/reply" are times to the reply of a
// command. "large" is a time to a reply as well, in the strong tier, of an extension whose script
// has 4 MiB, and "large/cached" the same with its script compiled before. All take turns, round by
// round.
//
// Where a Running host's process is killed, "killed" is the time from the signal until its host is
// Unhealthy, most of which the kernel takes to end a Node. "noticed" and "restart" leave that out:
// they count until Unhealthy and until the next one is Running, from when a thread of ours that
// waits for the same end has read the clock. The kernel wakes it and the backend's loop in any
// order: "noticed" is below 0 where the loop was first.
//
//   build/release/bin/bench_start [--rounds N] [--only KIND] [--json]

#include "scratch_folder.hpp"

#include <bulkhead/platform/containment.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/output_lines.hpp>
#include <bulkhead/platform/pidfd.hpp>
#include <bulkhead/platform/process.hpp>
#include <bulkhead/runtime.hpp>

#include <boost/asio/use_future.hpp>
#include <boost/json/serialize.hpp>
#include <boost/program_options.hpp>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace bulkhead;
using bench::scratch_folder;
using clock_type = std::chrono::steady_clock;
using milliseconds = std::chrono::duration<double, std::milli>;
namespace disk = std::filesystem;
using boost::asio::use_future;

constexpr int warm_up_rounds = 2;

/// What one way to start took, round by round.
struct figure {
  std::string name;
  std::vector<double> times; ///< in ms
  std::vector<start_times> steps;

  double median() const {
    auto sorted = times;
    std::ranges::sort(sorted);
    return sorted[sorted.size() / 2];
  }
};

void wait_for_first_byte(platform::child_process& process) {
  char byte = 0;
  auto const output = process.take_output();
  if (::read(output.get(), &byte, 1) != 1)
    throw std::runtime_error{"node printed nothing"};
}

/// From the creation of a bare Node to its first byte.
double start_bare(platform::process_spec const& spec) {
  auto const begin = clock_type::now();
  auto process = platform::spawn(spec).value();
  wait_for_first_byte(process);
  return milliseconds{clock_type::now() - begin}.count();
}

/// The same in the strong tier, verification included.
double start_contained(platform::containment& in, platform::process_spec const& spec,
                       disk::path const& folder) {
  platform::containment_spec asked;
  asked.host = "bench";
  asked.process = spec;
  asked.strict = false;
  asked.readable = {folder};
  asked.bounds.memory = defaults::memory;
  asked.bounds.processes = defaults::processes;
  asked.bounds.open_files = defaults::open_files;
  auto const begin = clock_type::now();
  auto started = in.start(in.prepare(asked).value(), spec, [] {}).value();
  wait_for_first_byte(started.process);
  return milliseconds{clock_type::now() - begin}.count();
}

/// A script of some 4 MiB, of functions that are never called, as most of a large extension's.
std::string large_script() {
  std::string script;
  for (int i = 0; script.size() < std::size_t{4} << 20; ++i) {
    auto const number = std::to_string(i);
    script += "exports.f" + number +
              " = function (list, n) { const found = new Map(); for (let i = 0; "
              "i < n; i++) { if (list[i] > i) found.set(i, list[i] * " +
              number + "); else found.delete(i - " + number +
              "); } return [...found].map(([key, value]) => key + ': ' + value).join(', '); };\n";
  }
  return script;
}

/// What is special about a host.
struct start_options {
  int warm = 0; ///< so many processes are kept ready for it
  std::string extension = "extension";
  bool code_cache = false;
};

/// A runtime with one host of that tier.
class contained_starts {
public:
  contained_starts(std::string const& name, std::string const& tier, start_options const& with,
                   scratch_folder const& in)
      : is_warm_{with.warm != 0}
      , is_cached_{with.code_cache}
      , runtime_{parse_policy(
            "[runtime]\nstate_dir = \"state-" + name +
                "\"\nlog_level = \"error\"\n[hosts.bench]\nextension = \"" + with.extension +
                "\"\nautostart = false\nlimits.cpu_percent = 0\n"
                "restart.max_restarts = 1000\nrestart.backoff.initial = \"0s\"\n"
                "start.warm = " +
                std::to_string(with.warm) + "\nstart.code_cache = " +
                (with.code_cache ? "true" : "false") + "\nsandbox.require = \"" + tier + "\"\n",
            in.path())} {
    runtime_.on_event([this](host_event const& event) { on_event(event); });
    runtime_.start();
  }

  /// To Running, and to the first reply; keeps the host.
  void start(figure& running, figure& replied) {
    while (is_warm_ && host().status().spares == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    auto const begin = clock_type::now();
    auto started = host().async_start(use_future);
    auto reply = host().async_command("ask", {}, use_future);
    started.get();
    running.times.push_back(milliseconds{clock_type::now() - begin}.count());
    reply.get();
    replied.times.push_back(milliseconds{clock_type::now() - begin}.count());
    running.steps.push_back(host().status().start);
    if (running.steps.back().warm != is_warm_)
      throw std::runtime_error{"it was not started as it was to be"};
    if (is_cached_)
      code_.wait();
  }

  /// Kills its process.
  void restart(figure& noticed, figure& killed, figure& restarted) {
    std::promise<clock_type::time_point> unhealthy;
    std::promise<clock_type::time_point> running;
    {
      std::scoped_lock const lock{mutex_};
      unhealthy_ = &unhealthy;
      running_ = &running;
    }
    auto const process = platform::open_pidfd(host().status().pid);
    auto const signalled = clock_type::now();
    platform::send_signal(process.get(), SIGKILL);
    pollfd end{process.get(), POLLIN, 0};
    ::poll(&end, 1, -1);
    auto const ended = clock_type::now();
    auto const noticed_at = unhealthy.get_future().get();
    killed.times.push_back(milliseconds{noticed_at - signalled}.count());
    noticed.times.push_back(milliseconds{noticed_at - ended}.count());
    restarted.times.push_back(milliseconds{running.get_future().get() - ended}.count());
  }

  void stop() { host().async_stop(use_future).get(); }

private:
  host_handle host() { return runtime_.host("bench"); }

  void on_event(host_event const& event) {
    if (event.kind == host_event_kind::code_cached)
      compiled_.set_value();
    if (event.kind != host_event_kind::state_changed)
      return;
    std::scoped_lock const lock{mutex_};
    auto& awaited = event.to == host_state::Unhealthy ? unhealthy_ : running_;
    if (awaited != nullptr &&
        (event.to == host_state::Unhealthy || event.to == host_state::Running))
      std::exchange(awaited, nullptr)->set_value(clock_type::now());
  }

  std::mutex mutex_;
  std::promise<clock_type::time_point>* unhealthy_ = nullptr; // awaited by restart()
  std::promise<clock_type::time_point>* running_ = nullptr;
  std::promise<void> compiled_;
  std::shared_future<void> code_ = compiled_.get_future().share();
  bool is_warm_;
  bool is_cached_;
  runtime runtime_;
};

void print_table(std::vector<figure> const& figures) {
  auto const& first = figures.front(); // a bare Node, unless another kind alone was asked for
  std::cout << std::fixed << std::setprecision(1);
  for (auto const& each : figures) {
    auto const [least, most] = std::ranges::minmax(each.times);
    std::cout << std::left << std::setw(14) << each.name << std::right << std::setw(7)
              << each.median() << " ms  (" << least << " to " << most << ", " << each.times.size()
              << " starts)" << std::setprecision(2) << "  " << each.median() / first.median()
              << " x " << first.name << '\n'
              << std::setprecision(1);
    if (each.steps.empty())
      continue;
    std::cout << std::setprecision(2) << "            ";
    for (auto const& [name, phase] :
         {std::pair{"prepare", &start_phases::prepare}, std::pair{"spawn", &start_phases::spawn},
          std::pair{"sandbox", &start_phases::sandbox},
          std::pair{"runtime", &start_phases::runtime},
          std::pair{"handshake", &start_phases::handshake},
          std::pair{"activate", &start_phases::activate}}) {
      std::vector<double> took;
      for (auto const& times : each.steps)
        took.push_back(milliseconds{phases_of(times).*phase}.count());
      std::ranges::sort(took);
      std::cout << ' ' << name << ' ' << took[took.size() / 2];
    }
    std::cout << std::setprecision(1);
    std::cout << '\n';
  }
}

void print_json(std::vector<figure> const& figures) {
  boost::json::array all;
  for (auto const& each : figures) {
    boost::json::array steps;
    for (auto const& times : each.steps)
      steps.push_back(to_json(times));
    all.push_back({{"name", each.name},
                   {"median_ms", each.median()},
                   {"of_first", each.median() / figures.front().median()},
                   {"times", boost::json::array(each.times.begin(), each.times.end())},
                   {"steps", std::move(steps)}});
  }
  std::cout << boost::json::serialize(all) << '\n';
}

/// `only` one kind of start, or all of them by turns where it is empty.
void measure(int rounds, std::string_view only, bool as_json) {
  auto const node = platform::find_node(platform::environment_search_path()).value();
  scratch_folder const folder;
  auto const script = folder.write("extension/bare.js", "require('fs').writeSync(1, 'x');\n");
  folder.write("extension/package.json",
               R"({"name": "bench", "version": "1.0.0", "main": "main.js"})");
  folder.write("extension/main.js",
               "exports.activate = context => context.commands.register('ask', () => 42);\n");
  folder.write("large/package.json", R"({"name": "bench", "version": "1.0.0", "main": "main.js"})");
  folder.write("large/main.js",
               large_script() +
                   "exports.activate = context => context.commands.register('ask', () => 42);\n");

  platform::process_spec spec;
  spec.program = node;
  spec.arguments = {script.string()};
  auto const sandbox =
      platform::containment::create({"bench", script.parent_path(), defaults::first_uid});

  std::vector<figure> figures;
  for (auto const* const name :
       {"bare node", "contained", "none", "none/reply", "noticed none", "killed none",
        "restart none", "strong", "strong/reply", "noticed", "killed", "restart", "warm",
        "warm/reply", "large", "large/cached"})
    figures.push_back({name, {}, {}});
  contained_starts none{"none", "none", {}, folder};
  contained_starts strong{"strong", "strong", {}, folder};
  contained_starts warm{"warm", "strong", {.warm = 1}, folder};
  contained_starts large{"large", "strong", {.extension = "large"}, folder};
  contained_starts cached{"cached", "strong", {.extension = "large", .code_cache = true}, folder};
  figure running; // which is as soon as a small one's
  auto const is_wanted = [only](std::string_view kind) { return only.empty() || only == kind; };
  for (int round = 0; round < warm_up_rounds + rounds; ++round) {
    if (is_wanted("bare"))
      figures[0].times.push_back(start_bare(spec));
    if (is_wanted("contained"))
      figures[1].times.push_back(start_contained(*sandbox, spec, script.parent_path()));
    if (is_wanted("none")) {
      none.start(figures[2], figures[3]);
      none.restart(figures[4], figures[5], figures[6]);
      none.stop();
    }
    if (is_wanted("strong")) {
      strong.start(figures[7], figures[8]);
      strong.restart(figures[9], figures[10], figures[11]);
      strong.stop();
    }
    if (is_wanted("warm")) {
      warm.start(figures[12], figures[13]);
      warm.stop();
    }
    if (is_wanted("large")) {
      large.start(running, figures[14]);
      large.stop();
      cached.start(running, figures[15]);
      cached.stop();
    }
    if (round + 1 == warm_up_rounds)
      for (auto& each : figures) {
        each.times.clear();
        each.steps.clear();
      }
  }
  std::erase_if(figures, [](figure const& each) { return each.times.empty(); });
  as_json ? print_json(figures) : print_table(figures);
}

void refuse_unless_a_kind(std::string const& only) {
  static constexpr std::array kinds{"", "bare", "contained", "none", "strong", "warm", "large"};
  if (std::ranges::find(kinds, only) == kinds.end())
    throw std::invalid_argument{"--only is bare, contained, none, strong, warm or large"};
}

} // namespace

int main(int argc, char** argv) {
  namespace options = boost::program_options;
  try {
    options::options_description known;
    known.add_options()("rounds", options::value<int>()->default_value(15), "")("json", "");
    known.add_options()(
        "only", options::value<std::string>()->default_value("")->notifier(refuse_unless_a_kind),
        "");
    options::variables_map given;
    options::store(options::command_line_parser{argc, argv}.options(known).positional({}).run(),
                   given);
    options::notify(given);
    measure(std::clamp(given["rounds"].as<int>(), 1, 10'000), given["only"].as<std::string>(),
            given.contains("json"));
    return EXIT_SUCCESS;
  } catch (std::exception const& failed) { // bulkhead::error: what happened, its code, what to do
    std::cerr << failed.what() << '\n';
    return EXIT_FAILURE;
  }
}
