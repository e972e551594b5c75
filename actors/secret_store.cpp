#include <bulkhead/actors/secret_store.hpp>

#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/messages/json_member.hpp>
#include <bulkhead/messages/sensitive.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace bulkhead {
namespace {

using store_ptr = service_actor::stateful_pointer<secret_store_state>;
using platform::secret_bytes;
using platform::secret_name;

/// One request on a thread of the pool.
struct secret_operation {
  std::string type;
  secret_name name;                  ///< without a key for secretList
  secret_bytes value;                ///< for secretStore
  std::optional<secret_bytes> found; ///< by secretGet
  json answer;                       ///< of all others
  std::optional<error> failed;
};

template <class T>
bool succeeded(secret_operation& one, result<T> const& outcome) {
  if (!outcome)
    one.failed = outcome.error();
  return outcome.has_value();
}

void carry_out(platform::secret_backend& backend, secret_operation& one) {
  if (one.type == "secretGet") {
    auto found = backend.get(one.name);
    if (succeeded(one, found))
      one.found = std::move(*found);
  } else if (one.type == "secretStore") {
    if (succeeded(one, backend.set(one.name, one.value.view())))
      one.answer = {{"success", true}};
  } else if (one.type == "secretDelete") {
    if (auto const removed = backend.remove(one.name); succeeded(one, removed))
      one.answer = {{"success", *removed}};
  } else {
    if (auto const keys = backend.list(one.name.scope); succeeded(one, keys))
      one.answer = {{"keys", boost::json::array(keys->begin(), keys->end())}};
  }
}

void answer_value(inbound_call& call, std::optional<secret_bytes> const& found) {
  std::string text = R"({"value":)";
  if (found) {
    text.reserve(text.size() + wire::longest_quoted(found->size()) + 1);
    wire::append_quoted(text, found->view());
  } else {
    text += "null";
  }
  text += '}';
  call.reply_text(text);
  wipe(text);
}

/// What the request asks for; nothing where it was answered because it makes no sense.
std::shared_ptr<secret_operation> operation_of(secret_surroundings const& around,
                                               inbound_call& call) {
  auto one = std::make_shared<secret_operation>();
  one->type = call.type();
  one->name.scope = {around.runtime, call.host()};
  if (one->type == "secretList")
    return one;
  auto key = string_member(call.payload_text(), "key");
  if (!key) {
    call.fail(errc::invalid_payload, "key must be a string");
    return nullptr;
  }
  one->name.key = std::move(*key);
  if (one->type != "secretStore")
    return one;
  auto value = string_member(call.payload_text(), "value");
  if (!value) {
    call.fail(errc::invalid_payload, "value must be a string");
    return nullptr;
  }
  one->value = secret_bytes{*value};
  wipe(*value);
  return one;
}

void answer(store_ptr self, inbound_call& call, secret_operation& one) {
  auto& state = self->state;
  if (one.failed) {
    state.around->log->warn("[{}] {}: {}", call.host(), platform::escape_line(call.type()),
                            one.failed->what());
    return call.fail(one.failed->code(), describe(one.failed->code()).sentence);
  }
  if (one.type != "secretGet")
    return call.reply(one.answer);
  if (one.found)
    state.cache->put(one.name, *one.found, deadline::clock::now());
  answer_value(call, one.found);
}

/// Until no request of the host waits any more.
task<void> work(store_ptr self, std::shared_ptr<host_secrets> host) {
  auto& state = self->state;
  host->busy = true;
  while (!host->waiting.empty()) {
    auto const call = std::move(host->waiting.front());
    host->waiting.pop_front();
    auto const one = operation_of(*state.around, *call);
    if (!one)
      continue;
    if (one->type == "secretGet") {
      if (auto const cached = state.cache->find(one->name, deadline::clock::now())) {
        answer_value(*call, cached);
        continue;
      }
    } else if (one->type != "secretList") {
      state.cache->forget(one->name);
    }
    auto run_it = [backend = state.around->backend, one] { carry_out(*backend, *one); };
    auto const ran = co_await blocking(self, state.around->on.blocking_pool(), run_it);
    if (!ran)
      one->failed = error{errc::secrets_unavailable};
    answer(self, *call, *one);
  }
  host->busy = false;
}

} // namespace

service_actor::behavior_type secret_store(store_ptr self, secret_surroundings around) {
  // A vault is read as fast as a cache, and tells what another process has changed.
  auto const is_slow = around.backend->kind() == "secret-service";
  self->state.cache.emplace(is_slow ? around.cache_ttl : std::chrono::milliseconds{0});
  self->state.around.emplace(std::move(around));
  return {
      [self](serve_atom, inbound_call_ptr& call) {
        auto& host = self->state.hosts[call->host()];
        if (!host)
          host = std::make_shared<host_secrets>();
        host->waiting.push_back(std::move(call));
        if (!host->busy)
          detach(self, work(self, host));
      },
      [self](revoke_atom, std::string const& host) {
        self->state.hosts.erase(host);
        self->state.cache->forget(platform::secret_scope{self->state.around->runtime, host});
      },
  };
}

} // namespace bulkhead
