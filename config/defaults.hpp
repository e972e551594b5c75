#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// The one place where a value that nobody wrote comes from, each with its reason.
namespace bulkhead::defaults {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Beside the policy file: found by whoever finds the policy.
inline constexpr char const* state_dir = "state";

/// A fault that three fresh starts don't mend is not transient.
inline constexpr std::uint32_t max_restarts = 3;
/// Failures further apart than this are separate incidents.
inline constexpr milliseconds restart_window = 5min;
/// Long enough for a port or a file lock to be released, short enough to go unnoticed.
inline constexpr milliseconds backoff_initial = 1s;
/// Doubling: 1 s, 2 s, 4 s within the three restarts.
inline constexpr double backoff_factor = 2.0;
/// Waiting longer does not help a user who watches.
inline constexpr milliseconds backoff_max = 30s;
/// Spreads hosts that fell together, without making a wait surprising.
inline constexpr double backoff_jitter = 0.1;
/// An extension that served for this long has started properly.
inline constexpr milliseconds restart_reset_after = 5s;

/// Often enough to tell a silence of seconds, too seldom to be seen in any profile.
inline constexpr milliseconds ping_interval = 1s;
/// People take an answer that takes longer for a fault: the time that Windows and VS Code wait.
inline constexpr milliseconds unresponsive_after = 3s;
/// A large build or index may block an extension for seconds; half a minute is a fault.
inline constexpr milliseconds kill_after = 30s;

/// A ready Node holds some 40 MiB, most of them shared: what a small machine spares unasked.
inline constexpr std::uint32_t warm_limit = 8;

/// What an interactive caller will wait for at the most.
inline constexpr milliseconds request_timeout = 30s;
/// Node starts in well under a second; ten allow for a cold disk and a loaded machine.
inline constexpr milliseconds start_timeout = 10s;
/// Time for the extension's own `deactivate` to flush what it holds.
inline constexpr milliseconds deactivate_timeout = 5s;
/// Time between SIGTERM and SIGKILL, as systemd and Kubernetes users know it, shortened for
/// interactive use.
inline constexpr milliseconds term_timeout = 5s;
/// On shutdown: how long open requests may go on before hosts are stopped.
inline constexpr milliseconds drain_timeout = 10s;

/// More than a person causes and less than a loop does: what the design's sources use as well.
inline constexpr std::uint32_t requests_per_second = 100;
/// A second's worth at once: an extension that starts asks for many things together.
inline constexpr std::uint32_t request_burst = 100;

/// What a language server's caches and an index take, and a fraction of any disk.
inline constexpr std::size_t storage = 256u << 20;

/// A language server with a large project fits, a leak does not go on for long.
inline constexpr std::size_t memory = 512u << 20;
/// Half a core leaves the machine to the backend, whatever an extension does.
inline constexpr std::uint32_t cpu_percent = 50;
/// Node starts with eleven threads; twenty more are room for its workers.
inline constexpr std::uint32_t processes = 32;
/// Node itself needs twenty; a language server's open documents and watches fit.
inline constexpr std::uint32_t open_files = 256;
/// As much as it may store.
inline constexpr std::size_t file_size = storage;
/// Thousands of lines a second: more than anybody reads, less than fills a disk in an hour.
inline constexpr std::size_t output_rate = 1u << 20;
/// In the range 65536 to 524287, which systemd's list of uids and Debian's policy leave to nobody.
inline constexpr std::uint32_t first_uid = 70001;

/// Long enough to spare the keyring a burst of requests, short enough that a secret which was
/// changed elsewhere is soon seen.
inline constexpr milliseconds secret_cache_ttl = 5min;

/// Some hundred thousand records: small enough to be opened by an editor.
inline constexpr std::size_t audit_rotate_at = 64u << 20;
/// With the above a bound of about half a gigabyte.
inline constexpr std::uint32_t audit_keep = 8;

/// Four times what a busy editor session was seen to have open; bounds memory at some hundred
/// kilobytes a host.
inline constexpr std::size_t in_flight = 1024;
/// The wire protocol's own limit.
inline constexpr std::size_t frame = 50u << 20;
/// From a frame's first byte to its last. The largest takes a fraction of a second; a peer that
/// needs longer is stuck or holds memory on purpose.
inline constexpr milliseconds frame_time = 30s;
/// Unsent bytes past which new requests are refused. One frame may still be added below it.
inline constexpr std::size_t outbound_high_water = 8u << 20;

} // namespace bulkhead::defaults
