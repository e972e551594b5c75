#include "rounds.hpp"

#include <bulkhead/messages/json.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

#include <ctime>
#include <fstream>
#include <iostream>
#include <unistd.h>

namespace bulkhead::bench {
namespace {

long resident_kib() {
  std::ifstream sizes{"/proc/self/statm"};
  long total = 0;
  long resident = 0;
  sizes >> total >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

json or_null(std::optional<double> figure) {
  return figure ? json(*figure) : json(nullptr);
}

} // namespace

double processor_time(pid_t process) {
  clockid_t clock{};
  std::timespec used{};
  if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    return 0;
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}

outcome outcome_of(round_clock::duration whole, std::vector<round_clock::duration>& times) {
  using microseconds = std::chrono::duration<double, std::micro>;
  std::ranges::sort(times);
  auto const at = [&](std::size_t percent) {
    return microseconds{times[times.size() * percent / 100]}.count();
  };
  return {std::chrono::duration<double>{whole}.count(), at(50), at(99)};
}

void serve_rounds(pid_t host, std::function<outcome(load const&)> const& run) {
  std::cout << R"({"ready": true})" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    auto const asked = boost::json::parse(line).as_object();
    auto const number = [&](char const* name) {
      return boost::json::value_to<std::size_t>(asked.at(name));
    };
    load const what{number("bytes"), number("in_flight"), number("calls")};
    auto const own_before = processor_time(::getpid());
    auto const host_before = processor_time(host);
    auto const [seconds, p50, p99] = run(what);
    auto const a_call = [&](double spent) { return spent / static_cast<double>(what.calls); };
    json const told{{"seconds", seconds},
                    {"p50_us", or_null(p50)},
                    {"p99_us", or_null(p99)},
                    {"own_cpu_us", a_call(processor_time(::getpid()) - own_before)},
                    {"host_cpu_us", a_call(processor_time(host) - host_before)},
                    {"resident_kib", resident_kib()}};
    std::cout << boost::json::serialize(told) << std::endl;
  }
}

} // namespace bulkhead::bench
