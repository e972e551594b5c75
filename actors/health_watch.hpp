#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/deadline.hpp>

namespace bulkhead {

/// Whether a host still answers: says when to ask it, when its silence is to be told, and when to
/// give it up. Pure; time is passed in.
class health_watch {
public:
  using clock = deadline::clock;

  enum class step {
    ask,     ///< send it a ping
    tell,    ///< it has been silent for health.unresponsive_after
    give_up, ///< it has been silent for health.kill_after
  };

  /// What comes so much later than it was due comes from a backend that stood still itself, which
  /// has not yet seen what the host said meanwhile.
  static constexpr clock::duration standstill = std::chrono::seconds{1};

  health_watch(health_policy const& rules, clock::time_point now) noexcept
      : rules_{rules}
      , due_{now + rules.ping_interval} {}

  /// When step_at() has something to say.
  clock::time_point due() const noexcept { return due_; }
  /// What is to be done. Call it when due() has passed. A ping that is asked for a second time,
  /// after a standstill, takes the place of the first.
  step step_at(clock::time_point now) noexcept;
  /// The ping was answered. True: its silence had been told.
  bool answered(clock::time_point now) noexcept;
  /// For how long it has been silent.
  clock::duration silence(clock::time_point now) const noexcept { return now - asked_; }

private:
  enum class phase : std::uint8_t { quiet, asked, told };

  health_policy rules_;
  phase phase_ = phase::quiet;
  clock::time_point asked_{};
  clock::time_point due_;
};

} // namespace bulkhead
