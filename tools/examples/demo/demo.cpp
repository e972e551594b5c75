// Runs three extensions of the demo: one that works, one that crashes and recovers, one that hangs.
// Prints what happened, and ends with 0 where that is what should have happened.
//
//   demo_backend POLICY ROOT

#include "output/host_table.hpp"

#include <bulkhead/runtime.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <future>
#include <iostream>
#include <map>
#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>

namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using boost::asio::use_awaitable;
using seconds = std::chrono::duration<double>;

/// What came of one host.
struct outcome {
  bool as_it_should = false;
  std::string told;
};

/// What happened to the hosts, as their events tell it. Written by the loop's thread.
struct history {
  std::map<std::string, bulkhead::host_event> last_restart;
  std::map<std::string, std::vector<seconds>> backoffs;
  std::map<std::string, std::string> last_failure;

  void note(bulkhead::host_event const& event) {
    if (event.to == bulkhead::host_state::Unhealthy)
      last_failure[event.host] = event.detail;
    else if (event.to == bulkhead::host_state::Restarting)
      last_restart[event.host] = event;
    else if (event.from == bulkhead::host_state::Restarting)
      backoffs[event.host].push_back(event.when - last_restart[event.host].when);
  }
};

outcome failed_with(bulkhead::error const& failed) {
  return {false, failed.what()};
}

/// Works on real files: reads every document below the root.
awaitable<outcome> report(bulkhead::host_handle host, std::string root) try {
  boost::json::array folder{root};
  auto const found = co_await host.async_command("report", std::move(folder), 10s, use_awaitable);
  auto const documents = found.at("documents").to_number<int>();
  auto const& broken = found.at("brokenLinks").as_array();
  auto told =
      fmt::format("{} documents, {} words, {} broken link{}", documents,
                  found.at("words").to_number<int>(), broken.size(), broken.size() == 1 ? "" : "s");
  if (!broken.empty()) {
    auto const& link = broken.front();
    told += fmt::format(" ({}:{} → {}{})", link.at("file").as_string().c_str(),
                        link.at("line").to_number<int>(), link.at("target").as_string().c_str(),
                        broken.size() == 1 ? "" : ", …");
  }
  co_return outcome{documents > 0, told};
} catch (bulkhead::error const& failed) {
  co_return failed_with(failed);
}

/// Crashes twice. What was open then fails with connection_lost and is sent again; that waits for
/// the restarted host.
awaitable<outcome> flaky(bulkhead::host_handle host, std::string fresh_folder,
                         history const& events) try {
  constexpr int number = 7;
  for (int lost = 0;;) {
    try {
      boost::json::array arguments{number, fresh_folder};
      auto const answer =
          co_await host.async_command("work", std::move(arguments), 8s, use_awaitable);
      std::string waits;
      if (auto const past = events.backoffs.find(host.id()); past != events.backoffs.end())
        for (auto const& wait : past->second)
          waits += fmt::format("{}{:.1f} s", waits.empty() ? "" : " and ", wait.count());
      auto const crashes = host.status().restarts;
      co_return outcome{crashes == 2 && lost == 2 && answer.at("result") == number * number,
                        fmt::format("crashed {} times, was started again after {}; {} requests "
                                    "ended in connection_lost, were sent again and answered",
                                    crashes, waits, lost)};
    } catch (bulkhead::error const& failed) {
      if (failed.code() != bulkhead::errc::connection_lost)
        throw;
      ++lost;
    }
  }
} catch (bulkhead::error const& failed) {
  co_return failed_with(failed);
}

/// Never answers: the deadline ends the request.
awaitable<outcome> sleeper(bulkhead::host_handle host) {
  constexpr auto patience = 2500ms;
  auto const begun = std::chrono::steady_clock::now();
  try {
    co_await host.async_command("sleep", {}, patience, use_awaitable);
    co_return outcome{false, "answered, which it should not have"};
  } catch (bulkhead::error const& failed) {
    if (failed.code() != bulkhead::errc::request_timeout)
      co_return failed_with(failed);
    seconds const waited = std::chrono::steady_clock::now() - begun;
    co_return outcome{true, fmt::format("hung; its request ended in request_timeout after {:.1f} s",
                                        waited.count())};
  }
}

void print_table(bulkhead::runtime& hosts) {
  std::vector<bulkhead::host_status> now;
  for (auto const& host : hosts.hosts())
    now.push_back(host.status());
  std::cout << '\n';
  for (auto const& line : bulkhead::tool::host_table(now, std::chrono::system_clock::now()))
    std::cout << line << '\n';
  std::cout << '\n';
}

/// True where all three went as they should.
bool run(std::filesystem::path const& policy_path, std::filesystem::path const& root) {
  auto const rules = bulkhead::load_policy(policy_path);
  auto const attempts = rules.state_dir / "flaky";
  std::filesystem::remove_all(attempts);
  std::cout << bulkhead::tool::headline(rules, policy_path.string()) << std::endl;

  history events; // outlives the runtime, whose loop writes it
  auto const silent = std::make_shared<spdlog::logger>("demo");
  bulkhead::runtime hosts{rules, {silent}};
  hosts.on_event([&events](bulkhead::host_event const& event) { events.note(event); });
  hosts.start();

  auto const begin = [&](awaitable<outcome> work) {
    return co_spawn(hosts.loop_executor(), std::move(work), boost::asio::use_future);
  };
  auto const folder = std::filesystem::absolute(root).lexically_normal().string();
  std::pair<std::string, std::future<outcome>> begun[] = {
      {"report", begin(report(hosts.host("report"), folder))},
      {"flaky", begin(flaky(hosts.host("flaky"), attempts.string(), events))},
      {"sleeper", begin(sleeper(hosts.host("sleeper")))}};
  for (auto const& [id, work] : begun)
    work.wait();

  print_table(hosts);
  bool all_well = true;
  for (auto& [id, work] : begun) {
    auto const [as_it_should, told] = work.get();
    std::cout << fmt::format("{:<8} {}{}\n", id, as_it_should ? "" : "NOT AS IT SHOULD: ", told);
    all_well = all_well && as_it_should;
  }
  hosts.async_shutdown(boost::asio::use_future).get();
  return all_well;
}

/// The next line to type.
std::string next_line(std::filesystem::path const& program,
                      std::filesystem::path const& policy_path) {
  auto const examples = policy_path.parent_path().parent_path();
  return fmt::format("{} call {} greeter greet '\"world\"'",
                     (program.parent_path() / "bulkhead").string(),
                     (examples / "greeter.toml").string());
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: demo_backend POLICY ROOT\n";
    return 2;
  }
  try {
    auto const all_well = run(argv[1], argv[2]);
    std::cout << "\nNext: " << next_line(argv[0], argv[1]) << '\n';
    return all_well ? 0 : 1;
  } catch (std::exception const& failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
