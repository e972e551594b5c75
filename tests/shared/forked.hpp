#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

/// Work in a process of its own, for what a test could not undo in its own: becoming another user,
/// a filter, a limit, a closed stream. The work may make no assertions: they would not be counted.
namespace bulkhead::testing {

/// A user that has nothing on this machine.
inline constexpr uid_t ordinary_user = 60'321;

bool is_root() noexcept;

/// Makes this process ordinary_user's where it is root's, and leaves it as it is where it is not.
/// False: it is refused.
bool become_ordinary_user() noexcept;

/// What `work` returns, 0 to 127; 255 where it threw or a signal ended it.
int exit_code_of(std::function<int()> const& work);
/// Whether `claim` is true in a process of its own, and in one that is an ordinary user's.
bool holds_in_child(std::function<bool()> const& claim);
bool holds_for_ordinary_user(std::function<bool()> const& claim);

/// The text that `work` returns; "it ended early: " and why, where it threw or was ended.
std::string text_of_child(std::function<std::string()> const& work);
/// The same in a process that is an ordinary user's.
std::string as_ordinary_user(std::function<std::string()> const& work);

} // namespace bulkhead::testing
