#include <bulkhead/actors/host_launch.hpp>

#include <bulkhead/actors/host_process.hpp>
#include <bulkhead/actors/spare_process.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace bulkhead {
namespace {

/// The host's policy with what it is granted by now: that alone may have changed since the runtime
/// was made.
host_policy present_policy(runtime_surroundings const& runtime, host_policy const& host) {
  auto present = host;
  auto const active = runtime.active();
  if (auto const* const found = active->find_host(host.id))
    present.permissions = found->permissions;
  return present;
}

start_surroundings surroundings_of(runtime_surroundings const& runtime, host_policy const& host) {
  auto const& rules = runtime.rules;
  return {folders_of(rules, host, runtime.place.path()), runtime.bootstrap,
          rules.file.empty() ? rules.state_dir.parent_path() : rules.file.parent_path()};
}

result<described_start> look_up(host_policy const& host, start_surroundings const& with,
                                std::chrono::steady_clock::time_point began, bool with_profile) {
  auto start = describe_host_start(host, with);
  if (!start)
    return start.error();
  start->began = began;
  launch_profile_ptr profile;
  if (with_profile) {
    auto found = profile_of(start->launch);
    if (!found)
      return found.error();
    profile = std::make_shared<launch_profile const>(std::move(*found));
  }
  return described_start{std::move(*start), std::move(profile)};
}

audit_record record_of_start(std::string const& host, host_start const& start) {
  audit_record made;
  made.time = std::chrono::system_clock::now();
  made.host = host;
  made.what = "host.started";
  made.object = start.extension_id;
  made.rule = to_string(start.held);
  return made;
}

/// The process is the host's from now on, whichever way it was made.
void adopt(supervisor_ptr self, host_start start, started_process process,
           std::function<void(host_signal)> tell) {
  auto& state = self->state;
  auto const& around = *state.around;
  if (!start.refused.empty())
    log_of(self).warn("[{}] asks for more than the policy grants: {}", around.policy.id,
                      to_string(start.refused));
  auto const asked = start.asked.to_bits();
  auto const made = record_of_start(around.policy.id, start);
  auto const warm = process.times.warm;
  start.code.reset(); // the process has it, or has none
  record_of(self).update([&](host_status& now) {
    ++(warm ? now.warm_starts : now.cold_starts);
    now.code_cached = 0;
  });
  state.process = std::make_unique<host_process>(around, std::move(start), std::move(process),
                                                 state.generation, std::move(tell));
  auto const& servants = around.servants;
  self->send(servants.monitor, watch_atom::value, state.process->watched());
  self->send(servants.guard, grant_atom::value, around.policy.id, asked);
  self->send(servants.audit, record_atom::value, audit_records{made});
  state.process->connect();
}

/// The process of a start that finds it done. What is done now is timed from its own beginning.
started_process begin_warm(host_start const& start, spare_process& spare) {
  auto process = spare.release();
  process.times = {};
  process.times.warm = true;
  process.times.prepared = time_since(start.began);
  return process;
}

task<std::optional<launch_failure>> launch_cold(supervisor_ptr self, host_start start,
                                                std::function<void(host_signal)> tell) {
  auto& state = self->state;
  auto& runtime = state.around->runtime;
  auto preparing = prepare_launch(self, runtime, std::move(start));
  auto prepared = co_await std::move(preparing);
  if (!prepared)
    co_return launch_failure{prepared.error(), false};
  auto heard = [tell, generation = state.generation] {
    tell({host_signal::kind::launched, generation, reason::none, 0, {}});
  };
  auto created =
      create_process(runtime, state.around->policy, *prepared, state.generation, std::move(heard));
  if (!created) // all that is the policy's to name had been found
    co_return launch_failure{created.error(), created.error().code() == errc::spawn_failed};
  adopt(self, std::move(*prepared), std::move(*created), std::move(tell));
  co_return std::nullopt;
}

} // namespace

task<result<described_start>> work_out_start(caf::scheduled_actor* self,
                                             runtime_surroundings& runtime, host_policy const& host,
                                             bool with_profile) {
  auto work = [policy = present_policy(runtime, host), with = surroundings_of(runtime, host),
               began = std::chrono::steady_clock::now(),
               with_profile] { return look_up(policy, with, began, with_profile); };
  auto found = co_await blocking(self, runtime.on.blocking_pool(), work);
  if (!found)
    co_return to_error(found.error());
  co_return std::move(*found);
}

task<result<host_start>> prepare_launch(caf::scheduled_actor* self, runtime_surroundings& runtime,
                                        host_start start) {
  auto prepare = [start = std::move(start),
                  &containment = runtime.containment]() mutable -> result<host_start> {
    if (auto const prepared = prepare_launch(start, containment); !prepared)
      return prepared.error();
    return std::move(start);
  };
  auto prepared = co_await blocking(self, runtime.on.blocking_pool(), prepare);
  if (!prepared)
    co_return to_error(prepared.error());
  co_return std::move(*prepared);
}

task<std::optional<launch_failure>> launch(supervisor_ptr self,
                                           std::function<void(host_signal)> tell) {
  auto& state = self->state;
  auto const has_pool = static_cast<bool>(state.around->pool);
  auto const has_code_cache = static_cast<bool>(state.around->code);
  auto const with_profile = has_pool || has_code_cache;
  auto described =
      co_await work_out_start(self, state.around->runtime, state.around->policy, with_profile);
  if (!described)
    co_return launch_failure{described.error(), false};
  ++state.generation;
  if (has_code_cache) {
    auto taking = ask_or_null<compiled_code_ptr>(self, state.around->code, take_atom::value,
                                                 state.around->policy.id, described->profile);
    described->start.code = co_await std::move(taking);
  }
  spare_process_ptr spare;
  if (has_pool) {
    auto taking = ask_or_null<spare_process_ptr>(self, state.around->pool, take_atom::value,
                                                 state.around->policy.id, described->profile);
    spare = co_await std::move(taking);
  }
  if (spare) {
    auto process = begin_warm(described->start, *spare);
    adopt(self, std::move(described->start), std::move(process), std::move(tell));
    co_return std::nullopt;
  }
  auto cold = launch_cold(self, std::move(described->start), std::move(tell));
  co_return co_await std::move(cold);
}

void settle(supervisor_ptr self) {
  auto const& around = *self->state.around;
  if (around.pool)
    self->send(around.pool, settle_atom::value, around.policy.id,
               record_of(self).state() == host_state::Running);
  if (around.code)
    self->send(around.code, settle_atom::value, around.policy.id);
}

} // namespace bulkhead
