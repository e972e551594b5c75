#include <bulkhead/actors/runtime_core.hpp>

#include <bulkhead/actors/audit_log.hpp>
#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/actors/code_cache.hpp>
#include <bulkhead/actors/file_service.hpp>
#include <bulkhead/actors/host_group.hpp>
#include <bulkhead/actors/host_supervisor.hpp>
#include <bulkhead/actors/ipc_connection.hpp>
#include <bulkhead/actors/log_format.hpp>
#include <bulkhead/actors/permission_guard.hpp>
#include <bulkhead/actors/policy_secrets.hpp>
#include <bulkhead/actors/rate_limiter.hpp>
#include <bulkhead/actors/resource_monitor.hpp>
#include <bulkhead/actors/runtime_supervisor.hpp>
#include <bulkhead/actors/secret_store.hpp>
#include <bulkhead/actors/spawning_scope.hpp>
#include <bulkhead/actors/warm_pool.hpp>
#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/platform/embedded_file.hpp>
#include <bulkhead/platform/ownership.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace bulkhead {
namespace {

/// Writes what a Node host runs into a folder in the runtime's own directory, which other users
/// can't enter.
result<std::filesystem::path> write_scripts(platform::run_directory const& place) {
  std::vector<std::pair<std::string_view, std::string_view>> files;
  for (auto const& file : platform::node_runtime_files())
    files.emplace_back(file.name, file.content);
  return place.write_folder("node", files);
}

policy checked(policy rules) {
  if (auto const fault = fault_of(rules))
    throw *fault;
  return rules;
}

host_servants spawn_servants(loop& on, policy const& what, platform::run_directory const& place,
                             platform::containment const& containment,
                             std::shared_ptr<spdlog::logger> const& log,
                             std::function<void(usage_report const&)> publish_usage) {
  auto& system = on.system();
  auto const rules = access_rules::compile(what, place.path()).value();
  host_servants all;
  auto const sink = std::make_shared<audit_sink>(
      platform::audit_file::options{what.audit_file(), what.audit.rotate_at, what.audit.keep}, log);
  all.audit = system.spawn(audit_log, audit_surroundings{on, log, sink});
  all.guard = system.spawn(
      permission_guard, rules,
      guard_auditing{all.audit, what.audit.level, what.audit.required,
                     [sink](audit_records const& records) { sink->write_last(records); }});
  all.limiter = system.spawn(rate_limiter, all.guard, rules);
  all.files = system.spawn(file_service, file_surroundings{on, log});
  all.secrets = system.spawn(secret_store, secret_surroundings{on, log, what.name, secrets_of(what),
                                                               what.secrets.cache_ttl});
  all.monitor = system.spawn(resource_monitor,
                             monitor_surroundings{on, containment, std::move(publish_usage)});
  return all;
}

/// Brings what belongs to the protocol to those who serve it.
void serve(request_router& router, host_servants const& servants) {
  auto const pass_on = [](service_actor const& to) {
    return [to](inbound_call_ptr call, host_record&) {
      caf::anon_send(to, serve_atom::value, std::move(call));
    };
  };
  for (auto const& served : served_requests())
    if (served.type.starts_with("fs.") || served.type == "workspace-find-files")
      router.set_service(served.type, pass_on(servants.files));
    else if (served.type.starts_with("secret"))
      router.set_service(served.type, pass_on(servants.secrets));
}

audit_record record_of(policy_change const& change) {
  audit_record made;
  made.time = std::chrono::system_clock::now();
  made.host = "runtime";
  made.what = "policy.updated";
  made.object = change.key;
  made.rule = change.from + " -> " + change.to;
  return made;
}

/// More than any number of requests can be open.
constexpr std::size_t last_turns = 4'000'000;

/// Standard output is the backend's own.
std::shared_ptr<spdlog::logger> make_logger(policy const& rules) {
  auto logger = std::make_shared<spdlog::logger>(
      "bulkhead", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(spdlog::level::from_str(rules.log_level));
  if (rules.log_format == log_format::json_lines)
    logger->set_formatter(json_log_formatter());
  return logger;
}

/// What load_policy() would have refused.
std::optional<error> fault_of_groups(policy const& rules) {
  for (auto const& group : rules.groups)
    for (auto const& host : group.hosts)
      if (!rules.find_host(host) || rules.group_of(host) != &group ||
          std::ranges::count(group.hosts, host) != 1)
        return error{errc::policy_conflict,
                     "group " + group.name + " names " + host +
                         ", which is no host of the policy or stands in a group twice",
                     "name each host once, in one group"};
  return std::nullopt;
}

} // namespace

std::optional<error> fault_of(policy const& rules) {
  if (auto fault = fault_of_groups(rules))
    return fault;
  for (auto const& host : rules.hosts)
    if (host.sandbox.require != sandbox_tier::none && host.transport == host_transport::sockets)
      return error{errc::policy_conflict, "a contained host can't reach a socket by its path",
                   "use  transport = \"socketpair\""}
          .with_host(host.id);
  for (auto const& host : rules.hosts)
    if (auto const never = why_never_warm(host); never && host.start.warm != 0)
      return error{errc::policy_conflict,
                   "no process can be kept ready: the host " + std::string{*never},
                   "use  start.warm = 0"}
          .with_host(host.id);
  for (auto const& host : rules.hosts)
    if (auto const never = why_never_compiled(host); never && host.start.code_cache)
      return error{errc::policy_conflict,
                   "no scripts can be compiled ahead: the host " + std::string{*never},
                   "use  start.code_cache = false"}
          .with_host(host.id);
  if (rules.file.empty())
    return std::nullopt;
  auto const safe = platform::require_safe_path(rules.file);
  return safe ? std::nullopt : std::optional<error>{safe.error()};
}

runtime_core::runtime_core(boost::asio::io_context* given, policy rules, runtime_options wanted)
    : owns_loop{given == nullptr}
    , what{checked(std::move(rules))}
    , log{wanted.logger ? std::move(wanted.logger) : make_logger(what)}
    , place{platform::run_directory::create(what.state_dir, what.name).value()}
    , scripts{write_scripts(place).value()}
    , containment{platform::containment::create(
          {place.path().filename().string(), scripts, what.first_uid})}
    , on{given ? std::make_unique<loop>(*given, add_message_types)
               : std::make_unique<loop>(add_message_types)}
    , router{*on, log}
    , surroundings{*on,
                   what,
                   log,
                   router,
                   place,
                   *containment,
                   scripts / "bootstrap.js",
                   [this] { return active(); }}
    , actor{on->system().spawn(runtime_supervisor, std::cref(hosts), std::cref(groups),
                               std::cref(pool), std::cref(cache), what.drain_timeout, log,
                               [this](host_event const& event) { publish(event); })}
    , servants{spawn_servants(*on, what, place, *containment, log,
                              [this](usage_report const& report) { publish_usage(report); })}
    , typed{on->system(), actor} {
  spawning_scope const spawning;
  active_ = std::make_shared<policy const>(what);
  serve(router, servants);
  for (auto const& group : what.groups)
    groups.push_back({group, on->system().spawn(host_group, std::cref(group), std::cref(hosts))});
  auto const is_code_cached = [](host_policy const& host) { return host.start.code_cache; };
  if (std::ranges::any_of(what.hosts, is_code_cached))
    cache = on->system().spawn(code_cache, code_cache_surroundings{surroundings, hosts, actor});
  auto const is_kept_warm = [](host_policy const& host) { return host.start.warm != 0; };
  if (std::ranges::any_of(what.hosts, is_kept_warm))
    pool = on->system().spawn(warm_pool, warm_pool_surroundings{surroundings, hosts, actor, cache});
  hosts.reserve(what.hosts.size());
  for (auto const& host : what.hosts)
    add_host(host);
}

void runtime_core::add_host(host_policy const& host) {
  auto record = std::make_shared<host_record>(host.id);
  auto link = std::make_shared<host_link>(
      host_link::surroundings{*on, host, *record, router, surroundings.scratch});
  auto connection = on->system().spawn(ipc_connection, link, servants.limiter, servants.guard);
  auto const group = std::ranges::find(groups, what.group_of(host.id),
                                       [](group_entry const& each) { return &each.policy; });
  auto supervisor = on->system().spawn(
      host_supervisor,
      supervisor_surroundings{surroundings, host, record, link, connection, servants, actor,
                              group != groups.end() ? group->actor : host_group_actor{},
                              host.start.warm != 0 ? pool : warm_pool_actor{},
                              host.start.code_cache ? cache : code_cache_actor{}});
  typed.add(host.id, {supervisor, connection});
  hosts.push_back(std::make_shared<host_entry>(
      host_entry{host, std::move(record), std::move(link), connection, supervisor}));
}

void runtime_core::stop() {
  accepting = false;
  on->stop();
  stopped_ = true;
  if (!owns_loop)
    return; // the backend goes on running its loop, and with it what is left
  // Requests whose end is under way still end. Bounded, should each end bring forth another
  // request.
  auto& context = on->context();
  context.restart();
  for (std::size_t i = 0; i < last_turns && context.poll_one() != 0; ++i) {
  }
}

std::shared_ptr<host_entry> runtime_core::find(std::string_view id) const {
  auto const found = std::ranges::find(
      hosts, id, [](auto const& host) -> std::string_view { return host->policy.id; });
  return found != hosts.end() ? *found : nullptr;
}

void runtime_core::submit(submission&& what_to_send) {
  if (!accepting)
    return fail_later(std::move(what_to_send), errc::runtime_stopped);
  if (on->is_loop_thread())
    return send(std::move(what_to_send));
  {
    std::lock_guard lock{mutex_};
    submitted_.push_back(std::move(what_to_send));
    if (submitted_.size() > 1)
      return; // the loop has been rung
  }
  boost::asio::post(on->context(), [self = shared_from_this()] { self->send_submitted(); });
}

void runtime_core::send_submitted() {
  std::vector<submission> taken;
  {
    std::lock_guard lock{mutex_};
    taken.swap(submitted_);
  }
  for (auto& each : taken)
    send(std::move(each));
}

void runtime_core::send(submission&& each) {
  if (stopped_)
    return fail_later(std::move(each), errc::runtime_stopped);
  if (!each.host)
    return fail_later(std::move(each), errc::unknown_host);
  if (each.ticket && each.ticket->cancelled)
    return fail_later(std::move(each), errc::request_cancelled);
  auto const ticket = std::move(each.ticket);
  auto const id = each.host->link->send(std::move(each.call), std::move(each.handler));
  if (ticket)
    ticket->id = id;
}

void runtime_core::fail_later(submission each, errc code) {
  auto why = error{code}.with_host(std::move(each.host_id)).with_message_type(each.call.type);
  boost::asio::post(on->context(),
                    [handler = std::move(each.handler), why = std::move(why)]() mutable {
                      handler->complete(std::move(why));
                    });
}

std::shared_ptr<policy const> runtime_core::active() const {
  std::lock_guard const lock{mutex_};
  return active_;
}

void runtime_core::update(std::shared_ptr<policy const> changed, access_rules_ptr rules,
                          completion<std::vector<policy_change>> done) {
  auto const before = active();
  auto changes = policy_changes(*before, *changed);
  {
    std::lock_guard const lock{mutex_};
    active_ = std::move(changed);
  }
  audit_records records;
  for (auto const& change : changes)
    records.push_back(record_of(change));
  caf::anon_send(servants.audit, record_atom::value, std::move(records));
  caf::anon_send(servants.limiter, rules_atom::value, rules);
  if (pool)
    caf::anon_send(pool, rules_atom::value);
  spawning_scope const spawning;
  on->system().spawn([this_guard = servants.guard, rules = std::move(rules),
                      changes = std::move(changes),
                      done = std::move(done)](caf::event_based_actor* self) {
    self->request(this_guard, caf::infinite, rules_atom::value, rules)
        .then([=] { done(changes); }, [=](caf::error& why) { done(to_error(why)); });
  });
}

void runtime_core::subscribe(std::function<void(host_event const&)> subscriber) {
  boost::asio::dispatch(on->context(),
                        [self = shared_from_this(), subscriber = std::move(subscriber)]() mutable {
                          self->subscribers_.push_back(std::move(subscriber));
                        });
}

void runtime_core::subscribe_usage(std::function<void(usage_report const&)> subscriber) {
  boost::asio::dispatch(on->context(),
                        [self = shared_from_this(), subscriber = std::move(subscriber)]() mutable {
                          self->usage_subscribers_.push_back(std::move(subscriber));
                        });
}

void runtime_core::publish_usage(usage_report const& report) {
  for (std::size_t i = 0; i < usage_subscribers_.size(); ++i)
    std::function{usage_subscribers_[i]}(report);
}

void runtime_core::publish(host_event const& event) {
  // By index: a subscriber may subscribe another one.
  for (std::size_t i = 0; i < subscribers_.size(); ++i)
    std::function{subscribers_[i]}(event);
}

} // namespace bulkhead
