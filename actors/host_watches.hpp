#pragma once

#include <bulkhead/actors/file_requests.hpp>
#include <bulkhead/actors/inbound_call.hpp>

#include <cstdint>
#include <map>
#include <memory>

namespace bulkhead {

class loop;

/// What one process of a host watches (fs.watch). Folders are read on the blocking pool, changes
/// are told on the loop as fs.changed; one that the path rules hide is not told. A host that does
/// not keep up gets one overflow for all that it missed. Loop thread.
class host_watches {
public:
  explicit host_watches(loop& on) noexcept
      : on_{on} {}
  host_watches(host_watches const&) = delete;
  ~host_watches();

  /// Answers fs.watch with the watch's id; limit_exceeded where there are too many.
  void begin(inbound_call& call, opened_watch opened);
  /// Answers fs.unwatch.
  void end(inbound_call& call);

private:
  class watch;

  loop& on_;
  std::uint64_t last_ = 0;
  std::map<std::string, std::shared_ptr<watch>, std::less<>> watches_;
};

} // namespace bulkhead
