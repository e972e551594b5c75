#include <bulkhead/actors/permission_guard.hpp>

#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/messages/json_member.hpp>

#include <chrono>
#include <utility>

namespace bulkhead {
namespace {

using guard_ptr = permission_guard_actor::stateful_pointer<permission_guard_state>;
using outcome = access_decision::outcome;

/// Marks the request as the rules decided about it.
void mark(inbound_batch& batch, std::size_t i, access_decision const& decision) {
  switch (decision.result) {
  case outcome::allowed:
    for (std::size_t which = 0; which < decision.paths.size(); ++which)
      if (!decision.paths[which].empty())
        batch.set_path(i, which, decision.paths[which]);
    return batch.decide(i, verdict::admitted);
  case outcome::permission_denied:
    return batch.lacks(i, decision.needed ? to_string(*decision.needed) : std::string_view{});
  case outcome::path_denied:
    return batch.decide(i, verdict::path_denied);
  case outcome::path_invalid:
    return batch.decide(i, verdict::path_invalid);
  }
}

/// What the request is about, for the record: its paths, else the key or the pattern.
std::string object_of(access_decision const& decision, std::string_view payload) {
  std::string text;
  for (auto const& path : decision.paths)
    if (!path.empty())
      (text += text.empty() ? "" : " -> ") += path;
  for (auto const* const member : {"path", "key", "include"})
    if (text.empty())
      text = string_member(payload, member).value_or("");
  return text;
}

std::string rule_of(access_decision const& decision) {
  if (auto const* const rule = decision.rule)
    return rule->shown + " (" + rule->origin +
           (rule->line > 0 ? ", line " + std::to_string(rule->line) : std::string{}) + ")";
  return decision.needed ? std::string{to_string(*decision.needed)} : std::string{};
}

errc code_of(outcome result) noexcept {
  switch (result) {
  case outcome::permission_denied:
    return errc::permission_denied;
  case outcome::path_denied:
    return errc::path_denied;
  case outcome::path_invalid:
    return errc::invalid_payload;
  case outcome::allowed:
    break;
  }
  return {};
}

bool is_to_be_recorded(access_decision const& decision, std::string_view type, audit_level level) {
  if (decision.result != outcome::allowed || level == audit_level::everything)
    return true;
  auto const* const served = find_served_request(type);
  return served && served->changes;
}

/// Decides about the whole batch, and returns what is to be recorded of it.
audit_records decide(permission_guard_state& state, inbound_batch& batch) {
  audit_records records;
  auto const access = state.rules->find(batch.host());
  auto const asked = state.asked.find(batch.host());
  if (!access || asked == state.asked.end())
    return records;
  auto const held = access->granted & asked->second;
  auto const now = std::chrono::system_clock::now();
  std::size_t limited = 0;
  std::size_t last_limited = 0;
  batch.set_access(access);
  access_decision decision;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.decision(i) == verdict::rate_limited) {
      ++limited;
      last_limited = i;
      continue;
    }
    state.rules->decide(*access, held, batch.type(i), batch.payload(i), decision);
    mark(batch, i, decision);
    if (!is_to_be_recorded(decision, batch.type(i), state.auditing.level))
      continue;
    batch.set_recorded(i);
    audit_record made;
    made.time = now;
    made.host = batch.host();
    made.what = batch.type(i);
    made.object = object_of(decision, batch.payload(i));
    made.rule = rule_of(decision);
    made.outcome =
        decision.result == outcome::allowed ? audit_outcome::allowed : audit_outcome::denied;
    made.code = code_of(decision.result);
    records.push_back(std::move(made));
  }
  if (limited != 0)
    state.limited.add(batch.host(), batch.type(last_limited), limited, now, records);
  return records;
}

void admit(guard_ptr self, inbound_batch_ptr batch, ipc_connection_actor const& connection) {
  auto& state = self->state;
  auto records = decide(state, *batch);
  if (records.empty())
    return self->send(connection, admitted_atom::value, std::move(batch));
  if (state.auditing.required)
    return self->send(state.auditing.log, admit_atom::value, std::move(batch), std::move(records),
                      connection);
  self->send(state.auditing.log, record_atom::value, std::move(records));
  self->send(connection, admitted_atom::value, std::move(batch));
}

void revoke(guard_ptr self, std::string const& host) {
  auto& state = self->state;
  state.asked.erase(host);
  audit_records records;
  state.limited.forget(host, std::chrono::system_clock::now(), records);
  if (!records.empty())
    self->send(state.auditing.log, record_atom::value, std::move(records));
}

} // namespace

permission_guard_state::~permission_guard_state() {
  audit_records records;
  limited.forget_all(std::chrono::system_clock::now(), records);
  if (!records.empty() && auditing.write_last)
    auditing.write_last(records);
}

permission_guard_actor::behavior_type permission_guard(guard_ptr self, access_rules_ptr rules,
                                                       guard_auditing auditing) {
  self->state.rules = std::move(rules);
  self->state.auditing = std::move(auditing);
  return {
      [self](rules_atom, access_rules_ptr& changed) { self->state.rules = std::move(changed); },
      [self](grant_atom, std::string const& host, std::uint64_t bits) {
        self->state.asked.insert_or_assign(host, permission_set::from_bits(bits));
      },
      [self](revoke_atom, std::string const& host) { revoke(self, host); },
      [self](admit_atom, inbound_batch_ptr& batch, ipc_connection_actor const& connection) {
        admit(self, std::move(batch), connection);
      },
  };
}

} // namespace bulkhead
