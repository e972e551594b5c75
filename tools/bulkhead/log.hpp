#pragma once

#include "output/live_block.hpp"

#include <bulkhead/config/policy.hpp>

#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace bulkhead::tool {

/// Logs to standard error, from the level of that name (the policy's names) on.
std::shared_ptr<spdlog::logger> error_log(std::string const& level, log_format format);

/// The same where standard error is the terminal that `block` stands on: above the block.
std::shared_ptr<spdlog::logger> log_above(std::shared_ptr<live_block> block,
                                          std::string const& level, log_format format);

} // namespace bulkhead::tool
