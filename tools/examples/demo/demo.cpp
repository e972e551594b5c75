// Runs the four extensions of the demo: one that works, one that crashes and recovers, one that
// hangs, one that attacks. Prints what happened, and ends with 0 where that is what should have
// happened: 1 where it is not, 4 where this machine can contain nothing.
//
//   demo_backend POLICY

#include "attacks.hpp"
#include "output/host_table.hpp"

#include <bulkhead/actors/policy_secrets.hpp>
#include <bulkhead/platform/machine_probe.hpp>
#include <bulkhead/runtime.hpp>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <fstream>
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
  std::promise<bulkhead::host_event> end_of_hostile;

  void note(bulkhead::host_event const& event) {
    if (event.host == "hostile" && event.to == bulkhead::host_state::Unhealthy)
      end_of_hostile.set_value(event); // once, as it is not started again
    else if (event.to == bulkhead::host_state::Restarting)
      last_restart[event.host] = event;
    else if (event.from == bulkhead::host_state::Restarting)
      backoffs[event.host].push_back(event.when - last_restart[event.host].when);
  }
};

outcome failed_with(bulkhead::error const& failed) {
  return {false, failed.what()};
}

/// Works on real files: has the backend read every document of its workspace.
awaitable<outcome> report(bulkhead::host_handle host) try {
  auto const found = co_await host.async_command("report", {}, 10s, use_awaitable);
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
awaitable<outcome> flaky(bulkhead::host_handle host, history const& events) try {
  constexpr int number = 7;
  for (int lost = 0;;) {
    try {
      boost::json::array arguments{number};
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

/// Never answers: its pings find that out, and it is killed and started again.
awaitable<outcome> sleeper(bulkhead::host_handle host) {
  constexpr auto patience = 20s;
  try {
    co_await host.async_command("sleep", {}, patience, use_awaitable);
    co_return outcome{false, "answered, which it should not have"};
  } catch (bulkhead::error const& failed) {
    if (failed.code() != bulkhead::errc::connection_lost ||
        failed.host_reason() != bulkhead::reason::hung)
      co_return failed_with(failed);
    co_return outcome{true, "hung and was killed, its request ended in connection_lost: " +
                                failed.detail()};
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

// ---- what contains the hosts --------------------------------------------------------------------

/// Asks of the hosts what this machine can give, and says so where that is less than the policy
/// wants: a weaker tier is chosen by somebody who sees it, never in silence. False where it can
/// give nothing.
bool settle_for(bulkhead::policy& rules) {
  auto const machine = bulkhead::platform::probe_machine(
      {.first_uid = rules.first_uid, .uids = static_cast<std::uint32_t>(rules.hosts.size())});
  auto const best = machine.best_tier();
  auto const missing = machine.missing_for(bulkhead::sandbox_tier::strong);
  if (missing.empty())
    return true;
  std::cout << "This machine can't give the strong tier, which the policy requires:\n";
  for (auto const* const each : missing)
    std::cout << fmt::format("  {}: {}\n    remedy: {}\n", each->name, each->detail, each->remedy);
  if (best == bulkhead::sandbox_tier::none) {
    std::cout << "Nothing can be contained here, so nothing is run. See `bulkhead doctor`.\n";
    return false;
  }
  std::cout << fmt::format("The demo goes on with the {} tier; a backend would not start.\n\n",
                           to_string(best));
  for (auto& host : rules.hosts)
    host.sandbox.require = best;
  return true;
}

std::string layers_of(bulkhead::sandbox_report const& report) {
  std::string names;
  for (auto const& each : report.layers)
    if (each.holds)
      names += (names.empty() ? "" : ", ") + each.name;
  return fmt::format("{} ({})", to_string(report.tier), names);
}

/// Forgets what the last demo left, and keeps a secret for one of the hosts.
void make_state(bulkhead::policy const& rules) {
  namespace disk = std::filesystem;
  disk::remove_all(rules.state_dir / "storage" / "flaky");
  disk::create_directories(rules.state_dir);
  disk::permissions(rules.state_dir, disk::perms::owner_all);
  auto const& passphrase = rules.secrets.passphrase_file;
  if (!disk::exists(passphrase))
    std::ofstream{passphrase} << "only for the demo\n";
  disk::permissions(passphrase, disk::perms::owner_read | disk::perms::owner_write);
  bulkhead::platform::secret_name const token{{rules.name, "report"}, "token"};
  if (auto const kept = bulkhead::secrets_of(rules)->set(token, "of the report"); !kept)
    throw kept.error();
}

// ---- the hostile host ---------------------------------------------------------------------------

/// This process, as /proc has it.
int own_number() {
  return std::stoi(std::filesystem::read_symlink("/proc/self").string());
}

/// Has it try everything, and prints what stopped it.
awaitable<outcome> attack(bulkhead::host_handle host, bulkhead::policy const& rules) try {
  auto const project = rules.file.parent_path() / "../../..";
  boost::json::object target{{"audit", rules.audit_file().string()},
                             {"vault", rules.vault_file().string()},
                             {"project", project.lexically_normal().string()},
                             {"backend", own_number()}};
  boost::json::array arguments{std::move(target)};
  auto const results =
      co_await host.async_command("attack", std::move(arguments), 10s, use_awaitable);
  auto const findings = demo::judge(results);
  std::cout << '\n';
  std::size_t through = 0;
  for (auto const& each : findings) {
    auto const stopped = !each.stopped_by.empty();
    std::cout << fmt::format("  {:<31} {:<20} {}\n", each.what, each.code,
                             stopped ? each.stopped_by : "NOTHING STOPPED IT");
    through += stopped ? 0 : 1;
  }
  co_return outcome{through == 0,
                    fmt::format("tried {} attacks; {} got through", findings.size(), through)};
} catch (bulkhead::error const& failed) {
  co_return failed_with(failed);
}

/// Has it fill its memory: that ends it, and nobody else.
awaitable<void> fill(bulkhead::host_handle host) {
  try {
    co_await host.async_command("fill", {}, 20s, use_awaitable);
  } catch (bulkhead::error const&) { // how it ended is an event
  }
}

outcome end_of_hostile(std::future<bulkhead::host_event> told, outcome const& meanwhile) {
  if (told.wait_for(20s) != std::future_status::ready)
    return {false, "filled its memory, and was not ended"};
  auto const end = told.get();
  auto const ended = end.why == bulkhead::reason::out_of_memory;
  return {ended && meanwhile.as_it_should,
          fmt::format("filled its memory: {} ({}); meanwhile report answered: {}",
                      to_string(end.why), end.detail, meanwhile.told)};
}

// ---- all of it ----------------------------------------------------------------------------------

bool print(std::string_view host, outcome const& came) {
  std::cout << fmt::format("{:<8} {}{}\n", host,
                           came.as_it_should ? "" : "NOT AS IT SHOULD: ", came.told);
  return came.as_it_should;
}

/// True where all four went as they should.
bool run(std::filesystem::path const& policy_path, bulkhead::policy const& rules) {
  make_state(rules);
  std::cout << bulkhead::tool::headline(rules, policy_path.string()) << std::endl;

  history events; // outlives the runtime, whose loop writes it
  auto const silent = std::make_shared<spdlog::logger>("demo");
  bulkhead::runtime hosts{rules, {silent}};
  hosts.on_event([&events](bulkhead::host_event const& event) { events.note(event); });
  hosts.start();

  auto const begin = [&]<class T>(awaitable<T> work) {
    return co_spawn(hosts.loop_executor(), std::move(work), boost::asio::use_future);
  };
  std::pair<std::string, std::future<outcome>> begun[] = {
      {"report", begin(report(hosts.host("report")))},
      {"flaky", begin(flaky(hosts.host("flaky"), events))},
      {"sleeper", begin(sleeper(hosts.host("sleeper")))}};
  for (auto const& [id, work] : begun)
    work.wait();

  print_table(hosts);
  bool all_well = true;
  for (auto& [id, work] : begun)
    all_well = print(id, work.get()) && all_well;

  auto const hostile = hosts.host("hostile");
  auto const attacked = begin(attack(hostile, rules)).get();
  all_well = print("hostile", attacked) && all_well;
  auto filled = begin(fill(hostile));
  auto const meanwhile = begin(report(hosts.host("report"))).get();
  filled.wait();
  auto const ended = end_of_hostile(events.end_of_hostile.get_future(), meanwhile);
  all_well = print("hostile", ended) && all_well;
  std::cout << "\nin force: " << layers_of(hostile.status().sandbox) << '\n';

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
  constexpr int nothing_contained = 4; // as the command's
  if (argc != 2) {
    std::cerr << "usage: demo_backend POLICY\n";
    return 2;
  }
  try {
    auto rules = bulkhead::load_policy(argv[1]);
    auto const contained = settle_for(rules);
    auto const all_well = contained && run(argv[1], rules);
    std::cout << "\nNext: " << next_line(argv[0], argv[1]) << '\n';
    return all_well ? 0 : contained ? 1 : nothing_contained;
  } catch (std::exception const& failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
