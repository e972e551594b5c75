#pragma once

#include <bulkhead/platform/linux/launch_plan.hpp>

#include <cerrno>

namespace bulkhead::launcher {

using namespace platform::launch;

/// The plan that this launch follows; valid after load_plan().
launch_plan const& plan() noexcept;

/// A string of the plan.
char const* string_at(text where) noexcept;

inline bool has(option wanted) noexcept {
  return (plan().options & wanted) != 0;
}

/// Maps the plan and checks that it is one of this version and that nobody can change it any more.
/// Fails as `where` otherwise.
void load_plan(step where) noexcept;

/// Sends one record, with a descriptor where there is one to send. Zero, or negative with errno.
int tell(status_record record, int descriptor = -1) noexcept;

/// Waits for a record that another process of this launch sends, and the descriptor that comes with
/// it; -1 where there is none. False where nobody sends any more.
bool hear(int socket, status_record& record, int& descriptor) noexcept;

/// From now on tell() uses this socket instead of status_socket.
void tell_through(int socket) noexcept;

/// Says which step failed, and ends.
[[noreturn]] void fail(step where, int number, int which = 0) noexcept;

/// Does one step: `act` gives a system call's result, negative with errno where it failed. Gives
/// back what it gave; does not come back where it failed.
template <class Act>
int perform(step where, Act act, int which = 0) noexcept {
  if (plan().fail_at == static_cast<std::uint32_t>(where))
    fail(where, EPROTO, which);
  auto const outcome = static_cast<int>(act());
  if (outcome < 0)
    fail(where, errno, which);
  return outcome;
}

/// A step that is a question: fails with `number` where the answer is no.
template <class Ask>
void ascertain(step where, Ask ask, int number, int which = 0) noexcept {
  if (plan().fail_at == static_cast<std::uint32_t>(where))
    fail(where, EPROTO, which);
  if (!ask())
    fail(where, number, which);
}

/// Whether the library, or all of the program around it, is gone: then nobody wants this launch.
bool is_orphaned() noexcept;

} // namespace bulkhead::launcher
