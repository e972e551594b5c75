#include <bulkhead/actors/permission_guard.hpp>

namespace bulkhead {
namespace {

void decide(permission_guard_state const& state, inbound_batch& batch) {
  auto const found = state.granted.find(batch.host());
  auto const granted = found != state.granted.end() ? found->second : permission_set{};
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto const decision = state.rules->decide(batch.type(i), granted);
    if (decision.allowed)
      batch.admit(i);
    else
      batch.deny(i, decision.missing ? to_string(*decision.missing) : std::string_view{});
  }
}

} // namespace

permission_guard_actor::behavior_type
permission_guard(permission_guard_actor::stateful_pointer<permission_guard_state> self,
                 request_rules rules) {
  self->state.rules.emplace(std::move(rules));
  return {
      [self](grant_atom, std::string const& host, std::uint64_t bits) {
        self->state.granted.insert_or_assign(host, permission_set::from_bits(bits));
      },
      [self](revoke_atom, std::string const& host) { self->state.granted.erase(host); },
      [self](admit_atom, inbound_batch_ptr const& batch, ipc_connection_actor const& connection) {
        decide(self->state, *batch);
        self->send(connection, admitted_atom::value, batch);
      },
  };
}

} // namespace bulkhead
