#include <bulkhead/config/policy_keys.hpp>

#include <bulkhead/config/units.hpp>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace bulkhead::policy_keys {
namespace {

using namespace std::chrono_literals;

// In the order of their enumerations.
constexpr std::string_view runtimes[] = {"node", "command"};
constexpr std::string_view transports[] = {"socketpair", "sockets"};
constexpr std::string_view secret_backends[] = {"auto", "secret-service", "vault", "memory"};
constexpr std::string_view audit_levels[] = {"changes", "everything"};
constexpr std::string_view strategies[] = {"one_for_one", "all_for_one", "rest_for_one"};
constexpr std::string_view tiers[] = {"none", "basic", "strong"};
// spdlog's names.
constexpr std::string_view log_formats[] = {"text", "json"};
constexpr std::string_view log_levels[] = {"trace", "debug",    "info", "warn",
                                           "error", "critical", "off"};

/// A choice whose slot is an enumeration in the order of the names.
template <auto Slot>
constexpr choice enumerated(std::span<std::string_view const> names) {
  using enumeration = std::remove_cvref_t<decltype(Slot(std::declval<draft&>()))>;
  return {names, [](draft& d) { return static_cast<std::size_t>(Slot(d)); },
          [](draft& d, std::size_t index) { Slot(d) = static_cast<enumeration>(index); }};
}

constexpr choice log_level{
    log_levels,
    [](draft& d) {
      return static_cast<std::size_t>(std::ranges::find(log_levels, d.file.log_level) - log_levels);
    },
    [](draft& d, std::size_t index) { d.file.log_level = log_levels[index]; }};

/// A day is longer than anything that a program waits for, and keeps all sums of times far from
/// overflow.
constexpr auto longest = 24h;
/// A timeout of zero would be read as "none" by half of all readers, so there is none.
constexpr auto shortest = 1ms;
/// Past a thousand restarts "never give up" and "give up" are the same to whoever waits.
constexpr std::uint32_t most_restarts = 1000;
/// Some hundreds of megabytes of bookkeeping; half of what a request table can hold, so that
/// requests of Bulkhead's own always find room.
constexpr std::size_t most_in_flight = std::size_t{1} << 19;
/// Room for the envelope and a short payload, so that a host can always be told what went wrong.
constexpr std::size_t smallest_frame = 1024;
/// Beyond it a second backoff would already be the longest.
constexpr double largest_factor = 100;
constexpr int largest_exit_code = 255;
/// More than a connection carries: as good as no limit.
constexpr std::uint32_t highest_rate = 10'000'000;
constexpr std::size_t most_operations = std::size_t{1} << 40;
constexpr std::size_t smallest_memory = std::size_t{4} << 20;
constexpr std::uint32_t largest_cpu_percent = 100 * 1024;
constexpr auto longest_cpu_time = 24h * 365;
constexpr std::uint32_t most_processes = 1u << 22; // the kernel's own
/// The three streams, the channel, and what a dynamic loader opens.
constexpr std::uint32_t least_open_files = 8;
constexpr std::uint32_t most_open_files = 1u << 20;
constexpr std::size_t smallest_output_rate = 1024;
/// 600 MiB of ready processes for one host, 10 GiB for all: past that somebody meant a cluster.
constexpr std::uint32_t most_warm = 64;
constexpr std::uint32_t largest_warm_limit = 1024;
/// No user of the system's own; and Linux has no uid of all ones.
constexpr std::uint32_t least_uid = 1000;
constexpr std::uint32_t most_uid = 4'000'000'000;
constexpr std::size_t largest_storage = std::size_t{1} << 50;
/// Below it a log would rotate with every group of records.
constexpr std::size_t smallest_rotation = 64 * 1024;
constexpr std::size_t largest_rotation = std::size_t{1} << 40;
/// As many as the log looks for when it is opened.
constexpr std::uint32_t most_rotated = 500;

/// The slot at the end of a path of members, in the policy of the file or in that of a host.
// clang-format off
template <auto... Members>
constexpr auto in_file = [](draft& d) -> auto& { return (d.file .* ... .* Members); };
template <auto... Members>
constexpr auto in_host = [](draft& d) -> auto& { return (d.host .* ... .* Members); };
template <auto... Members>
constexpr auto in_group = [](draft& d) -> auto& { return (d.group .* ... .* Members); };
// clang-format on

constexpr key table[] = {
    {"runtime.name", name{in_file<&policy::name>}, "Names the runtime directory and the metrics",
     "one backend on a machine needs no other name"},
    {"runtime.state_dir", path{in_file<&policy::state_dir>},
     "The folder for what outlives a run; only its owner may enter it",
     "beside the policy, where whoever finds the policy finds it"},
    {"runtime.log_level", log_level, "The least severe messages that are logged",
     "what an operator wants to have seen afterwards, and no more"},
    {"runtime.log_format", enumerated<in_file<&policy::log_format>>(log_formats),
     "What a message of the log is: a line of text, or a line of JSON with time, level, host and "
     "message",
     "people read it first"},
    {"runtime.drain_timeout", time{in_file<&policy::drain_timeout>, shortest, longest},
     "On shutdown: how long open requests may go on before the hosts are stopped",
     "answers that come at all come within seconds, and who stops a service waits for it"},
    {"runtime.first_uid", count<std::uint32_t>{in_file<&policy::first_uid>, least_uid, most_uid},
     "Started by root, each host runs under a uid of its own, from this one up",
     "no system hands out uids from 65536 to 524287"},
    {"runtime.warm_limit",
     count<std::uint32_t>{in_file<&policy::warm_limit>, 0, largest_warm_limit},
     "How many ready processes there are at the most, of all hosts together; see "
     "hosts.*.start.warm",
     "each holds some 40MiB, most of them shared: what a small machine spares unasked"},
    {"hosts.*.extension", path{in_host<&host_policy::extension>},
     "A folder with package.json, or a single .js, .mjs or .cjs file; a node host needs it",
     "nothing runs that is not named"},
    {"hosts.*.runtime", enumerated<in_host<&host_policy::runtime>>(runtimes),
     "What runs the extension: Node with the bundled bootstrap, or a program that speaks the "
     "protocol",
     "most extensions are JavaScript"},
    {"hosts.*.command", command{in_host<&host_policy::command>},
     "With runtime = \"command\": the program and its arguments", "nothing runs that is not named"},
    {"hosts.*.transport", enumerated<in_host<&host_policy::transport>>(transports),
     "How host and backend are connected: an inherited socket, or two sockets with a path",
     "an inherited socket has no name that another process could connect to"},
    {"hosts.*.autostart", flag{in_host<&host_policy::autostart>},
     "Whether the host starts with the runtime", "a host is named because it is wanted"},
    {"hosts.*.permissions",
     permissions{in_host<&host_policy::permissions>, in_host<&host_policy::granted_at>},
     "What the extension is granted; what holds is what its package.json asks for as well",
     "nothing is granted unless it is written"},
    {"hosts.*.strict_permissions", flag{in_host<&host_policy::strict_permissions>},
     "Whether an extension that asks for more than it is granted is refused",
     "an extension that runs with less is still useful, and the difference is reported"},
    {"hosts.*.environment", environment{in_host<&host_policy::environment>},
     "The environment variables of the process; it gets no others from here",
     "the backend's own environment holds secrets"},
    {"hosts.*.request_timeout", time{in_host<&host_policy::request_timeout>, shortest, longest},
     "How long a request may take that names no deadline of its own",
     "what an interactive caller will wait for at the most"},
    {"hosts.*.start_timeout", time{in_host<&host_policy::start_timeout>, shortest, longest},
     "How long the process may take until it says that it is ready",
     "Node starts in well under a second; ten allow for a cold disk and a loaded machine"},
    {"hosts.*.start.warm",
     count<std::uint32_t>{in_host<&host_policy::start, &start_policy::warm>, 0, most_warm},
     "Processes that are kept ready for the host, sandboxed and without its extension: a start "
     "that "
     "takes one is done in milliseconds. Hosts whose launch is the same in everything share them",
     "memory is held for nothing by hosts that start once"},
    {"hosts.*.start.code_cache", flag{in_host<&host_policy::start, &start_policy::code_cache>},
     "Whether its scripts are compiled once, by a process in a sandbox of its own that runs none "
     "of "
     "them, and later starts take the result where the script is still the same; in memory alone",
     "small extensions gain nothing"},
    {"hosts.*.filesystem.workspace",
     folders{in_host<&host_policy::filesystem, &filesystem_policy::workspace>},
     "The folders that workspace.* means; a relative path of the extension's is relative to the "
     "first",
     "nothing is shown that is not named"},
    {"hosts.*.filesystem.read",
     patterns{in_host<&host_policy::filesystem, &filesystem_policy::rules, &path_rule_set::read>,
              false},
     "What may be read, given fileSystem.read: files, folders with all below, globs",
     "nothing is allowed unless it is written"},
    {"hosts.*.filesystem.write",
     patterns{in_host<&host_policy::filesystem, &filesystem_policy::rules, &path_rule_set::write>,
              false},
     "What may be written, given fileSystem.write, and deleted, given fileSystem.delete",
     "nothing is allowed unless it is written"},
    {"hosts.*.filesystem.deny",
     patterns{in_host<&host_policy::filesystem, &filesystem_policy::rules, &path_rule_set::deny>,
              true},
     "What may be neither read nor written, whatever the rest says; \"**/NAME\" is anywhere",
     "what is not allowed is denied already"},
    {"hosts.*.rate_limit.requests_per_second",
     count<std::uint32_t>{
         in_host<&host_policy::rate_limit, &rate_limit_policy::requests_per_second>, 1,
         highest_rate},
     "The requests that it may send in each second, all types together",
     "more than a person causes, less than a loop does"},
    {"hosts.*.rate_limit.burst",
     count<std::uint32_t>{in_host<&host_policy::rate_limit, &rate_limit_policy::burst>, 1,
                          highest_rate},
     "How many requests may come at once", "a second's worth: a start asks for much together"},
    {"hosts.*.rate_limit.per_type",
     rates{in_host<&host_policy::rate_limit, &rate_limit_policy::per_type>, 1, highest_rate},
     "Lower limits for single types: type = requests per second, as many of them at once",
     "one limit is enough until a type is dear"},
    {"hosts.*.restart.max_restarts",
     count<std::uint32_t>{in_host<&host_policy::restart, &restart_policy::max_restarts>, 0,
                          most_restarts},
     "How often a failed host is started again within the window; 0 is never",
     "a fault that three fresh starts don't mend is not transient"},
    {"hosts.*.restart.window",
     time{in_host<&host_policy::restart, &restart_policy::window>, shortest, longest},
     "How long a failure counts", "failures further apart than this are separate incidents"},
    {"hosts.*.restart.backoff.initial",
     time{in_host<&host_policy::restart, &restart_policy::backoff_initial>, 0ms, longest},
     "The wait before the first restart",
     "long enough for a port or a file lock to be released, short enough to go unnoticed"},
    {"hosts.*.restart.backoff.factor",
     fraction{in_host<&host_policy::restart, &restart_policy::backoff_factor>, 1, largest_factor},
     "By what each further wait is longer than the one before",
     "doubling: 1 s, 2 s, 4 s within the three restarts"},
    {"hosts.*.restart.backoff.max",
     time{in_host<&host_policy::restart, &restart_policy::backoff_max>, 0ms, longest},
     "The longest wait", "waiting longer does not help a user who watches"},
    {"hosts.*.restart.backoff.jitter",
     fraction{in_host<&host_policy::restart, &restart_policy::backoff_jitter>, 0, 1},
     "Each wait is multiplied by a random number in [1 - jitter, 1 + jitter]",
     "spreads hosts that fell together, without making a wait surprising"},
    {"hosts.*.restart.reset_after",
     time{in_host<&host_policy::restart, &restart_policy::reset_after>, 0ms, longest},
     "So long of stable running forgets all earlier failures",
     "an extension that served for this long has started properly"},
    {"hosts.*.restart.never_on_exit_codes",
     exit_codes{in_host<&host_policy::restart, &restart_policy::never_on_exit_codes>, 0,
                largest_exit_code},
     "Exit codes after which the host is not started again",
     "only the extension's author knows which of its exits are final"},
    {"hosts.*.health.ping_interval",
     time{in_host<&host_policy::health, &health_policy::ping_interval>, shortest, longest},
     "How long after its last answer the host is asked again whether it lives",
     "often enough to tell a silence of seconds, too seldom to be seen in a profile"},
    {"hosts.*.health.unresponsive_after",
     time{in_host<&host_policy::health, &health_policy::unresponsive_after>, shortest, longest},
     "Silence after which an event says so, and what the host does", "people take it for a fault"},
    {"hosts.*.health.kill_after",
     time{in_host<&host_policy::health, &health_policy::kill_after>, shortest, longest},
     "Silence after which the host is killed as hung, and started again within its budget",
     "a large index may block an extension for seconds; half a minute is a fault"},
    {"hosts.*.stop.deactivate_timeout",
     time{in_host<&host_policy::stop, &stop_policy::deactivate_timeout>, shortest, longest},
     "How long the extension's own deactivate may take", "time for it to flush what it holds"},
    {"hosts.*.stop.term_timeout",
     time{in_host<&host_policy::stop, &stop_policy::term_timeout>, shortest, longest},
     "Time between SIGTERM and SIGKILL",
     "as systemd and Kubernetes users know it, shortened for interactive use"},
    {"hosts.*.limits.memory",
     size{in_host<&host_policy::limits, &host_limits::memory>, smallest_memory, largest_storage},
     "Memory of all its processes together, files in its /tmp included; Node needs 64MiB",
     "a language server with a large project fits, a leak does not go on for long"},
    {"hosts.*.limits.cpu_percent",
     count<std::uint32_t>{in_host<&host_policy::limits, &host_limits::cpu_percent>, 0,
                          largest_cpu_percent},
     "The share of one core that all its processes have together; 0 is no limit, nor is there one "
     "where sandbox.require is \"none\"",
     "half a core leaves the machine to the backend"},
    {"hosts.*.limits.cpu_time",
     time{in_host<&host_policy::limits, &host_limits::cpu_time>, 0ms, longest_cpu_time},
     "CPU time in total from one start to the next, in whole seconds; \"0s\" is no limit",
     "a service runs for as long as it is wanted"},
    {"hosts.*.limits.request_time",
     time{in_host<&host_policy::limits, &host_limits::request_time>, 0ms, longest},
     "How long a request to the host may be open before the host counts as hung, looked at with "
     "each ping; \"0s\" is no limit",
     "each request has its own time-out, and a host that answers pings is not hung"},
    {"hosts.*.limits.processes",
     count<std::uint32_t>{in_host<&host_policy::limits, &host_limits::processes>, 1,
                          most_processes},
     "Processes at a time, each with all its threads counted; Node needs 11",
     "Node starts with eleven threads; twenty more are room for its workers"},
    {"hosts.*.limits.open_files",
     count<std::uint32_t>{in_host<&host_policy::limits, &host_limits::open_files>, least_open_files,
                          most_open_files},
     "Open files of each process at a time; Node needs 20",
     "a language server's open documents and watches fit"},
    {"hosts.*.limits.file_size",
     size{in_host<&host_policy::limits, &host_limits::file_size>, 0, largest_storage},
     "Bytes of any file that it writes itself", "as much as it may store"},
    {"hosts.*.limits.storage",
     size{in_host<&host_policy::limits, &host_limits::storage>, 0, largest_storage},
     "Bytes that it may keep in its storage, logs and temp folders together",
     "what caches and an index take, and a fraction of any disk"},
    {"hosts.*.limits.fs_operations",
     count<std::size_t>{in_host<&host_policy::limits, &host_limits::fs_operations>, 0,
                        most_operations},
     "File operations that it may ask for from one start to the next; 0 is no limit",
     "the rate limit bounds them in time already"},
    {"hosts.*.limits.network_requests", planned{}, "Brokered network requests in total", ""},
    {"hosts.*.limits.output_rate",
     size{in_host<&host_policy::limits, &host_limits::output_rate>, smallest_output_rate,
          largest_storage},
     "Bytes a second of stdout and stderr together, as a mean over ten seconds; past it the host "
     "is "
     "ended",
     "more than anybody reads, less than fills a disk in an hour"},
    {"hosts.*.limits.in_flight",
     count<std::size_t>{in_host<&host_policy::limits, &host_limits::in_flight>, 1, most_in_flight},
     "Open requests in each direction; one more is refused",
     "four times what a busy editor session was seen to have open; bounds memory"},
    {"hosts.*.limits.frame",
     size{in_host<&host_policy::limits, &host_limits::frame>, smallest_frame, defaults::frame},
     "Bytes of one frame, without its length prefix", "the wire protocol's own limit"},
    {"hosts.*.sandbox.require",
     enumerated<in_host<&host_policy::sandbox, &sandbox_policy::require>>(tiers),
     "The least containment with which the host may start: with \"basic\" it has what the machine "
     "offers, with \"none\" it is a plain process that can do what its user can",
     "nobody may believe to be contained who is not"},
    {"hosts.*.sandbox.network", flag{in_host<&host_policy::sandbox, &sandbox_policy::network>},
     "Whether it may open sockets itself, and reach what this machine reaches",
     "what it needs goes through the backend, which can see and limit it"},
    {"hosts.*.sandbox.file_write",
     flag{in_host<&host_policy::sandbox, &sandbox_policy::file_write>},
     "Whether it may write its storage, logs and temp folders itself and not through the backend "
     "only",
     "what goes through the backend is counted to the byte"},
    {"hosts.*.sandbox.strict_mode",
     flag{in_host<&host_policy::sandbox, &sandbox_policy::strict_mode>},
     "Whether Node makes no code from strings (eval, Function) and loads no native addons",
     "code that was not there when the extension was looked at is the first thing an attack needs"},
    {"hosts.*.sandbox.landlock", flag{in_host<&host_policy::sandbox, &sandbox_policy::landlock>},
     "Whether Landlock guards its files on top of the namespaces; \"basic\" can't do without",
     "a second lock of another make"},
    {"hosts.*.sandbox.seccomp", filter{in_host<&host_policy::sandbox, &sandbox_policy::seccomp>},
     "The filter of system calls: \"default\" is the one that goes with the runtime, else a file "
     "with a BPF program",
     "each call that is allowed was seen to be needed"},
    {"hosts.*.integrity.interpreter_sha256",
     digests{in_host<&host_policy::integrity, &integrity_policy::interpreter_sha256>},
     "The interpreters, or commands, that may run; empty is any. See bulkhead integrity",
     "a pin that nobody renews stops a service at the next update of the system"},
    {"hosts.*.integrity.extension_sha256",
     digest{in_host<&host_policy::integrity, &integrity_policy::extension_sha256>},
     "The digest of the extension's files; empty is any. See bulkhead integrity",
     "who writes an extension changes it all day"},
    {"groups.*.hosts", host_names{in_group<&group_policy::hosts>},
     "Hosts that belong together, in the order in which they start, each once the one before is "
     "Running; they stop in the reverse order. A host is in one group at the most",
     "nothing is put together that is not named"},
    {"groups.*.restart", enumerated<in_group<&group_policy::restart>>(strategies),
     "What becomes of the others when a host of the group ends unasked: nothing, all are started "
     "again, or those after it are. It alone spends its restart budget; once that is spent the "
     "others stop, until it runs again",
     "an extension that fails hurts no other"},
    {"requests", requests{in_file<&policy::requests>},
     "Requests that the embedder handles: type = permission that it needs. Other types are denied",
     "nothing is allowed unless it is written"},
    {"secrets.backend",
     enumerated<in_file<&policy::secrets, &secrets_policy::backend>>(secret_backends),
     "Where secrets are kept: the desktop's keyring, an encrypted file, or (for tests) memory. "
     "\"auto\" is the vault if it has a passphrase, else the keyring",
     "a server has a passphrase and a desktop a keyring; without either no secret is kept"},
    {"secrets.vault", path{in_file<&policy::secrets, &secrets_policy::vault>},
     "The vault's file; without it, \"vault\" in the state directory",
     "beside the rest of what outlives a run"},
    {"secrets.passphrase_file", path{in_file<&policy::secrets, &secrets_policy::passphrase_file>},
     "A file that holds the vault's passphrase and that only its owner can read",
     "nothing is guessed"},
    {"secrets.passphrase_credential",
     name{in_file<&policy::secrets, &secrets_policy::passphrase_credential>},
     "The systemd credential that holds the vault's passphrase", "nothing is guessed"},
    {"secrets.passphrase_variable",
     name{in_file<&policy::secrets, &secrets_policy::passphrase_variable>},
     "The environment variable of the backend that holds the vault's passphrase; a file or a "
     "credential is safer",
     "nothing is guessed"},
    {"secrets.cache_ttl", time{in_file<&policy::secrets, &secrets_policy::cache_ttl>, 0ms, longest},
     "How long a secret of the keyring may be answered from (encrypted) memory; \"0s\" is never. A "
     "vault "
     "is always read anew",
     "spares the keyring a burst of requests, and a change made elsewhere is soon seen"},
    {"audit.file", path{in_file<&policy::audit, &audit_policy::file>},
     "The audit log; without it, \"audit.jsonl\" in the state directory",
     "beside the rest of what outlives a run"},
    {"audit.required", flag{in_file<&policy::audit, &audit_policy::required>},
     "Whether a request that would have to be recorded is refused while the log can't be written",
     "a full disk is to be loud and not to stop a service, unless its owner says so"},
    {"audit.level", enumerated<in_file<&policy::audit, &audit_policy::level>>(audit_levels),
     "Which allowed requests are recorded: those that change files or concern secrets, or all. "
     "Every denial is recorded",
     "what somebody will ask for afterwards, without a line for each read"},
    {"audit.rotate_at",
     size{in_file<&policy::audit, &audit_policy::rotate_at>, smallest_rotation, largest_rotation},
     "Bytes after which the log goes on in a new file",
     "an editor still opens a file of that size"},
    {"audit.keep",
     count<std::uint32_t>{in_file<&policy::audit, &audit_policy::keep>, 1, most_rotated},
     "How many full files are kept", "bounds the log at about half a gigabyte"},
};

std::string in_quotes(std::string_view text) {
  return '"' + std::string{text} + '"';
}

std::string quoted(std::string_view text) {
  return in_quotes(text);
}

template <class List, class Print>
std::string list_text(List const& list, Print print) {
  std::string text = "[";
  for (auto const& each : list)
    text += (text.size() == 1 ? "" : ", ") + print(each);
  return text + ']';
}

template <class Table, class Print>
std::string table_text(Table const& entries, Print print) {
  std::string text = "{";
  for (auto const& [key, value] : entries)
    text += (text.size() == 1 ? " " : ", ") + in_quotes(key) + " = " + print(value);
  return text + (text.size() == 1 ? "}" : " }");
}

} // namespace

draft empty_draft() {
  draft d;
  d.file.state_dir = defaults::state_dir;
  return d;
}

std::span<key const> all() noexcept {
  return table;
}

key const* find(std::string_view path) noexcept {
  auto const found = std::ranges::find(table, path, &key::path);
  return found != std::end(table) ? &*found : nullptr;
}

std::vector<std::string_view> children(std::string_view parent) {
  std::vector<std::string_view> names;
  if (parent.empty())
    names.push_back("defaults");
  for (key const& k : table) {
    auto rest = k.path;
    if (!parent.empty()) {
      if (!rest.starts_with(parent) || !rest.substr(parent.size()).starts_with('.'))
        continue;
      rest.remove_prefix(parent.size() + 1);
    }
    auto const child = rest.substr(0, rest.find('.'));
    if (std::ranges::find(names, child) == names.end())
      names.push_back(child);
  }
  return names;
}

std::string_view type_of(key const& k) {
  return std::visit(overloaded{
                        [](flag) -> std::string_view { return "true or false"; },
                        [](choice const&) -> std::string_view { return "one of"; },
                        [](name) -> std::string_view { return "name"; },
                        [](path) -> std::string_view { return "path"; },
                        [](time const&) -> std::string_view { return "time"; },
                        [](size const&) -> std::string_view { return "size"; },
                        []<class T>(count<T> const&) -> std::string_view { return "whole number"; },
                        [](fraction const&) -> std::string_view { return "number"; },
                        [](exit_codes const&) -> std::string_view { return "list of exit codes"; },
                        [](command) -> std::string_view { return "list of strings"; },
                        [](host_names) -> std::string_view { return "list of hosts"; },
                        [](permissions) -> std::string_view { return "list of permissions"; },
                        [](folders) -> std::string_view { return "list of folders"; },
                        [](patterns) -> std::string_view { return "list of paths and globs"; },
                        [](rates) -> std::string_view { return "table of whole numbers"; },
                        [](environment) -> std::string_view { return "table of strings"; },
                        [](requests) -> std::string_view { return "table of permissions"; },
                        [](digest) -> std::string_view { return "SHA-256"; },
                        [](digests) -> std::string_view { return "list of SHA-256"; },
                        [](filter) -> std::string_view { return "\"default\" or a path"; },
                        [](planned) -> std::string_view { return "planned"; },
                    },
                    k.takes);
}

std::string range_of(key const& k) {
  auto const between = [](std::string low, std::string const& high) {
    return std::move(low) + " to " + high;
  };
  return std::visit(
      overloaded{
          [&](choice const& c) {
            std::string text;
            for (std::size_t i = 0; i < c.names.size(); ++i)
              text += (i == 0                    ? ""
                       : i + 1 == c.names.size() ? " or "
                                                 : ", ") +
                      in_quotes(c.names[i]);
            return text;
          },
          [&](name) { return std::string{name_rule}; },
          [&](time const& t) {
            return between(in_quotes(units::time_text(t.low)), in_quotes(units::time_text(t.high)));
          },
          [&](size const& s) {
            return between(in_quotes(units::size_text(s.low)), in_quotes(units::size_text(s.high)));
          },
          [&]<class T>(count<T> const& c) {
            return between(std::to_string(c.low), std::to_string(c.high));
          },
          [&](fraction const& f) {
            return between(units::number_text(f.low), units::number_text(f.high));
          },
          [&](exit_codes const& e) {
            return between(std::to_string(e.low), std::to_string(e.high));
          },
          [&](rates const& r) { return between(std::to_string(r.low), std::to_string(r.high)); },
          [](auto const&) { return std::string{}; },
      },
      k.takes);
}

std::string value_of(key const& k, draft& in) {
  auto const unless_empty = [](std::string const& text) {
    return text.empty() ? std::string{} : in_quotes(text);
  };
  return std::visit(
      overloaded{
          [&](flag f) { return std::string{f.of(in) ? "true" : "false"}; },
          [&](choice const& c) { return in_quotes(c.names[c.get(in)]); },
          [&](name n) { return unless_empty(n.of(in)); },
          [&](path p) { return unless_empty(p.of(in).string()); },
          [&](time const& t) { return in_quotes(units::time_text(t.of(in))); },
          [&](size const& s) { return in_quotes(units::size_text(s.of(in))); },
          [&]<class T>(count<T> const& c) { return std::to_string(c.of(in)); },
          [&](fraction const& f) { return units::number_text(f.of(in)); },
          [&](exit_codes const& e) {
            return list_text(e.of(in), [](int code) { return std::to_string(code); });
          },
          [&](host_names h) {
            return h.of(in).empty() ? std::string{} : list_text(h.of(in), quoted);
          },
          [&](command c) { return c.of(in).empty() ? std::string{} : list_text(c.of(in), quoted); },
          [&](permissions p) {
            std::vector<std::string_view> names;
            for (permission const each : all_permissions())
              if (p.of(in).contains(each))
                names.push_back(to_string(each));
            return list_text(names, quoted);
          },
          [&](folders f) {
            return list_text(f.of(in), [](auto const& each) { return in_quotes(each.string()); });
          },
          [&](patterns p) {
            return list_text(p.of(in), [](auto const& each) { return in_quotes(each.text); });
          },
          [&](rates const& r) {
            return table_text(r.of(in), [](auto rate) { return std::to_string(rate); });
          },
          [&](environment e) {
            return table_text(e.of(in), [](auto const&) { return std::string{"…"}; });
          },
          [&](requests r) {
            return table_text(r.of(in), [](permission p) { return quoted(to_string(p)); });
          },
          [&](digest d) { return unless_empty(d.of(in)); },
          [&](digests d) { return list_text(d.of(in), quoted); },
          [&](filter f) {
            return in_quotes(f.of(in).empty() ? std::string{default_filter} : f.of(in).string());
          },
          [](planned) { return std::string{}; },
      },
      k.takes);
}

std::string default_of(key const& k) {
  draft d = empty_draft();
  return value_of(k, d);
}

bool valid_name(std::string_view text) noexcept {
  auto const alphanumeric = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  constexpr std::size_t longest_name = 64;
  return !text.empty() && text.size() <= longest_name && alphanumeric(text.front()) &&
         std::ranges::all_of(
             text, [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

} // namespace bulkhead::policy_keys
