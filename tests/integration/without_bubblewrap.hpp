#pragma once

#include "run_command.hpp"

#include <functional>

namespace bulkhead::testing {

/// Who runs something.
enum class user { root, ordinary };

/// Whether this process may hide bubblewrap, and the basic tier can be had without it.
bool can_be_without_bubblewrap();

/// Runs `work` in a process to which, and to all that it starts, bubblewrap is as good as not
/// installed: root covers it in a mount namespace, and an ordinary user, whose namespaces would
/// change the owners of all files, has Landlock take the right to execute it. Where this process is
/// an ordinary user's, `who` can be nobody else. Throws std::runtime_error with what `work` threw.
ran_command without_bubblewrap(user who, std::function<ran_command()> const& work);

} // namespace bulkhead::testing
