#pragma once

#include <bulkhead/actors/rate_limit.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <string>

namespace bulkhead {

/// The limits of one host, as far as they are used up.
class host_rate_limits {
public:
  explicit host_rate_limits(rate_limit_policy const& allowed);

  /// How long the request would have to wait. Where that is not positive it has passed.
  rate_limit::duration take(std::string_view type, rate_limit::clock::time_point now);

  rate_limit_policy const& allowed() const noexcept { return allowed_; }

private:
  rate_limit_policy allowed_;
  rate_limit all_;
  std::map<std::string, rate_limit, std::less<>> per_type_;
};

/// The state of the actor that decides how much each host may ask for.
struct rate_limiter_state {
  rate_limiter_state() = default;
  rate_limiter_state(rate_limiter_state const&) = delete;

  static inline char const* name = "rate_limiter";
  permission_guard_actor guard;
  access_rules_ptr rules;
  std::map<std::string, host_rate_limits, std::less<>> hosts;
};

/// Marks each request of a batch that is too much, and passes the batch to `guard`. One reading of
/// the clock a batch. A host's limits are kept across its restarts until it is revoked.
rate_limiter_actor::behavior_type
rate_limiter(rate_limiter_actor::stateful_pointer<rate_limiter_state> self,
             permission_guard_actor const& guard, access_rules_ptr rules);

} // namespace bulkhead
