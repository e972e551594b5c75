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
#include <vector>

namespace bulkhead {

/// What the audit log works with.
struct audit_surroundings {
  loop& on;
  std::shared_ptr<spdlog::logger> log;
  platform::audit_file::options where;
};

/// The file of the log, opened when it is first written to. Blocks; any thread, one at a time.
class audit_sink {
public:
  explicit audit_sink(platform::audit_file::options where)
      : where_{std::move(where)} {}

  /// All of these records or none; fails as audit_file does.
  result<void> write(audit_records const& records);

private:
  platform::audit_file::options where_;
  std::mutex mutex_;
  std::optional<platform::audit_file> file_;
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
  std::shared_ptr<audit_sink> sink;
  audit_records waiting;
  std::shared_ptr<audit_group> under_way;
  std::vector<waiting_batch> held;
  std::uint64_t lost = 0; ///< records that could not be written
  bool busy = false;
};

/// Writes what it gets in groups: all that came while the group before was on its way to the disk.
/// A loss of power loses at most what was not answered yet; a record whose request was held back is
/// never lost. What can't be written is counted, said loudly in the backend's log, and recorded as
/// soon as writing works again.
audit_log_actor::behavior_type audit_log(audit_log_actor::stateful_pointer<audit_log_state> self,
                                         audit_surroundings around);

} // namespace bulkhead
