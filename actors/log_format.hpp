#pragma once

#include <memory>

namespace spdlog {
class formatter;
}

namespace bulkhead {

/// Makes each message one line of JSON, with the members time (UTC, RFC 3339), level, host (where
/// the message is about one) and message. What `runtime.log_format = "json"` sets; for the
/// set_formatter() of a logger that a program makes itself. One thread at a time, as spdlog has it.
std::unique_ptr<spdlog::formatter> json_log_formatter();

} // namespace bulkhead
