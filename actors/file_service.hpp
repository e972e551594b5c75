#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/file_requests.hpp>
#include <bulkhead/actors/host_watches.hpp>
#include <bulkhead/actors/inbound_call.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/open_files.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>
#include <spdlog/logger.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace bulkhead {

/// What the file service works with.
struct file_surroundings {
  loop& on;
  std::shared_ptr<spdlog::logger> log;
};

/// What the file service holds for one process of a host.
struct host_files {
  explicit host_files(loop& on) noexcept
      : on_{on} {}
  host_files(host_files const&) = delete;
  /// Leaves the open files to a thread of the pool: closing one takes as long as the disk does.
  ~host_files();

  std::uint64_t generation = 0;
  std::deque<inbound_call_ptr> waiting;
  bool busy = false;            ///< a thread of the pool works for this host
  std::uint64_t operations = 0; ///< towards limits.fs_operations
  std::shared_ptr<storage_ledger> ledger;
  std::shared_ptr<host_watches> watches;
  std::shared_ptr<open_files> files = std::make_shared<open_files>();

private:
  loop& on_;
};

/// The state of the actor that serves fs.* and workspace-find-files.
struct file_service_state {
  file_service_state() = default;
  file_service_state(file_service_state const&) = delete;

  static inline char const* name = "file_service";
  std::optional<file_surroundings> around;
  std::map<std::string, std::shared_ptr<host_files>, std::less<>> hosts;
};

/// Serves requests about files on the blocking pool: those of one host in their order and on one
/// thread at a time, so that a host which keeps the disk busy does not keep the others waiting.
/// `revoke` forgets what a process of the host has used up, watches and has open.
service_actor::behavior_type file_service(service_actor::stateful_pointer<file_service_state> self,
                                          file_surroundings around);

} // namespace bulkhead
