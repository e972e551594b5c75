#include <bulkhead/actors/host_exit.hpp>

#include <bulkhead/config/units.hpp>

#include <algorithm>
#include <csignal>
#include <iterator>

namespace bulkhead {
namespace {

/// V8's own limit is below the host's; where RLIMIT_DATA holds the memory, what is asked for next
/// decides who notices.
constexpr std::string_view last_words[] = {"heap out of memory", "process out of memory",
                                           "std::bad_alloc", "OOMErrorHandler"};

/// Where an allocation fails under RLIMIT_DATA, V8 and others may crash without a word. Who held so
/// much of its limit then is taken to have wanted more.
bool held_its_limit(exit_facts const& facts) noexcept {
  auto const most = facts.limits.memory;
  return facts.memory_peak >= most - most / 8;
}

exit_cause cause_of_signal(exit_facts const& facts) {
  auto const number = facts.status.value;
  auto const with = [&](reason why, std::string const& more) {
    return exit_cause{why, number, platform::to_string(facts.status) + more};
  };
  switch (number) {
  case SIGXCPU:
    return with(reason::limit_exceeded,
                ": limits.cpu_time, " + units::time_text(facts.limits.cpu_time));
  case SIGXFSZ:
    return with(reason::limit_exceeded,
                ": limits.file_size, " + units::size_text(facts.limits.file_size));
  case SIGSYS:
    return with(reason::signal, facts.status.forbidden_call.empty()
                                    ? ": it made a system call that the filter forbids"
                                    : ": it made the system call " + facts.status.forbidden_call +
                                          ", which the filter forbids");
  default:
    break;
  }
  if (depends_on_output(facts.status) && (facts.said_out_of_memory || held_its_limit(facts)))
    return with(reason::out_of_memory, ": it ran out of memory, by limits.memory of " +
                                           units::size_text(facts.limits.memory));
  return with(reason::signal, {});
}

} // namespace

bool says_out_of_memory(std::string_view line) noexcept {
  return std::ranges::any_of(last_words, [&](auto words) { return line.find(words) != line.npos; });
}

/// The signals that end a program which finds no memory.
bool depends_on_output(platform::exit_status const& status) noexcept {
  constexpr int crashes[] = {SIGABRT, SIGTRAP, SIGSEGV, SIGBUS, SIGILL};
  return status.kind == platform::exit_kind::signaled &&
         std::ranges::find(crashes, status.value) != std::end(crashes);
}

exit_cause cause_of(exit_facts const& facts) {
  auto const& status = facts.status;
  if (status.kind == platform::exit_kind::not_started)
    return {reason::sandbox_failure, 0,
            facts.not_started ? facts.not_started->what() : platform::to_string(status)};
  if (facts.oom_kills > 0)
    return {reason::out_of_memory, status.value,
            "the kernel ended it at limits.memory, " + units::size_text(facts.limits.memory)};
  if (status.kind == platform::exit_kind::signaled)
    return cause_of_signal(facts);
  auto const clean = status.kind == platform::exit_kind::exited && status.value == 0;
  return {clean ? reason::clean_exit : reason::exit_code, status.value,
          platform::to_string(status)};
}

reason reason_of_failed_start(errc code) noexcept {
  switch (code) {
  case errc::integrity_mismatch:
  case errc::integrity_unsafe_owner:
    return reason::integrity_failure;
  case errc::sandbox_unavailable:
  case errc::sandbox_step_failed:
  case errc::limit_unenforceable:
  case errc::cgroup_unavailable:
    return reason::sandbox_failure;
  default:
    return reason::launch_failed;
  }
}

} // namespace bulkhead
