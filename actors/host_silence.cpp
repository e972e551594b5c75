#include <bulkhead/actors/host_silence.hpp>

#include <bulkhead/config/units.hpp>

#include <spdlog/fmt/fmt.h>

namespace bulkhead {
namespace {

/// Of a host that is silent, how many open requests are named.
constexpr std::size_t named_requests = 3;

} // namespace

silent_look look_at(pid_t process) {
  return {deadline::clock::now(), platform::main_thread_of(process)};
}

std::string age_text(deadline::clock::duration age) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>{age}.count());
}

std::string describe_silence(std::chrono::milliseconds silence, silent_look const& now,
                             silent_look const& before, host_link const& link) {
  auto text = "no answer for " + units::time_text(silence);
  if (now.thread && before.thread)
    text += "; " +
            describe(*now.thread, *before.thread,
                     std::chrono::duration_cast<std::chrono::microseconds>(now.when - before.when));
  auto const open = link.oldest_calls(named_requests);
  for (auto const& call : open)
    text += fmt::format("{} {} for {}", &call == &open.front() ? "; open:" : ",", call.type,
                        age_text(now.when - call.since));
  return text;
}

std::optional<std::string> describe_overdue(std::chrono::milliseconds most, host_link const& link) {
  if (most.count() == 0)
    return std::nullopt;
  auto const oldest = link.oldest_calls(1);
  auto const now = deadline::clock::now();
  if (oldest.empty() || now - oldest.front().since <= most)
    return std::nullopt;
  return fmt::format("{} has been open for {}, longer than limits.request_time, {}",
                     oldest.front().type, age_text(now - oldest.front().since),
                     units::time_text(most));
}

} // namespace bulkhead
