#include <bulkhead/actors/audit_log.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace bulkhead {
namespace {

using log_ptr = audit_log_actor::stateful_pointer<audit_log_state>;

/// Records that wait for the disk at the most, some tens of megabytes; more are lost, and counted.
constexpr std::size_t most_waiting = 100'000;

/// Groups that nobody waits for go to the disk so far apart: under a flood of records the disk has
/// other things to do than to make sure of each, and what a loss of power may cost stays within the
/// time of a few flushes.
constexpr std::chrono::milliseconds between_groups{5};

/// Passes a batch on; where its records could not be written, without what they are about.
void release(log_ptr self, waiting_batch held, bool written) {
  for (std::size_t i = 0; !written && i < held.batch->size(); ++i)
    if (held.batch->is_recorded(i) && held.batch->decision(i) == verdict::admitted)
      held.batch->decide(i, verdict::audit_unavailable);
  self->send(held.connection, admitted_atom::value, std::move(held.batch));
}

audit_record record_of_loss(std::uint64_t lost) {
  audit_record made;
  made.time = std::chrono::system_clock::now();
  made.host = "runtime";
  made.what = "audit.lost";
  made.outcome = audit_outcome::failed;
  made.code = errc::audit_unavailable;
  made.count = lost;
  return made;
}

/// Until it is time for the next group, or somebody waits for it.
task<void> wait_between_groups(log_ptr self) {
  auto const wait = [self](completer<void> wake) { self->state.wake.emplace(std::move(wake)); };
  co_await external<void>(self, wait, deadline{between_groups});
  self->state.wake.reset();
}

/// Until nothing waits any more.
task<void> write_groups(log_ptr self) {
  auto& state = self->state;
  state.busy = true;
  while (!state.waiting.empty()) {
    auto const lost = std::exchange(state.lost, 0);
    if (lost != 0)
      state.waiting.push_back(record_of_loss(lost));
    auto const group = std::make_shared<audit_group>();
    group->records = std::exchange(state.waiting, {});
    state.under_way = group;
    auto held = std::exchange(state.held, {});
    auto write = [sink = state.around->sink, group]() -> result<void> {
      return group->taken.exchange(true) ? result<void>{} : sink->write(group->records);
    };
    auto const ran = co_await blocking(self, state.around->on.blocking_pool(), write);
    auto const written = ran && *ran;
    if (!written) {
      state.lost += lost + group->records.size() - (lost != 0 ? 1 : 0);
      state.around->log->critical("the audit log can't be written ({} records lost so far): {}",
                                  state.lost, ran ? ran->error().what() : "out of memory");
    } else if (lost != 0) {
      state.around->log->warn("the audit log is written again; {} records were lost", lost);
    }
    for (auto& each : held)
      release(self, std::move(each), written);
    if (state.held.empty()) {
      auto pause = wait_between_groups(self);
      co_await std::move(pause);
    }
  }
  state.under_way.reset();
  state.busy = false;
}

void add(log_ptr self, audit_records& records) {
  auto& state = self->state;
  auto const room = most_waiting - std::min(most_waiting, state.waiting.size());
  auto const taken = std::min(room, records.size());
  state.lost += records.size() - taken;
  std::move(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(taken),
            std::back_inserter(state.waiting));
  if (!state.busy)
    detach(self, write_groups(self));
}

} // namespace

result<void> audit_sink::write(audit_records const& records) {
  std::lock_guard const lock{mutex_};
  if (!file_) {
    auto opened = platform::audit_file::open(where_);
    if (!opened)
      return opened.error();
    file_.emplace(std::move(*opened));
  }
  return file_->append(records);
}

void audit_sink::write_last(audit_records const& records) {
  if (auto const written = write(records); !written)
    log_->critical("the audit log can't be written ({} records lost): {}", records.size(),
                   written.error().what());
}

audit_log_state::~audit_log_state() {
  if (under_way && !under_way->taken.exchange(true))
    around->sink->write_last(under_way->records);
  if (!waiting.empty())
    around->sink->write_last(waiting);
}

audit_log_actor::behavior_type audit_log(log_ptr self, audit_surroundings around) {
  self->state.around.emplace(std::move(around));
  return {
      [self](record_atom, audit_records& records) { add(self, records); },
      [self](admit_atom, inbound_batch_ptr& batch, audit_records& records,
             ipc_connection_actor const& connection) {
        if (records.size() > most_waiting - std::min(most_waiting, self->state.waiting.size()))
          return release(self, {std::move(batch), connection}, false);
        self->state.held.push_back({std::move(batch), connection});
        if (auto wake = std::exchange(self->state.wake, std::nullopt))
          (*wake)();
        add(self, records);
      },
  };
}

} // namespace bulkhead
