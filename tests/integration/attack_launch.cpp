#include "attack_launch.hpp"
#include "shared/forked.hpp"

#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/linux/cgroup_tree.hpp>
#include <bulkhead/platform/linux/elf_dependencies.hpp>
#include <bulkhead/platform/linux/kernel_probes.hpp>
#include <bulkhead/platform/linux/sandbox.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace attacks {

using namespace bulkhead::platform;
using bulkhead::sandbox_tier;
using bulkhead::testing::is_root;
namespace disk = std::filesystem;

namespace {

constexpr std::chrono::seconds patience{20};
/// Where the attackers have the terminal that was left open, and the neighbour its channel.
constexpr int extra_descriptor = 3;
/// Version 6 of Landlock keeps signals in the sandbox.
constexpr int landlock_scopes_signals = 6;

// What attacks on resources are given.
constexpr std::uint64_t memory_limit = 64u << 20;
constexpr std::uint64_t file_limit = 4u << 20;
constexpr std::uint64_t tmp_limit = 16u << 20;
constexpr std::uint32_t process_limit = 16;
constexpr std::uint64_t open_file_limit = 64;
constexpr std::uint64_t cpu_seconds = 1;

constexpr std::string_view of_resources[] = {
    "fork-without-end",
    "start-threads-without-end",
    "fill-memory",
    "fill-shared-memory",
    "fill-memory-files",
    "fill-temporary-folder",
    "write-large-file",
    "make-sparse-file",
    "reserve-large-file",
    "open-without-end",
    "spin",
};

using words = std::vector<std::string>;

bool is_of_resources(std::string_view attack) noexcept {
  return std::ranges::find(of_resources, attack) != std::end(of_resources);
}

bool is_tier(containment which) noexcept {
  return which >= containment::basic;
}
bool is_command(containment which) noexcept {
  return which == containment::basic_command || which == containment::strong_command;
}
bool is_launched(containment which) noexcept {
  return which != containment::nothing && which != containment::filter;
}
bool has_own_root(containment which) noexcept {
  return which == containment::namespaces || which == containment::strong ||
         which == containment::strong_command;
}

unique_fd filter_of(containment which) {
  seccomp_options options;
  options.profile = is_command(which) ? seccomp_profile::command : seccomp_profile::node;
  options.processes = is_command(which);
  options.basic_tier = is_tier(which) && !has_own_root(which);
  options.signals_scoped = landlock_version() >= landlock_scopes_signals;
  options.without_launcher = !is_launched(which);
  return make_seccomp_filter(options).value();
}

/// A program with what it needs.
struct opened_program {
  explicit opened_program(disk::path const& at)
      : path{disk::canonical(at)}
      , file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}
      , needs{dependencies_of(file.get()).value()} {}

  disk::path path;
  unique_fd file;
  elf_dependencies needs;
};

/// How a process ended and what it printed.
struct ended_process {
  words lines;
  exit_status status;
};

std::string describe(exit_status const& status) {
  if (status.kind != exit_kind::signaled)
    return to_string(status);
  auto const* const name = ::sigabbrev_np(status.value);
  return name ? std::string{"SIG"} + name : to_string(status);
}

std::string outcome_in(boost::json::object const& record) {
  return record.at("outcome") == "got_through" ? "through"
                                               : std::string{record.at("by").as_string()};
}

/// A launch that is read and waited for.
class watched {
public:
  watched(sandbox_spec const& spec, boost::asio::io_context& loop)
      : loop_{loop} {
    auto made = start_sandboxed(spec);
    if (!made)
      throw made.error();
    started_.emplace(std::move(*made));
    auto const keep = [this](std::string_view line) { ended_.lines.emplace_back(line); };
    auto const closed = [this] { --open_; };
    output_.emplace(loop.get_executor(), started_->process.take_output(), keep, closed);
    // Node's own complaints are no results.
    errors_.emplace(
        loop.get_executor(), started_->process.take_errors(), [](std::string_view) {}, closed);
    started_->process.async_wait_exit(loop.get_executor(), [this](exit_status how) {
      ended_.status = how;
      exited_ = true;
    });
  }

  ended_process finish() {
    auto const until = std::chrono::steady_clock::now() + patience;
    loop_.restart();
    while ((!exited_ || open_ != 0) && loop_.run_one_until(until) != 0) {
    }
    if (!exited_)
      throw std::runtime_error{"an attack did not end"};
    if (auto const& failure = started_->launch->failure)
      throw to_error(*failure);
    return std::move(ended_);
  }

private:
  boost::asio::io_context& loop_;
  std::optional<sandboxed_process> started_;
  std::optional<output_reader> output_;
  std::optional<output_reader> errors_;
  ended_process ended_;
  int open_ = 2;
  bool exited_ = false;
};

char* const* exec_strings(words& from, std::vector<char*>& to) {
  for (auto& each : from)
    to.push_back(each.data());
  to.push_back(nullptr);
  return to.data();
}

/// Runs it without a sandbox as the attackers' user; `filter`, if there is one, is all that
/// contains it.
ended_process run_plain(opened_program const& program, words arguments, int terminal, int filter) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipe"};
  unique_fd const from{ends[0]};
  unique_fd to{ends[1]};
  arguments.insert(arguments.begin(), program.path.string());
  words variables{"BULKHEAD_ATTACKED=1"};
  std::vector<char*> argv;
  std::vector<char*> envp;
  exec_strings(arguments, argv);
  exec_strings(variables, envp);
  std::vector<sock_filter> instructions(max_seccomp_instructions);
  sock_fprog rules{0, instructions.data()};
  if (filter >= 0)
    rules.len = static_cast<unsigned short>(
        static_cast<std::size_t>(
            ::pread(filter, instructions.data(), instructions.size() * sizeof(sock_filter), 0)) /
        sizeof(sock_filter));
  auto const as_root = is_root();
  auto const child = ::fork();
  if (child == 0) {
    // Above what is replaced here.
    auto const executable = ::fcntl(program.file.get(), F_DUPFD_CLOEXEC, 100);
    ::dup2(to.get(), STDOUT_FILENO);
    ::dup2(::open("/dev/null", O_RDWR | O_CLOEXEC), STDERR_FILENO);
    ::dup2(terminal, extra_descriptor);
    if (::chdir("/") != 0) // which every user may enter, wherever the tests run
      ::_exit(1);
    if (as_root && (::setgroups(0, nullptr) != 0 ||
                    ::setresgid(attacker_user, attacker_user, attacker_user) != 0 ||
                    ::setresuid(attacker_user, attacker_user, attacker_user) != 0))
      ::_exit(1);
    if (filter >= 0 && (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &rules) != 0))
      ::_exit(1);
    ::syscall(SYS_execveat, executable, "", argv.data(), envp.data(), AT_EMPTY_PATH);
    ::_exit(1);
  }
  to.reset();
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(from.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  int status = 0;
  ::waitpid(child, &status, 0);
  ended_process ended;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != text.npos; at = end + 1)
    ended.lines.push_back(text.substr(at, end - at));
  ended.status = WIFSIGNALED(status) ? exit_status{exit_kind::signaled, WTERMSIG(status), false}
                                     : exit_status{exit_kind::exited, WEXITSTATUS(status), false};
  return ended;
}

} // namespace

std::string_view to_string(containment which) noexcept {
  constexpr std::string_view names[containments] = {"nothing", "namespaces",     "Landlock",
                                                    "filter",  "basic",          "basic, command",
                                                    "strong",  "strong, command"};
  return names[static_cast<std::size_t>(which)];
}

bool is_tried(std::string_view attack, containment which) noexcept {
  if (attack == "kill-keeper")
    return is_launched(which);
  // It takes a second, and no filter has to do with it.
  if (attack == "spin")
    return which == containment::basic || which == containment::strong;
  return is_tier(which) || !is_of_resources(attack);
}

class attack_run::life {
public:
  life(containment which, attacked_ground& ground)
      : which_{which}
      , ground_{ground}
      , program_{ground.program()}
      , node_{"/usr/bin/node"}
      , filter_{filter_of(which)} {
    if (is_tier(which))
      start_neighbour();
  }

  std::string program(std::string_view attack) {
    words arguments{std::string{attack}};
    for (auto const& [name, value] : ground_.targets())
      arguments.push_back(name + '=' + value);
    arguments.push_back("terminal=" + std::to_string(extra_descriptor));
    for (auto const& [name, value] : {std::pair{"processes", std::uint64_t{process_limit}},
                                      {"memory", memory_limit},
                                      {"file", file_limit},
                                      {"tmp", tmp_limit},
                                      {"files", open_file_limit},
                                      {"seconds", cpu_seconds}})
      arguments.push_back(std::string{name} + '=' + std::to_string(value));
    open_terminal const terminal;
    std::optional<cgroup> group;
    ended_process ended;
    if (is_launched(which_)) {
      auto spec = spec_of(program_, arguments, terminal.descriptor());
      if (is_of_resources(attack) && is_tier(which_))
        limit(spec, group);
      ended = watched{spec, loop_}.finish();
    } else {
      ended = run_plain(program_, arguments, terminal.descriptor(), plain_filter());
    }
    if (is_tier(which_) && terminal.has_input())
      return "through";
    if (!ended.lines.empty())
      return outcome_in(boost::json::parse(ended.lines.front()).as_object());
    if (group && group->usage().oom_kills > 0)
      return "out of memory";
    return describe(ended.status);
  }

  outcomes extension() {
    boost::json::object target{{"contained", is_launched(which_)}};
    for (auto const& [name, value] : ground_.targets()) {
      auto const is_number = name == "victim" || name == "tcp" || name == "udp";
      target[name] = is_number ? boost::json::value(std::stoi(value)) : boost::json::value(value);
    }
    target["addon"] = node_.needs.files.front().path;
    words const arguments{"--max-old-space-size=256", "--disallow-code-generation-from-strings",
                          "--no-addons", (ground_.extension() / "main.js").string(),
                          boost::json::serialize(target)};
    open_terminal const terminal;
    auto const ended =
        is_launched(which_)
            ? watched{spec_of(node_, arguments, terminal.descriptor()), loop_}.finish()
            : run_plain(node_, arguments, terminal.descriptor(), plain_filter());
    outcomes all;
    for (auto const& line : ended.lines) {
      auto const record = boost::json::parse(line).as_object();
      all.emplace(record.at("attack").as_string(), outcome_in(record));
    }
    if (all.empty())
      throw std::runtime_error{"the extension did not attack: " + describe(ended.status)};
    return all;
  }

  bool neighbour_answers() {
    if (!channel_)
      return true;
    char byte = '?';
    pollfd heard{channel_.get(), POLLIN, 0};
    constexpr int patience_ms = 10'000;
    return ::write(channel_.get(), &byte, 1) == 1 && ::poll(&heard, 1, patience_ms) == 1 &&
           ::read(channel_.get(), &byte, 1) == 1;
  }

private:
  int plain_filter() const noexcept { return which_ == containment::filter ? filter_.get() : -1; }

  sandbox_spec spec_of(opened_program const& program, words arguments, int extra) const {
    sandbox_spec spec;
    spec.tier = has_own_root(which_) ? sandbox_tier::strong : sandbox_tier::basic;
    spec.landlock = which_ != containment::namespaces;
    spec.filter = is_tier(which_) ? filter_.get() : -1;
    spec.program = program.file.get();
    spec.program_path = program.path;
    spec.arguments = std::move(arguments);
    for (auto const& each : program.needs.files)
      spec.libraries.emplace_back(each.path);
    spec.loader = program.needs.loader;
    spec.working_directory = has_own_root(which_) ? "/tmp" : "/";
    spec.tmp_size = tmp_limit;
    spec.environment = {{"OPENSSL_CONF", "/dev/null"}};
    if (!spec.loader.empty())
      spec.bound.push_back({"/etc/ld.so.cache", "/etc/ld.so.cache", false, false});
    if (auto const parts = node_parts_folder(); !parts.empty())
      spec.bound.push_back({parts, parts, false, false});
    spec.bound.push_back({ground_.extension(), ground_.extension(), false, false});
    spec.bound.push_back({ground_.own_folder(), ground_.own_folder(), true, false});
    if (is_command(which_))
      bind_programs(spec);
    spec.processes = is_command(which_);
    spec.inherited.emplace_back(extra_descriptor, extra);
    spec.limits.push_back({RLIMIT_CORE, 0, 0});
    if (is_root())
      spec.run_as = identity{attacker_user, attacker_user};
    return spec;
  }

  /// What a command may execute.
  void bind_programs(sandbox_spec& spec) const {
    for (disk::path const folder : {"/usr", "/bin", "/lib", "/lib64"})
      if (disk::exists(folder))
        spec.bound.push_back({folder, folder, false, true});
    if (auto const& special = ground_.set_user_id(); !special.empty())
      spec.bound.push_back({special, special, false, true});
  }

  /// As a host has them: by a control group where there is one, else by what each process has.
  void limit(sandbox_spec& spec, std::optional<cgroup>& group) {
    auto const add = [&](int resource, std::uint64_t most, std::uint64_t grace = 0) {
      spec.limits.push_back({resource, most, most + grace});
    };
    add(RLIMIT_NOFILE, open_file_limit);
    add(RLIMIT_FSIZE, file_limit);
    add(RLIMIT_CPU, cpu_seconds, 1);
    if (is_root() || has_own_root(which_))
      add(RLIMIT_NPROC, process_limit);
    if (!tree_)
      tree_.emplace(cgroup_tree::create("attacks-" + std::to_string(::getpid())));
    if (*tree_)
      if (auto made = (*tree_)->create_group("attacker", {memory_limit, process_limit, 0}))
        group.emplace(std::move(*made));
    if (!group) {
      add(RLIMIT_DATA, memory_limit);
      return;
    }
    spec.group = group->directory_fd();
    spec.joined_groups = group->join_fds(spec.group >= 0);
  }

  void start_neighbour() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error{"no channel for a neighbour"};
    channel_.reset(ends[0]);
    unique_fd const theirs{ends[1]};
    auto spec = spec_of(program_, {"--answer"}, theirs.get());
    if (spec.run_as)
      spec.run_as = identity{attacker_user + 1, attacker_user + 1};
    auto made = start_sandboxed(spec);
    if (!made)
      throw made.error();
    neighbour_.emplace(std::move(*made));
  }

  containment which_;
  attacked_ground& ground_;
  opened_program program_;
  opened_program node_;
  unique_fd filter_;
  boost::asio::io_context loop_;
  std::optional<bulkhead::result<cgroup_tree>> tree_;
  unique_fd channel_;
  std::optional<sandboxed_process> neighbour_;
};

attack_run::attack_run(containment which, attacked_ground& ground)
    : life_{std::make_unique<life>(which, ground)} {}
attack_run::~attack_run() = default;

std::string attack_run::program(std::string_view attack) {
  return life_->program(attack);
}
outcomes attack_run::extension() {
  return life_->extension();
}
bool attack_run::neighbour_answers() {
  return life_->neighbour_answers();
}

} // namespace attacks
