#include <bulkhead/messages/reason.hpp>

#include <algorithm>

namespace bulkhead {
namespace {

constexpr reason_description descriptions[] = {
    {reason::none, "none", "nothing has happened yet", ""},
    {reason::requested, "requested", "it was asked for", ""},
    {reason::clean_exit, "clean_exit", "the process ended with exit code 0 without being asked to",
     "let the extension stay alive until it is deactivated"},
    {reason::exit_code, "exit_code", "the process ended with an exit code",
     "read its last lines of output: the exit code is the extension's own or its runtime's"},
    {reason::signal, "signal", "a signal ended the process",
     "read its last lines of output; SIGSEGV and SIGABRT point to a native fault"},
    {reason::out_of_memory, "out_of_memory", "the process was ended at its memory limit",
     "raise limits.memory or find the leak"},
    {reason::hung, "hung", "the host did not answer for longer than its policy allows",
     "look for a loop that never yields; raise health.kill_after if the work is legitimate"},
    {reason::start_timeout, "start_timeout",
     "the host did not say that it is ready before its start deadline",
     "raise start_timeout, or check that the command speaks the protocol on BULKHEAD_IPC_FD"},
    {reason::restart_budget_spent, "restart_budget_spent",
     "the host failed more often than its restart budget allows",
     "mend what ends it (see the last exit), then start it again"},
    {reason::launch_failed, "launch_failed", "the process could not be created",
     "check that the interpreter or command exists and may be executed"},
    {reason::protocol_violation, "protocol_violation", "the host broke the wire protocol",
     "see the violation's code: the host's side of the protocol is at fault"},
    {reason::limit_exceeded, "limit_exceeded", "the host passed one of its resource limits",
     "raise the limit that the event names, or use less"},
    {reason::integrity_failure, "integrity_failure",
     "interpreter or extension differ from what the policy pins",
     "find out who changed them; pin the new hash if the change is yours"},
    {reason::sandbox_failure, "sandbox_failure", "the sandbox could not be set up",
     "run bulkhead doctor to see what is missing"},
    {reason::connection_closed, "connection_closed",
     "the host closed its connection and went on running",
     "keep the inherited socket open for as long as the host lives"},
    {reason::ready, "ready", "the host said that it is ready", ""},
    {reason::backoff, "backoff", "the host is started again after its backoff", ""},
    {reason::group_restart, "group_restart",
     "a host of its group ended, and it is started again with it", ""},
    {reason::group_stopped, "group_stopped",
     "a host of its group has crashed, and it does not run without it",
     "mend and start the host that the event names: the others of its group follow"},
};

} // namespace

std::span<reason_description const> all_reasons() noexcept {
  return descriptions;
}

reason_description const& describe(reason code) noexcept {
  auto const found = std::ranges::find(descriptions, code, &reason_description::code);
  return found != std::end(descriptions) ? *found : descriptions[0];
}

bool allows_restart(reason code) noexcept {
  switch (code) {
  case reason::launch_failed:
  case reason::integrity_failure:
  case reason::sandbox_failure:
  case reason::restart_budget_spent:
  case reason::requested:
    return false;
  default:
    return true;
  }
}

} // namespace bulkhead
