#pragma once

#include <bulkhead/config/policy.hpp>

#include <string>

namespace bulkhead::tool {

/// The host of that name. Throws bulkhead::error with unknown_host, which names the nearest.
host_policy const& find_host(policy const& rules, std::string const& name);

} // namespace bulkhead::tool
