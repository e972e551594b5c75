#include <bulkhead/platform/thread_activity.hpp>

#include <fstream>
#include <sstream>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

std::string state_text(char state) {
  switch (state) {
  case 'R':
    return "runs";
  case 'S':
    return "waits";
  case 'D':
    return "waits for a device";
  case 'T':
  case 't':
    return "is stopped";
  default:
    return std::string{"is in the state "} + state;
  }
}

} // namespace

std::optional<thread_activity> main_thread_of(pid_t process) {
  auto const number = std::to_string(process);
  std::ifstream file{"/proc/" + number + "/task/" + number + "/stat"};
  std::string line;
  if (!std::getline(file, line))
    return std::nullopt;
  // The name before it may hold anything, brackets too.
  auto const name_end = line.rfind(')');
  if (name_end == line.npos)
    return std::nullopt;
  std::istringstream fields{line.substr(name_end + 1)};
  thread_activity found;
  std::string skipped;
  constexpr int between_state_and_utime = 10;
  fields >> found.state;
  for (int i = 0; i < between_state_and_utime; ++i)
    fields >> skipped;
  long long user = 0;
  long long system = 0;
  fields >> user >> system;
  if (!fields)
    return std::nullopt;
  static auto const ticks_per_second = ::sysconf(_SC_CLK_TCK);
  found.cpu_time = std::chrono::microseconds{(user + system) * 1'000'000 / ticks_per_second};
  return found;
}

std::string describe(thread_activity const& now, thread_activity const& before,
                     std::chrono::microseconds between) {
  auto text = "its main thread " + state_text(now.state);
  if (between.count() > 0) {
    auto const share = (now.cpu_time - before.cpu_time).count() * 100 / between.count();
    text += ", after " + std::to_string(share) + " % of a core";
  }
  return text;
}

} // namespace bulkhead::platform
