#pragma once

#include <bulkhead/actors/loop_clock.hpp>
#include <bulkhead/actors/run_queue.hpp>

#include <caf/scheduler/abstract_coordinator.hpp>
#include <memory>

namespace bulkhead::detail {

/// Makes an actor_system run on a run_queue and a loop_clock instead of on CAF's worker threads. It
/// also takes the place of CAF's printer, an actor on a thread of its own: what actors write with
/// aout goes to the log.
class loop_scheduler final : public caf::scheduler::abstract_coordinator {
public:
  loop_scheduler(caf::actor_system& system, std::shared_ptr<run_queue> queue,
                 std::shared_ptr<loop_clock> clock);

  void start() override;
  void stop() override;
  void enqueue(caf::resumable* ready) override { queue_->enqueue(ready); }
  caf::actor_clock& clock() noexcept override { return *clock_; }
  bool detaches_utility_actors() const override { return false; }

private:
  std::shared_ptr<run_queue> queue_;
  std::shared_ptr<loop_clock> clock_;
};

} // namespace bulkhead::detail
