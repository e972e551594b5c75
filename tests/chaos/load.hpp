#pragma once

#include "target.hpp"

#include <stop_token>

namespace chaos {

/// Sends requests of all kinds, with deadlines of all lengths, and takes some of them back, until
/// it is told to stop.
void send_requests(target const& to, dice roll, std::stop_token const& stop);

} // namespace chaos
