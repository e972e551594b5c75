#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/audit_file.hpp>

#include <caf/typed_event_based_actor.hpp>
#include <spdlog/logger.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace bulkhead {

/// The file of the log, opened when it is first written to. Blocks; any thread, one at a time.
class audit_sink {
public:
  audit_sink(platform::audit_file::options where, std::shared_ptr<spdlog::logger> log)
      : where_{std::move(where)}
      , log_{std::move(log)} {}

  /// All of these records or none; fails as audit_file does.
  result<void> write(audit_records const& records);
  /// The same where nothing comes behind them any more: a failure is said in the backend's log.
  void write_last(audit_records const& records);

private:
  platform::audit_file::options where_;
  std::shared_ptr<spdlog::logger> log_;
  std::mutex mutex_;
  std::optional<platform::audit_file> file_;
};

/// What the audit log works with.
struct audit_surroundings {
  loop& on;
  std::shared_ptr<spdlog::logger> log;
  std::shared_ptr<audit_sink> sink;
};

/// A batch of requests that waits until its records are on the disk.
struct waiting_batch {
  inbound_batch_ptr batch;
  ipc_connection_actor connection;
};

/// Records on their way to the disk.
struct audit_group {
  audit_records records;
  std::atomic<bool> taken = false; ///< somebody writes them
};

/// The state of the actor that writes the audit log.
struct audit_log_state {
  audit_log_state() = default;
  audit_log_state(audit_log_state const&) = delete;
  /// Writes what still waits, and the group that no thread has come to.
  ~audit_log_state();

  static inline char const* name = "audit_log";
  std::optional<audit_surroundings> around;
  audit_records waiting;
  std::shared_ptr<audit_group> under_way;
  std::vector<waiting_batch> held;
  std::optional<completer<void>> wake; ///< of the pause between two groups
  std::uint64_t lost = 0;              ///< records that could not be written
  bool busy = false;
};

/// Writes what it gets in groups: all that came while the group before was on its way to the disk,
/// and in the few milliseconds after that for which nobody waits. A loss of power loses at most
/// what was not answered yet; a record whose request was held back is never lost. What can't be
/// written is counted, said loudly in the backend's log, and recorded as soon as writing works
/// again.
audit_log_actor::behavior_type audit_log(audit_log_actor::stateful_pointer<audit_log_state> self,
                                         audit_surroundings around);

} // namespace bulkhead
