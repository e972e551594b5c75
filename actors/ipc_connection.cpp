#include <bulkhead/actors/ipc_connection.hpp>

#include <bulkhead/actors/coroutine.hpp>

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <utility>

namespace bulkhead {
namespace {

using connection_ptr = ipc_connection_actor::stateful_pointer<ipc_connection_state>;

/// Sends batches to the limiter for as long as this actor lives; they come back to it.
auto admission_through(connection_ptr self, rate_limiter_actor const& limiter) {
  return [link = std::weak_ptr{self->state.link},
          me = caf::actor_cast<caf::weak_actor_ptr>(self->address()),
          limiter](inbound_batch_ptr batch) {
    if (auto const connection = caf::actor_cast<caf::strong_actor_ptr>(me))
      caf::anon_send(limiter, admit_atom::value, std::move(batch),
                     caf::actor_cast<ipc_connection_actor>(connection));
    else if (auto const denied = link.lock())
      denied->admitted(std::move(batch));
  };
}

/// Nobody decides any more: what nobody has decided about is denied.
void deny_everything(connection_ptr self) {
  self->state.link->set_admission(
      [link = std::weak_ptr{self->state.link}](inbound_batch_ptr batch) {
        if (auto const denied = link.lock())
          denied->admitted(std::move(batch));
      });
}

/// Ends a call in the actor that waits for it.
class completer_handler final : public call_handler {
public:
  explicit completer_handler(completer<result<payload>> done)
      : done_{std::move(done)} {}
  void complete(result<payload> ended) override { done_(std::move(ended)); }
  boost::asio::cancellation_slot cancellation_slot() noexcept override { return {}; }

private:
  completer<result<payload>> done_;
};

task<caf::expected<std::string>> call_host(connection_ptr self, std::string type, std::string text,
                                           std::uint64_t timeout_ms) {
  if (wire::frame_scanner{}.validate(text))
    co_return make_error(error{errc::invalid_payload}.with_message_type(type));
  auto ended = co_await external<result<payload>>(self, [&](completer<result<payload>> done) {
    self->state.link->send(
        {std::move(type), payload{std::move(text)}, std::chrono::milliseconds{timeout_ms}, {}},
        std::make_unique<completer_handler>(std::move(done)));
  });
  if (!ended)
    co_return std::move(ended.error());
  if (!*ended)
    co_return make_error(ended->error());
  co_return std::string{(*ended)->text()};
}

} // namespace

ipc_connection_state::~ipc_connection_state() {
  if (!link)
    return;
  std::string const why{describe(errc::runtime_stopped).sentence};
  link->detach(reason::requested, why);
  link->refuse(reason::requested, why);
}

ipc_connection_actor::behavior_type ipc_connection(connection_ptr self,
                                                   std::shared_ptr<host_link> link,
                                                   rate_limiter_actor const& limiter,
                                                   permission_guard_actor const& guard) {
  self->state.link = std::move(link);
  self->state.link->set_admission(admission_through(self, limiter));
  self->set_down_handler([self](caf::down_msg const&) { deny_everything(self); });
  self->monitor(limiter);
  self->monitor(guard);
  return {
      [self](open_atom) { self->state.link->open(); },
      [self](refuse_atom, reason why, std::string const& detail) {
        self->state.link->refuse(why, detail);
      },
      [self](admitted_atom, inbound_batch_ptr& batch) {
        self->state.link->admitted(std::move(batch));
      },
      [self](request_atom, std::string& type, std::string& text, std::uint64_t timeout_ms) {
        return run(self, call_host(self, std::move(type), std::move(text), timeout_ms));
      },
  };
}

} // namespace bulkhead
