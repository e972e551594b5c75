#pragma once

#include "target.hpp"

#include <stop_token>

namespace chaos {

/// Does what can go wrong with a host, and what operators do, at random, until it is told to stop.
/// What it has frozen by then stays so, unless its time has come.
void inject_faults(target const& into, dice roll, std::stop_token const& stop);

} // namespace chaos
