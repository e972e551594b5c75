#pragma once

#include <bulkhead/actors/launch_profile.hpp>
#include <bulkhead/actors/restart_budget.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// Which ready processes ("spares") there are, who may take them, and for whom the next one is to
/// be made. Pure: a spare is a number, and time is passed in.
///
/// A spare is for every host whose launch has the same profile; of hosts that share one, the one
/// that wants most decides how many there are. Those of a profile that no host launches any more
/// are not wanted. While a host is on its way up none is made for it, so that its start has the
/// machine for itself. A spare that fails spends the restart budget of the host for which it was
/// made, as that host's own processes would; a spent budget ends it until a start of the host goes
/// well.
class warm_stock {
public:
  using clock = deadline::clock;
  using spare_id = std::uint64_t;

  /// At most so many spares at a time, of all hosts together.
  explicit warm_stock(std::size_t limit) noexcept
      : limit_{limit} {}

  /// `is_starting`: it will be on its way up before anything else happens. `seed` drives the jitter
  /// of its backoff. Once for each host.
  void add_host(host_policy const& host, bool is_starting, std::uint64_t seed);

  // ---- what becomes of hosts ----

  /// The host begins to start, with that launch. The spare that has been ready longest for it,
  /// which is no spare any more; nothing where there is none.
  std::optional<spare_id> take(std::string_view host, launch_profile_ptr const& launch);
  /// The start is over.
  void settle(std::string_view host, bool went_well);
  /// The launch of every host may be another now: each is to be looked up again.
  void doubt_launches();

  // ---- what is to be made ----

  /// The host for which the next spare is to be made, or its launch looked up; nothing where none
  /// is wanted at this time. In turn, so that no host waits for another's. Whoever asks looks the
  /// launch up from now on: doubts that come meanwhile are about that one too.
  std::optional<std::string> next(clock::time_point now);
  /// When a backoff ends that next() waits for; nothing where none does.
  std::optional<clock::time_point> wakes(clock::time_point now) const;
  /// Whether a host wants a spare that only the limit denies it.
  bool is_short() const;

  /// The host's launch was looked up. Whether a spare of it is to be made now.
  bool wants(std::string_view host, launch_profile_ptr const& launch);
  /// One is being made.
  spare_id add(std::string_view host, launch_profile_ptr launch);
  void is_ready(spare_id id, clock::time_point now);
  /// Whether it is being made: neither ready nor gone.
  bool is_being_made(spare_id id) const;

  /// What has failed is gone. How long nothing is made for that host; nothing where none will be
  /// until a start goes well.
  std::optional<std::chrono::milliseconds> lost(spare_id id, clock::time_point now);
  /// The same of one that could not be made. `may_pass` as of a start: false, where trying again
  /// would not help.
  std::optional<std::chrono::milliseconds> failed(std::string_view host, clock::time_point now,
                                                  bool may_pass);
  /// It is gone, and nobody's fault.
  void forget(spare_id id);
  void forget_all() noexcept { spares_.clear(); }
  /// Those that nobody wants any more; they are gone.
  std::vector<spare_id> take_unwanted();

  /// The host for which it is, or was made; empty for one that is gone.
  std::string_view host_of(spare_id id) const;
  /// Spares that the host's next start could take.
  std::uint32_t ready_for(std::string_view host) const;

private:
  struct host {
    std::string id;
    std::uint32_t wanted;
    restart_budget budget;
    bool is_starting;
    launch_profile_ptr launch; // null: not looked up yet
    bool in_doubt = false;     // it may have changed since it was looked up
    bool has_given_up = false;
    clock::time_point not_before{}; // of the next try
  };
  struct spare {
    spare_id id;
    std::string made_for;
    launch_profile_ptr launch;
    bool is_ready = false;
  };

  host& find(std::string_view id);
  host const& find(std::string_view id) const;
  bool lacks_one(host const& one) const;
  bool waits_for_nothing(host const& one) const;

  std::size_t limit_;
  std::vector<host> hosts_;
  std::vector<spare> spares_; // oldest first
  spare_id last_ = 0;
  std::size_t turn_ = 0; // the first host that next() looks at
};

} // namespace bulkhead
