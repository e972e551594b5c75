#include <bulkhead/platform/containment.hpp>

#include <bulkhead/platform/embedded_file.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/linux/cgroup_tree.hpp>
#include <bulkhead/platform/linux/elf_dependencies.hpp>
#include <bulkhead/platform/linux/grouped_process.hpp>
#include <bulkhead/platform/linux/host_guard.hpp>
#include <bulkhead/platform/linux/host_probe.hpp>
#include <bulkhead/platform/linux/kernel_probes.hpp>
#include <bulkhead/platform/linux/launch_probes.hpp>
#include <bulkhead/platform/linux/node_permissions.hpp>
#include <bulkhead/platform/linux/sandbox.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>
#include <bulkhead/platform/linux/uid_lease.hpp>
#include <bulkhead/platform/pidfd.hpp>
#include <bulkhead/platform/process_birth.hpp>
#include <bulkhead/platform/verified_file.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

namespace fs = std::filesystem;
using layer = sandbox_report::layer;

/// What a command finds beside its own files: the system's programs and libraries, read-only.
constexpr std::string_view system_folders[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/alternatives"};
/// Where a C library looks up names of machines.
constexpr std::string_view name_files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf",
                                           "/etc/nsswitch.conf"};
/// What Node's eleven threads reserve for their stacks and do not use. RLIMIT_DATA counts it; taken
/// from the limit it would have V8 crash before its heap is full, which then is no end for want of
/// memory to anybody.
constexpr std::uint64_t node_stacks = 11 * (8u << 20);
/// A second between the warning and the end.
constexpr std::uint64_t cpu_grace = 1;

/// Who owns nothing, on every Linux.
constexpr uid_t nobody = 65534;
/// Since this version of Landlock a process can send signals to its own sandbox only.
constexpr int landlock_scopes_signals = 6;

/// Why the strong tier can't be had here; empty where it can. Found out once in a process, by
/// launching a program that does nothing: some tens of milliseconds.
std::string const& strong_tier_fault() {
  static auto const fault = [] {
    auto const tried = probe_launch(sandbox_tier::strong, sandbox_spec{}.bubblewrap, nobody);
    return tried.holds ? std::string{} : tried.detail;
  }();
  return fault;
}

bool is_root() noexcept {
  return ::geteuid() == 0;
}

bool lies_in(fs::path const& path, fs::path const& folder) {
  auto const [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

/// A start that can be made. What it opened stays open until then.
struct prepared_start final : containment::preparation {
  containment_spec asked;
  std::optional<verified_program> program; // none: nothing is contained and nothing pinned
  sandbox_spec spec;
  unique_fd filter;
  std::optional<uid_lease> user;
  std::shared_ptr<cgroup> group;
  sandbox_report report;

  explicit prepared_start(containment_spec what)
      : asked{std::move(what)} {}

  void add_layer(std::string name, bool holds, std::string detail) {
    report.layers.push_back({std::move(name), holds, std::move(detail)});
  }
};

// ---- what is put into the sandbox -------------------------------------------------------------

result<void> add_program(prepared_start& start) {
  auto& spec = start.spec;
  auto const& file = start.program->executable;
  spec.program = file.fd();
  spec.program_path = file.path();
  auto const needs = dependencies_of(file.fd());
  if (!needs)
    return needs.error();
  spec.loader = needs->loader;
  for (auto const& each : needs->files)
    spec.libraries.emplace_back(each.path);
  if (!needs->loader.empty() && ::access(loader_cache::usual_path, R_OK) == 0)
    spec.bound.push_back({loader_cache::usual_path, loader_cache::usual_path, false, false});
  spec.arguments = start.asked.process.arguments;
  if (start.program->script) {
    auto const& script = *start.program->script;
    // By its descriptor: what is found there is what was verified.
    spec.bound.push_back(
        {"/proc/self/fd/" + std::to_string(script.fd()), script.path(), false, false});
    spec.arguments.insert(spec.arguments.begin(), script.path());
    if (!start.program->argument.empty())
      spec.arguments.insert(spec.arguments.begin(), start.program->argument);
  }
  return {};
}

void add_files(prepared_start& start, fs::path const& scripts) {
  auto& spec = start.spec;
  auto const& asked = start.asked;
  auto const bind_existing = [&](fs::path const path, bool executable) {
    if (std::error_code absent; fs::exists(path, absent))
      spec.bound.push_back({path, path, false, executable});
  };
  if (asked.is_node) {
    spec.bound.push_back({scripts, scripts, false, false});
    if (auto const parts = node_parts_folder(); !parts.empty())
      spec.bound.push_back({parts, parts, false, false});
  } else {
    for (auto const folder : system_folders)
      bind_existing(folder, asked.processes);
  }
  if (asked.network)
    for (auto const file : name_files)
      bind_existing(file, false);
  for (auto const& each : asked.readable)
    spec.bound.push_back({each, each, false, asked.processes});
  for (auto const& each : asked.writable)
    spec.bound.push_back({each, each, true, false});
}

/// Node's own permissions, which it looks at before the kernel does.
void add_node_permissions(prepared_start& start, fs::path const& scripts) {
  auto const& asked = start.asked;
  if (!asked.is_node || !asked.strict)
    return;
  node_permissions allowed{asked.readable, asked.writable, asked.processes};
  allowed.readable.push_back(scripts);
  if (start.spec.tier == sandbox_tier::strong)
    allowed.writable.emplace_back("/tmp");
  auto flags = flags_of(start.program->executable, allowed);
  start.add_layer("node", !flags.empty(),
                  flags.empty()
                      ? "no code from strings and no addons; Node's permission model takes "
                        "Node 22.13, and paths without commas and stars"
                      : "no code from strings, no addons, and Node's permission model");
  start.spec.arguments.insert(start.spec.arguments.begin(), std::make_move_iterator(flags.begin()),
                              std::make_move_iterator(flags.end()));
}

void add_environment(prepared_start& start, std::map<std::string, std::string> environment) {
  auto& spec = start.spec;
  spec.environment = std::move(environment);
  auto const own_tmp = spec.tier == sandbox_tier::strong;
  if (own_tmp) {
    spec.environment.try_emplace("HOME", "/tmp");
    spec.environment.try_emplace("TMPDIR", "/tmp");
  } else {
    // What it may not read there ends Node before it begins.
    spec.environment.try_emplace("OPENSSL_CONF", "/dev/null");
  }
  spec.working_directory = own_tmp ? "/tmp" : "/";
}

// ---- what it may use --------------------------------------------------------------------------

/// The limits of each process by itself.
std::vector<resource_limit> limits_of(host_bounds const& bounds) {
  std::vector<resource_limit> limits{{RLIMIT_CORE, 0, 0}};
  if (bounds.open_files != 0)
    limits.push_back({RLIMIT_NOFILE, bounds.open_files, bounds.open_files});
  if (bounds.file_size != 0)
    limits.push_back({RLIMIT_FSIZE, bounds.file_size, bounds.file_size});
  if (auto const seconds = static_cast<std::uint64_t>(bounds.cpu_time.count()); seconds != 0)
    limits.push_back({RLIMIT_CPU, seconds, seconds + cpu_grace});
  return limits;
}

bool is_held(std::vector<layer> const& layers, std::string_view name) {
  auto const found = std::ranges::find(layers, name, &layer::name);
  return found != layers.end() && found->holds;
}

std::string why_not(std::vector<layer> const& layers, std::string_view name,
                    std::string const& otherwise) {
  auto const found = std::ranges::find(layers, name, &layer::name);
  return found != layers.end() ? found->detail : otherwise;
}

/// The limits of each process, and those of all together where no control group holds them.
void add_limits(prepared_start& start, std::vector<layer> const& groups, std::string const& none) {
  auto& spec = start.spec;
  auto const& bounds = start.asked.bounds;
  spec.limits = limits_of(bounds);
  start.add_layer("files", true, "open files and their size by rlimits");

  if (bounds.memory != 0) {
    auto const grouped = is_held(groups, "memory");
    if (!grouped) {
      auto const most = bounds.memory + (start.asked.is_node ? node_stacks : 0);
      spec.limits.push_back({RLIMIT_DATA, most, most});
    }
    // A program of any kind can have memory that RLIMIT_DATA does not count: files in memory, and
    // what is shared. JavaScript has no way to either.
    start.add_layer("memory", grouped || start.asked.is_node,
                    grouped ? why_not(groups, "memory", {})
                            : "RLIMIT_DATA of each process and a look each second; no control "
                              "group: " +
                                  why_not(groups, "memory", none));
  }
  if (bounds.processes != 0) {
    auto const grouped = is_held(groups, "processes");
    auto const own_count = spec.tier == sandbox_tier::strong || is_root();
    if (own_count)
      spec.limits.push_back({RLIMIT_NPROC, bounds.processes, bounds.processes});
    start.add_layer("processes", grouped || own_count,
                    grouped     ? why_not(groups, "processes", {})
                    : own_count ? "RLIMIT_NPROC, counted for this host alone"
                                : "RLIMIT_NPROC would count all processes of this user; no control "
                                  "group: " +
                                      why_not(groups, "processes", none));
  }
  if (bounds.cpu_percent != 0)
    start.add_layer("cpu", is_held(groups, "cpu"), why_not(groups, "cpu", none));
}

result<void> add_filter(prepared_start& start) {
  auto const& asked = start.asked;
  if (!asked.filter.empty()) {
    auto loaded = load_seccomp_filter(asked.filter);
    if (!loaded)
      return loaded.error();
    start.filter = std::move(*loaded);
    start.add_layer("seccomp", true, "the filter in " + asked.filter.string());
  } else {
    seccomp_options options;
    options.profile = asked.is_node ? seccomp_profile::node : seccomp_profile::command;
    options.processes = asked.processes;
    options.network = asked.network;
    options.basic_tier = start.spec.tier == sandbox_tier::basic;
    options.signals_scoped = landlock_version() >= landlock_scopes_signals;
    auto made = make_seccomp_filter(options);
    if (!made)
      return made.error();
    start.filter = std::move(*made);
    start.add_layer("seccomp", true,
                    asked.is_node ? "the filter for Node" : "the filter for commands");
  }
  start.spec.filter = start.filter.get();
  return {};
}

/// What the layers are that need nothing of the machine but the tier.
void add_layers(prepared_start& start) {
  auto const strong = start.spec.tier == sandbox_tier::strong;
  start.add_layer("namespaces", strong,
                  strong ? "user, mount, pid, ipc, uts and cgroup" : "there are none in this tier");
  start.add_layer("root", strong,
                  strong ? "a root of its own, read-only, with what it needs and nothing else"
                         : "the machine's files, as far as Landlock lets it");
  start.add_layer("network", !start.spec.network,
                  start.spec.network ? "the machine's, as the policy grants it"
                  : strong           ? "a namespace with nothing in it, and no sockets"
                                     : "no sockets");
  start.add_layer("identity", true,
                  start.user ? "uid " + std::to_string(start.user->uid()) + ", no capabilities"
                             : "this user's, no capabilities");
  start.add_layer("integrity", !start.asked.program_pins.empty(),
                  start.asked.program_pins.empty()
                      ? "any interpreter that nobody else can change: none is pinned"
                      : "the interpreter is one of those that are pinned");
  start.add_layer("landlock", start.spec.landlock,
                  start.spec.landlock ? "its files alone" : "the policy goes without");
}

std::shared_ptr<unique_fd const> open_pidfd(pid_t process) {
  return std::make_shared<unique_fd const>(
      unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))});
}

// ---- a running host ---------------------------------------------------------------------------

class linux_host final : public contained_host {
public:
  linux_host(std::shared_ptr<launch_report const> launch, std::shared_ptr<prepared_start> with)
      : launch_{std::move(launch)}
      , with_{std::move(with)} {}

  sandbox_report report() const override {
    auto report = with_->report;
    if (launch_->contained && with_->spec.landlock)
      for (auto& each : report.layers)
        if (each.name == "landlock")
          each.detail = "version " + std::to_string(launch_->landlock) + ", its files alone";
    return report;
  }

  progress launch() const override {
    auto const since = [&](auto const& when) -> std::optional<std::chrono::microseconds> {
      if (!when)
        return std::nullopt;
      return std::chrono::duration_cast<std::chrono::microseconds>(*when - launch_->created);
    };
    return {since(launch_->staged), since(launch_->contained), since(launch_->running),
            launch_->program, launch_->end};
  }

  std::shared_ptr<usage_probe const> probe(resource_usage const& before) const override {
    auto made = std::make_shared<host_probe>();
    made->before = before;
    made->group = with_->group;
    made->program = launch_->program;
    made->ended = launch_->used;
    if (!descriptor_ && launch_->program != 0 && !launch_->ended)
      descriptor_ = open_pidfd(launch_->program);
    made->descriptor = descriptor_;
    return made;
  }

  std::optional<error> failure() const override {
    if (!launch_->failure)
      return std::nullopt;
    return to_error(*launch_->failure);
  }

private:
  std::shared_ptr<launch_report const> launch_;
  std::shared_ptr<prepared_start> with_;
  mutable std::shared_ptr<unique_fd const>
      descriptor_; // of the program; only to tell it from others
};

/// A process that nothing contains.
class plain_host final : public contained_host {
public:
  explicit plain_host(pid_t pid)
      : pid_{pid}
      , descriptor_{open_pidfd(pid)} {}

  sandbox_report report() const override { return {}; }
  progress launch() const override { return {{}, {}, {}, pid_, {}}; }
  std::shared_ptr<usage_probe const> probe(resource_usage const&) const override {
    auto made = std::make_shared<host_probe>();
    made->program = pid_;
    made->descriptor = descriptor_;
    return made;
  }
  std::optional<error> failure() const override { return std::nullopt; }

  /// Its pidfd; empty where it had ended before one could be had.
  unique_fd const& descriptor() const noexcept { return *descriptor_; }

private:
  pid_t pid_;
  std::shared_ptr<unique_fd const> descriptor_;
};

// ---- all hosts of a runtime -------------------------------------------------------------------

class linux_containment final : public containment {
public:
  explicit linux_containment(settings chosen)
      : chosen_{std::move(chosen)} {}

  result<std::shared_ptr<preparation>> prepare(containment_spec asked) override {
    auto start = std::make_shared<prepared_start>(std::move(asked));
    auto const contained = start->asked.least != sandbox_tier::none;
    if (contained || !start->asked.program_pins.empty()) {
      hashing how;
      how.wanted = !start->asked.program_pins.empty();
      auto opened = open_program(start->asked.process.program, environment_search_path(), how);
      if (!opened)
        return opened.error();
      if (auto const pinned = opened->require_pinned(start->asked.program_pins); !pinned)
        return pinned.error();
      start->program.emplace(std::move(*opened));
    }
    if (!contained) {
      // Where there can be none, only its process group ends with it.
      if (auto made = make_group(start->asked.host, {}))
        start->group = std::make_shared<cgroup>(std::move(*made));
      return start;
    }
    for (auto const step : {&linux_containment::choose_tier, &linux_containment::choose_user,
                            &linux_containment::put_together, &linux_containment::bound})
      if (auto const done = (this->*step)(*start); !done)
        return done.error();
    return start;
  }

  std::vector<resource_usage>
  measure(std::vector<std::shared_ptr<usage_probe const>> const& probes) const override {
    return platform::measure(probes);
  }

  result<started> start(std::shared_ptr<preparation> prepared, process_spec process,
                        std::function<void()> heard) override {
    auto what = std::static_pointer_cast<prepared_start>(std::move(prepared));
    if (what->asked.least == sandbox_tier::none)
      return start_plain(*what, std::move(process));
    what->spec.inherited = std::move(process.inherited);
    add_environment(*what, std::move(process.environment));
    if (auto const guarded = start_guard(); !guarded)
      return guarded.error();
    what->spec.guard = &*guard_;
    if (auto const unchanged = what->program->require_unchanged(); !unchanged)
      return unchanged.error();
    auto made =
        start_sandboxed(what->spec, [heard = std::move(heard)](launch_report const&) { heard(); });
    if (!made)
      return made.error();
    return started{std::move(made->process),
                   std::make_shared<linux_host>(std::move(made->launch), std::move(what))};
  }

private:
  result<started> start_plain(prepared_start const& what, process_spec spec) {
    if (auto const guarded = start_guard(); !guarded)
      return guarded.error();
    if (what.program && !what.program->script)
      spec.executable = what.program->executable.fd();
    spec.limits = limits_of(what.asked.bounds);
    if (what.group && has_birth_in_group())
      spec.group = what.group->directory_fd();
    auto const is_born_in_group = spec.group >= 0;
    auto created = spawn(spec);
    if (!created)
      return created.error();
    auto host = std::make_shared<plain_host>(created->pid());
    // It is not where the embedding program ignores SIGCHLD, and it has ended already.
    siginfo_t seen;
    auto const is_ours =
        host->descriptor() &&
        wait_by_descriptor(host->descriptor().get(), WEXITED | WNOHANG | WNOWAIT, seen) == 0;
    if (!is_ours)
      return started{std::move(*created), std::move(host)};
    if (auto const watched = guard_->watch(created->pid(), host->descriptor().get()); !watched)
      return watched.error();
    if (!what.group)
      return started{std::move(*created), std::move(host)};
    auto output = created->take_output();
    auto errors = created->take_errors();
    auto whole = std::make_unique<grouped_process>(
        std::move(*created), duplicate(host->descriptor().get(), STDERR_FILENO + 1), what.group,
        is_born_in_group);
    return started{child_process{std::move(whole), std::move(output), std::move(errors)},
                   std::move(host)};
  }

  result<void> choose_tier(prepared_start& start) {
    auto& tier = start.spec.tier;
    tier = sandbox_tier::strong;
    if (start.asked.least == sandbox_tier::basic && !strong_tier_fault().empty())
      tier = sandbox_tier::basic;
    if (tier == sandbox_tier::basic && landlock_version() < 1)
      return error{errc::sandbox_unavailable, "this kernel has no Landlock, and no namespaces: " +
                                                  std::string{strong_tier_fault()}};
    start.report.tier = tier;
    start.spec.network = start.asked.network;
    start.spec.processes = start.asked.processes;
    start.spec.landlock = start.asked.landlock;
    return {};
  }

  result<void> choose_user(prepared_start& start) {
    if (!is_root())
      return {};
    auto lease = uid_lease::take(chosen_.first_uid);
    if (!lease)
      return lease.error();
    start.user.emplace(std::move(*lease));
    start.spec.run_as = identity{start.user->uid(), start.user->uid()};
    for (auto const& folder : start.asked.writable) {
      if (start.spec.tier == sandbox_tier::basic)
        return error{errc::sandbox_unavailable,
                     "started by root, a host of the basic tier can't reach its own folders",
                     "leave out  sandbox.file_write , or start Bulkhead as another user"};
      if (auto const given = start.user->give(folder); !given)
        return given.error();
    }
    return {};
  }

  result<void> put_together(prepared_start& start) {
    if (auto const added = add_program(start); !added)
      return added.error();
    auto const scripts = readable_scripts(start);
    if (!scripts)
      return scripts.error();
    add_files(start, *scripts);
    add_node_permissions(start, *scripts);
    if (auto const added = add_filter(start); !added)
      return added.error();
    add_layers(start);
    return {};
  }

  /// Where the host finds the bootstrap. The state directory is closed to a uid of its own, which
  /// only a root of its own gets around.
  result<fs::path> readable_scripts(prepared_start& start) {
    if (!start.asked.is_node || !start.user || start.spec.tier == sandbox_tier::strong)
      return chosen_.scripts;
    for (auto const& file : node_runtime_files())
      if (auto const written = start.user->write_file(std::string{file.name}, file.content);
          !written)
        return written.error();
    for (auto& argument : start.spec.arguments)
      if (lies_in(argument, chosen_.scripts))
        argument = start.user->folder() / fs::path{argument}.filename();
    return start.user->folder();
  }

  result<void> bound(prepared_start& start) {
    auto const& bounds = start.asked.bounds;
    std::vector<layer> held;
    std::string none;
    auto made = make_group(start.asked.host, {bounds.memory, bounds.processes, bounds.cpu_percent});
    if (made) {
      start.group = std::make_shared<cgroup>(std::move(*made));
      held = start.group->limits();
    } else {
      none = made.error().detail();
    }
    add_limits(start, held, none);
    if (start.group) {
      start.spec.group = start.group->directory_fd();
      start.spec.joined_groups = start.group->join_fds(start.spec.group >= 0);
    }
    if (start.asked.least != sandbox_tier::strong)
      return {};
    for (auto const& each : start.report.layers)
      if (!each.holds && (each.name == "cpu" || each.name == "processes" || each.name == "memory"))
        return error{
            errc::limit_unenforceable, "limits." + limit_key(each.name) + ": " + each.detail,
            std::string{cgroup_tree::remedy()} +
                (each.name == "cpu" ? "; or write  limits.cpu_percent = 0  to go without it" : "")};
    return {};
  }

  result<cgroup> make_group(std::string const& host, cgroup_limits const& limits) {
    std::lock_guard const lock{mutex_};
    if (!groups_)
      groups_.emplace(cgroup_tree::create(chosen_.runtime));
    if (!*groups_)
      return groups_->error();
    return (*groups_)->create_group(host, limits);
  }

  static std::string limit_key(std::string_view of) {
    return of == "cpu" ? "cpu_percent" : std::string{of};
  }

  result<void> start_guard() {
    if (guard_)
      return {};
    auto made = host_guard::start();
    if (!made)
      return made.error();
    guard_.emplace(std::move(*made));
    std::lock_guard const lock{mutex_};
    if (groups_ && *groups_)
      for (auto const& folder : (*groups_)->directories())
        if (auto const watched = guard_->watch_group(folder); !watched)
          return watched.error();
    return {};
  }

  settings chosen_;
  std::mutex mutex_; // guards groups_
  std::optional<result<cgroup_tree>> groups_;
  std::optional<host_guard> guard_; // the loop's thread only
};

} // namespace

std::unique_ptr<containment> containment::create(settings chosen) {
  return std::make_unique<linux_containment>(std::move(chosen));
}

} // namespace bulkhead::platform
