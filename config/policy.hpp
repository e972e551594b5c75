#pragma once

#include <bulkhead/config/defaults.hpp>
#include <bulkhead/config/path_rules.hpp>
#include <bulkhead/config/permission.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/sandbox.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// What runs an extension: Node with the bundled bootstrap, or a program that speaks the protocol
/// itself.
enum class host_runtime : std::uint8_t { node, command };

/// How host and backend are connected (docs/protocol.md).
enum class host_transport : std::uint8_t { socketpair, sockets };

/// When and how often a failed host is started again.
struct restart_policy {
  std::uint32_t max_restarts = defaults::max_restarts;
  std::chrono::milliseconds window = defaults::restart_window;
  std::chrono::milliseconds backoff_initial = defaults::backoff_initial;
  double backoff_factor = defaults::backoff_factor;
  std::chrono::milliseconds backoff_max = defaults::backoff_max;
  /// Each backoff is multiplied by a random number in [1 - jitter, 1 + jitter].
  double backoff_jitter = defaults::backoff_jitter;
  /// So long of stable running forgets all earlier failures.
  std::chrono::milliseconds reset_after = defaults::restart_reset_after;
  std::vector<int> never_on_exit_codes;
};

/// When a host counts as hung.
struct health_policy {
  std::chrono::milliseconds ping_interval = defaults::ping_interval; ///< after the last answer
  std::chrono::milliseconds unresponsive_after = defaults::unresponsive_after; ///< then it is told
  std::chrono::milliseconds kill_after = defaults::kill_after;                 ///< then it is ended
};

/// What is done ahead of a host's starts.
struct start_policy {
  /// Processes that are kept ready for it; hosts whose launch is the same in everything share them.
  std::uint32_t warm = 0;
  /// What Node compiled of its scripts is kept for later starts, in memory.
  bool code_cache = false;
};

struct stop_policy {
  std::chrono::milliseconds deactivate_timeout = defaults::deactivate_timeout;
  std::chrono::milliseconds term_timeout = defaults::term_timeout;
};

/// Which files the extension may ask the backend for, given the fileSystem and workspace
/// permissions as well.
struct filesystem_policy {
  std::vector<std::filesystem::path> workspace; ///< the folders that workspace.* means
  path_rule_set rules;                          ///< as written; without the host's own folders
};

/// How many requests the extension may send.
struct rate_limit_policy {
  std::uint32_t requests_per_second = defaults::requests_per_second;
  std::uint32_t burst = defaults::request_burst; ///< how many may come at once
  /// By type, each with a burst of one second's worth, beside the limit for all together.
  std::map<std::string, std::uint32_t, std::less<>> per_type;

  friend bool operator==(rate_limit_policy const&, rate_limit_policy const&) = default;
};

struct host_limits {
  std::size_t in_flight = defaults::in_flight; ///< open requests in each direction
  std::size_t frame = defaults::frame;         ///< bytes of one frame, without its length prefix
  std::size_t storage = defaults::storage; ///< bytes in its storage, logs and temp folders together
  std::chrono::milliseconds request_time{0}; ///< of one request to the host; 0: no limit
  std::size_t fs_operations = 0;             ///< brokered operations of one process; 0: no limit

  // Of the process and all that it starts, together.
  std::size_t memory = defaults::memory;             ///< bytes
  std::uint32_t cpu_percent = defaults::cpu_percent; ///< of one core; 0: no limit
  std::chrono::milliseconds cpu_time{0};             ///< in whole seconds; 0: no limit
  std::uint32_t processes = defaults::processes;     ///< threads count as well
  std::size_t output_rate = defaults::output_rate;   ///< bytes a second of both streams
  // Of each process.
  std::uint32_t open_files = defaults::open_files;
  std::size_t file_size = defaults::file_size; ///< bytes
};

/// How the process of a host is contained.
struct sandbox_policy {
  sandbox_tier require = sandbox_tier::strong; ///< it does not start with less
  bool network = false;                        ///< whether it may open sockets itself
  bool file_write = false; ///< whether it may write its storage, logs and temp folders itself
  bool strict_mode = true; ///< no code from strings
  bool landlock = true;
  std::filesystem::path seccomp; ///< a filter's file; empty: the one that goes with the runtime
};

/// What has to be as it was when somebody looked. Digests are SHA-256 in lower-case hexadecimal.
struct integrity_policy {
  std::vector<std::string> interpreter_sha256; ///< any of them; empty: any interpreter
  std::string extension_sha256;                ///< empty: any
};

/// Where in the policy file a grant stands.
struct grant_place {
  std::string origin; ///< "hosts.formatter.permissions"
  std::size_t line = 0;
};

/// One extension host: what runs and what it may do. Paths are absolute.
struct host_policy {
  std::string id;
  /// A folder with package.json, or a .js, .mjs or .cjs file; empty without one.
  std::filesystem::path extension;
  host_runtime runtime = host_runtime::node;
  std::vector<std::string> command; ///< with host_runtime::command: program and arguments
  host_transport transport = host_transport::socketpair;
  bool autostart = true;
  permission_set permissions; ///< granted here; what holds is this and what the manifest asks for
  std::map<permission, grant_place> granted_at; ///< for explanations; may lack some or all
  bool strict_permissions = false;              ///< asking for more than is granted fails the load
  std::map<std::string, std::string> environment; ///< all that the process gets
  std::chrono::milliseconds request_timeout = defaults::request_timeout;
  std::chrono::milliseconds start_timeout = defaults::start_timeout;
  restart_policy restart;
  start_policy start;
  health_policy health;
  stop_policy stop;
  filesystem_policy filesystem;
  rate_limit_policy rate_limit;
  host_limits limits;
  sandbox_policy sandbox;
  integrity_policy integrity;
};

/// Why no process can be kept ready for the host, as a sentence without its subject; nothing where
/// one can.
std::optional<std::string_view> why_never_warm(host_policy const& host) noexcept;

/// Why its scripts can't be compiled ahead, in the same way.
std::optional<std::string_view> why_never_compiled(host_policy const& host) noexcept;

/// What becomes of the other hosts of a group when one of them ends unasked.
enum class restart_strategy : std::uint8_t {
  one_for_one,  ///< nothing
  all_for_one,  ///< they are started again as well
  rest_for_one, ///< those that start after it are
};

/// Hosts that are started in order, and stopped in the reverse one.
struct group_policy {
  std::string name;
  std::vector<std::string> hosts; ///< their ids, in the order of their start
  restart_strategy restart = restart_strategy::one_for_one;
};

enum class secret_backend_kind : std::uint8_t { automatic, secret_service, vault, memory };

/// Where secrets are kept.
struct secrets_policy {
  secret_backend_kind backend = secret_backend_kind::automatic;
  std::filesystem::path vault; ///< the vault's file; empty: "vault" in the state directory
  // Where the vault's passphrase comes from: at most one of the three.
  std::filesystem::path passphrase_file;
  std::string passphrase_credential; ///< of systemd: a file in its CREDENTIALS_DIRECTORY
  std::string passphrase_variable;   ///< an environment variable of the backend
  std::chrono::milliseconds cache_ttl = defaults::secret_cache_ttl; ///< 0: no cache
};

/// Which allowed requests are recorded; every denial is.
enum class audit_level : std::uint8_t { changes, everything };

struct audit_policy {
  std::filesystem::path file; ///< empty: "audit.jsonl" in the state directory
  bool required = false;      ///< what can't be recorded is refused
  audit_level level = audit_level::changes;
  std::size_t rotate_at = defaults::audit_rotate_at; ///< bytes
  std::uint32_t keep = defaults::audit_keep;         ///< rotated files
};

/// What a message of the log is: a line of text, or one of JSON.
enum class log_format : std::uint8_t { lines, json_lines };

/// What the policy file says, checked. Hosts are in the order of the file.
struct policy {
  std::filesystem::path file;      ///< where it was read from; empty for one made in memory
  std::string name = "bulkhead";   ///< names the runtime directory and the metrics
  std::filesystem::path state_dir; ///< absolute
  std::string log_level = "info";
  bulkhead::log_format log_format = bulkhead::log_format::lines;
  std::chrono::milliseconds drain_timeout = defaults::drain_timeout;
  std::uint32_t first_uid =
      defaults::first_uid; ///< where root starts hosts under uids of their own
  std::uint32_t warm_limit = defaults::warm_limit; ///< ready processes of all hosts together
  std::vector<host_policy> hosts;
  std::vector<group_policy> groups; ///< a host is in one of them at the most
  /// Requests that the embedder handles: the permission that each type needs. A type that is not
  /// here is denied.
  std::map<std::string, permission, std::less<>> requests;
  secrets_policy secrets;
  audit_policy audit;

  std::filesystem::path vault_file() const;
  std::filesystem::path audit_file() const;
  /// The host of that id; null where there is none.
  host_policy const* find_host(std::string_view id) const noexcept;
  /// The group that the host is in; null where it is in none.
  group_policy const* group_of(std::string_view id) const noexcept;
};

} // namespace bulkhead
