#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/resource_usage.hpp>
#include <bulkhead/messages/sandbox.hpp>
#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/process.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bulkhead::platform {

/// What the processes of one host may use, all together where nothing else is said. 0: no limit.
struct host_bounds {
  std::uint64_t memory = 0;         ///< bytes
  std::uint32_t processes = 0;      ///< threads count
  std::uint32_t cpu_percent = 0;    ///< of one core
  std::chrono::seconds cpu_time{0}; ///< of each process; in total it is the caller's to watch
  std::uint32_t open_files = 0;     ///< of each process
  std::uint64_t file_size = 0;      ///< bytes of a file that it writes

  friend bool operator==(host_bounds const&, host_bounds const&) = default;
};

/// One start of a host.
struct containment_spec {
  std::string host; ///< for messages and names; any text
  sandbox_tier least = sandbox_tier::strong;
  /// What runs: without its connection, which is added at the start.
  process_spec process;
  /// Any of these SHA-256, in hexadecimal, is the program's; empty: any.
  std::vector<std::string> program_pins;
  bool is_node = true;
  bool strict = true; ///< Node's own permission model is to hold as well, where it has one
  std::vector<std::filesystem::path> readable; ///< files and folders
  std::vector<std::filesystem::path> writable; ///< folders of its own
  bool network = false;
  bool processes = false; ///< it may start programs
  bool landlock = true;
  std::filesystem::path filter; ///< of system calls; empty: the one that fits
  host_bounds bounds;

  friend bool operator==(containment_spec const&, containment_spec const&) = default;
};

/// What measures the processes of a host; made on the loop's thread, for any thread.
class usage_probe {
public:
  usage_probe() = default;
  usage_probe(usage_probe&&) = delete;
  virtual ~usage_probe() = default;
};

/// What holds a host's process, and what can be learnt from it. The loop's thread, as
/// child_process.
class contained_host {
public:
  /// How far the launch is.
  struct progress {
    std::optional<std::chrono::microseconds> staged;    ///< since the start: mounts, groups, user
    std::optional<std::chrono::microseconds> contained; ///< the sandbox stands
    std::optional<std::chrono::microseconds> running;   ///< the program runs
    std::int32_t program = 0;                           ///< its number, once it runs
    /// How the program ended: known while what it has started is still being ended. Never without a
    /// sandbox.
    std::optional<exit_status> ended;
  };

  contained_host() = default;
  contained_host(contained_host&&) = delete;
  virtual ~contained_host() = default;

  /// What is in force. Landlock's version is in it once the sandbox stands.
  virtual sandbox_report report() const = 0;
  virtual progress launch() const = 0;
  /// For containment::measure. `before` is what the last look told: it is told again where nothing
  /// of a host in a control group has run since. Empty: all is looked at.
  virtual std::shared_ptr<usage_probe const> probe(resource_usage const& before) const = 0;
  /// Why the program never ran: sandbox_step_failed. Nothing where it did, or may still.
  virtual std::optional<error> failure() const = 0;
};

/// What contains the hosts of one runtime: its control groups, the uids that they run under, and a
/// guard process that ends what a killed backend leaves behind. Nothing of it is made before the
/// first host asks for it.
class containment {
public:
  struct settings {
    std::string runtime;           ///< a name of this run, as its run_directory has it
    std::filesystem::path scripts; ///< what every Node host may read: the folder of the bootstrap
    std::uint32_t first_uid = 0;
  };

  /// A start that was looked at and found possible: the program is open, and is the one that will
  /// run.
  class preparation {
  public:
    virtual ~preparation() = default;
  };

  static std::unique_ptr<containment> create(settings chosen);
  virtual ~containment() = default;

  /// Verifies the program and chooses the tier: with `least` strong or basic the best one that this
  /// machine has. Under strong every bound has to hold. Under none the bounds of each process hold,
  /// and memory and processes are the caller's to watch. Fails with
  /// - integrity_mismatch, integrity_unsafe_owner: see verified_file;
  /// - sandbox_unavailable: the machine has no such tier, with what is missing;
  /// - limit_unenforceable: a bound can't be held, and least is strong;
  /// - spawn_failed.
  /// Blocks: it reads the program once. May be called by any thread, by several at once.
  virtual result<std::shared_ptr<preparation>> prepare(containment_spec spec) = 0;

  /// What the hosts use, in the order of their probes, without what only their connections know.
  /// All at once: those without a control group are found by one walk over all processes. Blocks
  /// for some milliseconds; any thread.
  virtual std::vector<resource_usage>
  measure(std::vector<std::shared_ptr<usage_probe const>> const& probes) const = 0;

  /// Starts what was prepared, once. Of `process` only the environment and what is inherited may
  /// differ from what was asked for: the connection is added there. `heard` is told of each step
  /// of the launch, once the process is waited for. The loop's thread. Fails with spawn_failed,
  /// sandbox_step_failed, cgroup_unavailable.
  struct started {
    child_process process;
    std::shared_ptr<contained_host> host;
  };
  virtual result<started> start(std::shared_ptr<preparation> prepared, process_spec process,
                                std::function<void()> heard) = 0;
};

} // namespace bulkhead::platform
