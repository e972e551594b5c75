#pragma once

#include <bulkhead/messages/audit_record.hpp>
#include <bulkhead/messages/host_event.hpp>
#include <bulkhead/messages/inbound_batch.hpp>

#include <caf/actor.hpp>
#include <caf/atom.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/typed_actor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// The typed messages that the actors exchange. CAF 0.17 limits an atom to ten characters.
namespace bulkhead {

namespace platform {
struct compiled_code;
}

class access_rules;
class inbound_call;
class spare_process;
struct launch_profile;
struct watched_host;

/// What a policy says about what hosts may ask for (config/access_rules.hpp).
using access_rules_ptr = std::shared_ptr<access_rules const>;
/// An admitted request on its way to the service that answers it (actors/inbound_call.hpp).
using inbound_call_ptr = std::shared_ptr<inbound_call>;
/// A process whose use of resources is watched (actors/resource_monitor.hpp).
using watched_host_ptr = std::shared_ptr<watched_host>;
using audit_records = std::vector<audit_record>;
/// What makes the processes of two starts the same (actors/launch_profile.hpp).
using launch_profile_ptr = std::shared_ptr<launch_profile const>;
/// An extension's scripts, compiled (platform/code_file.hpp).
using compiled_code_ptr = std::shared_ptr<platform::compiled_code const>;
/// A process that waits for a host to take it (actors/spare_process.hpp).
using spare_process_ptr = std::shared_ptr<spare_process>;

using start_atom = caf::atom_constant<caf::atom("start")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using status_atom = caf::atom_constant<caf::atom("status")>;
using signal_atom = caf::atom_constant<caf::atom("signal")>;
using open_atom = caf::atom_constant<caf::atom("open")>;
using refuse_atom = caf::atom_constant<caf::atom("refuse")>;
using request_atom = caf::atom_constant<caf::atom("request")>;
using admit_atom = caf::atom_constant<caf::atom("admit")>;
using admitted_atom = caf::atom_constant<caf::atom("admitted")>;
using rules_atom = caf::atom_constant<caf::atom("rules")>;
using serve_atom = caf::atom_constant<caf::atom("serve")>;
using record_atom = caf::atom_constant<caf::atom("record")>;
using grant_atom = caf::atom_constant<caf::atom("grant")>;
using revoke_atom = caf::atom_constant<caf::atom("revoke")>;
using watch_atom = caf::atom_constant<caf::atom("watch")>;
using event_atom = caf::atom_constant<caf::atom("event")>;
using subscribe_atom = caf::atom_constant<caf::atom("subscribe")>;
using find_atom = caf::atom_constant<caf::atom("find")>;
using list_atom = caf::atom_constant<caf::atom("list")>;
using member_atom = caf::atom_constant<caf::atom("member")>;
using take_atom = caf::atom_constant<caf::atom("take")>;
using settle_atom = caf::atom_constant<caf::atom("settle")>;
using ready_atom = caf::atom_constant<caf::atom("ready")>;
using loaded_atom = caf::atom_constant<caf::atom("loaded")>;
using lost_atom = caf::atom_constant<caf::atom("lost")>;
using shutdown_atom = caf::atom_constant<caf::atom("shutdown")>;

/// What happened to the process of one host, as its supervisor hears of it.
struct host_signal {
  enum class kind : std::uint8_t {
    ready,         ///< extension-host-ready came
    violation,     ///< the violation budget is spent; `code` is the errc
    end_of_stream, ///< the host closed its connection, or it broke
    exited,        ///< the process ended; `why` and `code` say how
    launched,      ///< its launch has come further, or its program has ended in its sandbox
    exceeded,      ///< it passed a limit; `why` and `detail` say which
    activated,   ///< activate-extension was answered; `code` is 0 if well, and `detail` the answer
                 ///< of a host that has a code cache, else it says what went wrong
    deactivated, ///< deactivate-extension was answered, or can't be
    answered,    ///< a ping was
    connect_failed, ///< a named socket could not be connected; `code` is the errc
    stop,           ///< the end was asked for; `why` and `detail` say by whom
    turn,           ///< it is the host's turn to start in its group
    regroup,        ///< it is to end and start again with its group; `detail` says because of whom
  };
  kind what = kind::stop;
  /// Which process: the number of the start that made it. Late news of an earlier one is dropped.
  std::uint64_t generation = 0;
  reason why = reason::none;
  std::int32_t code = 0;
  std::string detail;
};

/// Owns the state machine of one host. `start` answers once the host is Running or has given up,
/// `stop` once its processes are gone.
using host_supervisor_actor = caf::typed_actor<
    caf::replies_to<start_atom>::with<host_state>, caf::replies_to<stop_atom>::with<host_state>,
    caf::replies_to<status_atom>::with<host_status>, caf::reacts_to<signal_atom, host_signal>>;

/// What its group hears of a host.
enum class member_step : std::uint8_t {
  waits,   ///< it asks for its turn to start
  running, ///< it is Running
  failed,  ///< it ended unasked, and waits out its backoff
  crashed, ///< it ended, and will not come back by itself
  stopped, ///< it was stopped
};

/// Keeps the order of the hosts of one group. `member` takes a host's id, what happened to it, and
/// why; `stop` answers once all of them are gone.
using host_group_actor =
    caf::typed_actor<caf::reacts_to<member_atom, std::string, member_step, std::string>,
                     caf::replies_to<stop_atom>::with<void>>;

/// Keeps ready processes for the hosts whose policy asks for them. `take` says that a host begins
/// to start, with that launch, and answers with a process for it or with null; `settle` that the
/// start is over, and whether it went well. `rules`: launches may have changed. `ready` and `lost`
/// come from its processes, by their numbers, `lost` with why. `stop` answers once none is left.
using warm_pool_actor = caf::typed_actor<
    caf::reacts_to<start_atom>,
    caf::replies_to<take_atom, std::string, launch_profile_ptr>::with<spare_process_ptr>,
    caf::reacts_to<settle_atom, std::string, bool>, caf::reacts_to<rules_atom>,
    caf::reacts_to<ready_atom, std::uint64_t>,
    caf::reacts_to<lost_atom, std::uint64_t, std::string>, caf::replies_to<stop_atom>::with<void>>;

/// Has extensions' scripts compiled. `take` says that a host begins to start, with that launch, and
/// answers with what there is compiled for it, or null; `find` answers the same and says nothing.
/// `loaded` tells which scripts of its extension it loaded and found not compiled, `settle` that
/// the start is over. `stop` answers once no process compiles any more.
using code_cache_actor = caf::typed_actor<
    caf::replies_to<take_atom, std::string, launch_profile_ptr>::with<compiled_code_ptr>,
    caf::replies_to<find_atom, launch_profile_ptr>::with<compiled_code_ptr>,
    caf::reacts_to<loaded_atom, std::string, std::vector<std::string>>,
    caf::reacts_to<settle_atom, std::string>, caf::replies_to<stop_atom>::with<void>>;

/// Owns the connection to one host, across its restarts.
/// `request` takes type, payload as JSON text and a time-out in milliseconds, and answers with the
/// reply's payload as JSON text.
using ipc_connection_actor = caf::typed_actor<
    caf::reacts_to<open_atom>, caf::reacts_to<refuse_atom, reason, std::string>,
    caf::reacts_to<admitted_atom, inbound_batch_ptr>,
    caf::replies_to<request_atom, std::string, std::string, std::uint64_t>::with<std::string>>;

/// Holds the rate limits of every host, marks what is too much in a batch and passes it on to the
/// guard. `revoke` forgets a host.
using rate_limiter_actor =
    caf::typed_actor<caf::reacts_to<rules_atom, access_rules_ptr>,
                     caf::reacts_to<revoke_atom, std::string>,
                     caf::reacts_to<admit_atom, inbound_batch_ptr, ipc_connection_actor>>;

/// Decides for every inbound request whether its host holds the permission that it needs and
/// whether the path rules allow its paths, and passes the batch on to the connection. `rules`
/// answers once they decide; `grant` says what a host's extension asks for (one bit a permission),
/// `revoke` forgets the host.
using permission_guard_actor =
    caf::typed_actor<caf::replies_to<rules_atom, access_rules_ptr>::with<void>,
                     caf::reacts_to<grant_atom, std::string, std::uint64_t>,
                     caf::reacts_to<revoke_atom, std::string>,
                     caf::reacts_to<admit_atom, inbound_batch_ptr, ipc_connection_actor>>;

/// Writes the audit log. `record` adds records; `admit` adds the records of a batch and passes it
/// on to the connection once they are on the disk; where they can't be, what they are about is
/// refused.
using audit_log_actor = caf::typed_actor<
    caf::reacts_to<record_atom, audit_records>,
    caf::reacts_to<admit_atom, inbound_batch_ptr, audit_records, ipc_connection_actor>>;

/// Looks at what every host uses, each second, and tells its supervisor where that is too much.
/// `watch` begins with a process, `revoke` ends with it.
using resource_monitor_actor = caf::typed_actor<caf::reacts_to<watch_atom, watched_host_ptr>,
                                                caf::reacts_to<revoke_atom, std::string>>;

/// Answers requests of the types that it serves; `revoke` ends what it holds for a host.
using service_actor = caf::typed_actor<caf::reacts_to<serve_atom, inbound_call_ptr>,
                                       caf::reacts_to<revoke_atom, std::string>>;

/// One a runtime: knows every host, passes events on to its subscribers, ends in order.
using runtime_actor =
    caf::typed_actor<caf::reacts_to<start_atom>,
                     caf::replies_to<find_atom, std::string>::with<host_supervisor_actor>,
                     caf::replies_to<list_atom>::with<std::vector<std::string>>,
                     caf::reacts_to<subscribe_atom, caf::actor>,
                     caf::reacts_to<event_atom, host_event>,
                     caf::replies_to<shutdown_atom>::with<void>>;

// ---- how they travel between nodes ------------------------------------------------------------

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, host_signal& x) {
  return f(caf::meta::type_name("bulkhead::host_signal"), x.what, x.generation, x.why, x.code,
           x.detail);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sandbox_report::layer& x) {
  return f(caf::meta::type_name("bulkhead::sandbox_layer"), x.name, x.holds, x.detail);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sandbox_report& x) {
  return f(caf::meta::type_name("bulkhead::sandbox_report"), x.tier, x.layers);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, resource_usage& x) {
  return f(caf::meta::type_name("bulkhead::resource_usage"), x.memory, x.memory_peak, x.cpu_time,
           x.cpu_percent, x.processes, x.descriptors, x.oom_kills, x.operations, x.bytes_in,
           x.bytes_out);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, start_times& x) {
  return f(caf::meta::type_name("bulkhead::start_times"), x.warm, x.prepared, x.created, x.staged,
           x.contained, x.executed, x.loaded, x.ready, x.activated);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, host_event& x) {
  return f(caf::meta::type_name("bulkhead::host_event"), x.kind, x.host, x.from, x.to, x.why,
           x.detail, x.pid, x.restarts, x.when, x.sandbox, x.start);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, host_status& x) {
  return f(caf::meta::type_name("bulkhead::host_status"), x.host, x.state, x.why, x.detail, x.pid,
           x.restarts, x.running_since, x.requests, x.failed, x.received, x.denied, x.violations,
           x.unresponsive_since, x.last_end, x.last_end_detail, x.sandbox, x.start, x.spares,
           x.warm_starts, x.cold_starts, x.spares_lost, x.code_cached, x.usage, x.commands,
           x.last_lines);
}

} // namespace bulkhead

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::access_rules_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::inbound_call_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::watched_host_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::audit_records)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::launch_profile_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::compiled_code_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::spare_process_ptr)
