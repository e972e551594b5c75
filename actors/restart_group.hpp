#pragma once

#include <bulkhead/config/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace bulkhead {

/// In which order the hosts of a group start, and which of them go down with one that ended
/// unasked. Pure: it is told what happens to each host, and says what is to be done about the
/// others. The strategies are those of Erlang's supervisors, but that each host spends a restart
/// budget of its own.
class restart_group {
public:
  /// A host, by its place in the order of starts.
  using member = std::size_t;

  enum class action : std::uint8_t {
    go,      ///< it may start now
    restart, ///< end it; it says that it waits once it is down
    stop,    ///< end it, and don't start it again
    start,   ///< it was stopped because of one that runs again
  };
  struct order {
    action what;
    member who;
    member because; ///< of whom; `who` itself for `go`
    friend bool operator==(order const&, order const&) = default;
  };

  restart_group(restart_strategy strategy, std::size_t size)
      : strategy_{strategy}
      , members_(size) {}

  // What happened.
  void waits(member who);      ///< it would start and asks for its turn
  void is_running(member who); ///< it is Running
  void failed(member who);     ///< it ended unasked, and waits out its backoff
  void crashed(member who);    ///< it ended, and will not come back by itself
  void stopped(member who);    ///< somebody else stopped it
  /// Everything is to end: nothing starts any more.
  void close() noexcept { closed_ = true; }

  /// What is to be done now; each order once.
  std::vector<order> take_orders();

private:
  enum class phase : std::uint8_t { down, backing_off, waiting, starting, up, ending };
  struct state {
    phase at = phase::down;
    std::optional<member> to_end_with; // it has to be ended because of that one
    std::optional<member> held_by;     // it was stopped because of that one
  };

  bool goes_down_with(member who, member failed) const noexcept;
  void end_one(std::vector<order>& orders);
  void start_next(std::vector<order>& orders);
  bool is_any(phase at) const noexcept;

  restart_strategy strategy_;
  std::vector<state> members_;
  std::vector<order> ready_; // which follow from what happened, whatever the others do
  bool closed_ = false;
};

} // namespace bulkhead
