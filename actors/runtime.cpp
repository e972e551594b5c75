#include <bulkhead/actors/runtime.hpp>

#include <bulkhead/actors/runtime_core.hpp>
#include <bulkhead/actors/spawning_scope.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/messages/traceparent.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <utility>

namespace bulkhead {
namespace {

/// Runs `what` on the loop's thread. What one thread asks for happens in the order in which it
/// asked.
template <class Function>
void on_loop(std::shared_ptr<runtime_core> const& core, Function what) {
  boost::asio::dispatch(core->on->context(), std::move(what));
}

/// Completes also where whoever was to complete it went down with the runtime: with
/// runtime_stopped.
template <class T>
completion<T> or_stopped(completion<T> done) {
  struct completed_once {
    explicit completed_once(completion<T> wanted)
        : done{std::move(wanted)} {}
    completed_once(completed_once&&) = delete;
    ~completed_once() { (*this)(error{errc::runtime_stopped}); }
    void operator()(result<T> ended) {
      if (auto const pending = std::exchange(done, nullptr))
        pending(std::move(ended));
    }
    completion<T> done;
  };
  return [once = std::make_shared<completed_once>(std::move(done))](result<T> ended) {
    (*once)(std::move(ended));
  };
}

/// Asks an actor from outside of the actor system and completes with its answer.
template <class T, class Actor, class Message>
void ask_and_complete(std::shared_ptr<runtime_core> const& core, Actor const& actor,
                      Message message, completion<T> wanted) {
  on_loop(core, [=, done = or_stopped(std::move(wanted))] {
    spawning_scope const spawning;
    core->on->system().spawn([=](caf::event_based_actor* self) {
      auto const failed = [=](caf::error& why) { done(to_error(why)); };
      if constexpr (std::is_void_v<T>)
        self->request(actor, caf::infinite, message).then([=] { done({}); }, failed);
      else
        self->request(actor, caf::infinite, message).then([=](T& answer) { done(answer); }, failed);
    });
  });
}

/// Lets the slot take the call back, from whichever thread it is used.
std::shared_ptr<call_ticket> connect_cancellation(std::shared_ptr<runtime_core> const& core,
                                                  std::shared_ptr<host_entry> const& host,
                                                  boost::asio::cancellation_slot slot) {
  if (!slot.is_connected())
    return nullptr;
  auto ticket = std::make_shared<call_ticket>();
  slot.assign([weak = std::weak_ptr{core}, host, ticket](boost::asio::cancellation_type) {
    auto const alive = weak.lock();
    if (!alive)
      return;
    auto const cancel = [host, ticket] {
      ticket->cancelled = true;
      if (ticket->id)
        host->link->cancel(*ticket->id);
    };
    boost::asio::dispatch(alive->on->context(), cancel);
  });
  return ticket;
}

} // namespace

// ---- host_handle ------------------------------------------------------------------------------

host_handle::host_handle(std::string id, std::shared_ptr<runtime_core> core,
                         std::shared_ptr<host_entry> entry)
    : id_{std::move(id)}
    , core_{std::move(core)}
    , entry_{std::move(entry)} {}

host_status host_handle::status() const {
  if (entry_)
    return entry_->record->snapshot();
  host_status unknown;
  unknown.host = id_;
  return unknown;
}

host_handle host_handle::traced(std::string_view traceparent) const {
  auto with_trace = *this;
  with_trace.traceparent_ = is_traceparent(traceparent) ? traceparent : std::string_view{};
  return with_trace;
}

boost::asio::io_context::executor_type host_handle::loop_executor() const {
  return core_->on->context().get_executor();
}

deadline host_handle::default_deadline() const {
  return entry_ ? deadline{entry_->policy.request_timeout} : deadline{};
}

payload host_handle::command_payload(std::string command, boost::json::array arguments) {
  return json{{"command", std::move(command)}, {"args", std::move(arguments)}};
}

void host_handle::submit(call_request call, std::unique_ptr<call_handler> handler) {
  auto ticket =
      entry_ ? connect_cancellation(core_, entry_, handler->cancellation_slot()) : nullptr;
  core_->submit({entry_, id_, std::move(call), std::move(handler), std::move(ticket)});
}

void host_handle::fail_control(errc code, completion<host_state> done) {
  boost::asio::post(core_->on->context(),
                    [done = std::move(done), code, id = id_] { done(error{code}.with_host(id)); });
}

void host_handle::start(completion<host_state> done) {
  if (!entry_ || !core_->accepting)
    return fail_control(entry_ ? errc::runtime_stopped : errc::unknown_host, std::move(done));
  on_loop(core_, [entry = entry_] { entry->link->expect_start(); });
  ask_and_complete<host_state>(core_, entry_->supervisor, start_atom::value, std::move(done));
}

void host_handle::stop(completion<host_state> done) {
  if (!entry_)
    return fail_control(errc::unknown_host, std::move(done));
  ask_and_complete<host_state>(core_, entry_->supervisor, stop_atom::value, std::move(done));
}

// ---- runtime ----------------------------------------------------------------------------------

runtime::runtime(policy what, runtime_options options)
    : core_{std::make_shared<runtime_core>(nullptr, std::move(what), std::move(options))} {}

runtime::runtime(boost::asio::io_context& loop, policy what, runtime_options options)
    : core_{std::make_shared<runtime_core>(&loop, std::move(what), std::move(options))} {}

runtime::~runtime() {
  core_->stop();
}

void runtime::start() {
  on_loop(core_, [core = core_] {
    if (std::exchange(core->started, true))
      return;
    for (auto const& host : core->hosts)
      if (host->policy.autostart)
        host->link->expect_start();
    caf::anon_send(core->actor, start_atom::value);
  });
}

host_handle runtime::host(std::string_view id) {
  return {std::string{id}, core_, core_->find(id)};
}

std::vector<host_handle> runtime::hosts() {
  std::vector<host_handle> all;
  for (auto const& entry : core_->hosts)
    all.push_back({entry->policy.id, core_, entry});
  return all;
}

void runtime::set_handler(std::string type, request_handler handler) {
  on_loop(core_, [core = core_, type = std::move(type), handler = std::move(handler)]() mutable {
    core->router.set_handler(std::move(type), std::move(handler));
  });
}

void runtime::on_event(std::function<void(host_event const&)> subscriber) {
  core_->subscribe(std::move(subscriber));
}

void runtime::on_usage(std::function<void(usage_report const&)> subscriber) {
  core_->subscribe_usage(std::move(subscriber));
}

resource_usage runtime::usage() const {
  resource_usage sum;
  for (auto const& host : core_->hosts)
    if (auto const now = host->record->snapshot(); now.pid != 0)
      sum += now.usage;
  return sum;
}

boost::asio::io_context::executor_type runtime::loop_executor() const {
  return core_->on->context().get_executor();
}

std::shared_ptr<policy const> runtime::active_policy() const {
  return core_->active();
}

void runtime::update_policy(policy changed, completion<std::vector<policy_change>> done) {
  if (!core_->accepting)
    return boost::asio::post(core_->on->context(),
                             [done = std::move(done)] { done(error{errc::runtime_stopped}); });
  auto const refused = fault_of(changed);
  auto rules = refused ? result<access_rules_ptr>{*refused}
                       : access_rules::compile(changed, core_->place.path());
  if (!rules)
    return boost::asio::post(core_->on->context(),
                             [done = std::move(done), why = rules.error()] { done(why); });
  auto next = std::make_shared<policy const>(std::move(changed));
  on_loop(core_, [core = core_, rules = std::move(*rules), next = std::move(next),
                  done = or_stopped(std::move(done))]() mutable {
    core->update(std::move(next), std::move(rules), std::move(done));
  });
}

typed_actors& runtime::actors() noexcept {
  return core_->typed;
}

void runtime::shutdown(completion<void> done) {
  core_->accepting = false;
  ask_and_complete<void>(core_, core_->actor, shutdown_atom::value, std::move(done));
}

} // namespace bulkhead
