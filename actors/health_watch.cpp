#include <bulkhead/actors/health_watch.hpp>

namespace bulkhead {

health_watch::step health_watch::step_at(clock::time_point now) noexcept {
  auto const stood_still = now - due_ > standstill;
  if (phase_ == phase::quiet || stood_still) {
    if (phase_ == phase::quiet)
      phase_ = phase::asked;
    asked_ = now;
    due_ = now + (phase_ == phase::asked ? rules_.unresponsive_after : rules_.kill_after);
    return step::ask;
  }
  if (phase_ == phase::asked) {
    phase_ = phase::told;
    due_ = asked_ + rules_.kill_after;
    return step::tell;
  }
  return step::give_up;
}

bool health_watch::answered(clock::time_point now) noexcept {
  auto const was_told = phase_ == phase::told;
  phase_ = phase::quiet;
  due_ = now + rules_.ping_interval;
  return was_told;
}

} // namespace bulkhead
