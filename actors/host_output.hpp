#pragma once

#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <spdlog/logger.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace bulkhead {

/// What one process prints: read to its end, logged line by line and kept for the host's status. Of
/// what comes faster than the limit the log gets the number of lines only. Loop thread.
class host_output {
public:
  /// `rate` is in bytes a second.
  host_output(loop& on, platform::child_process& process, std::shared_ptr<spdlog::logger> log,
              std::shared_ptr<host_record> record, std::string host, std::uint64_t rate);

  /// Bytes that came so far, those of cut lines included. Lives on.
  std::shared_ptr<std::uint64_t const> printed() const noexcept;
  /// Whether a line said that memory ran out.
  bool said_out_of_memory() const noexcept;

private:
  class stream_log;
  std::shared_ptr<stream_log> log_;
  platform::output_reader output_;
  platform::output_reader errors_;
};

} // namespace bulkhead
