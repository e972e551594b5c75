// What is left of a backend that is killed: no process, and on the disk nothing that its next start
// does not clean up.

#include "process_tree.hpp"
#include "served_process.hpp"
#include "shared/forked.hpp"
#include "shared/open_directory.hpp"
#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sched.h>
#include <set>
#include <signal.h>
#include <unistd.h>

using namespace bulkhead::testing;
using namespace std::chrono_literals;
namespace disk = std::filesystem;

namespace {

/// More than the guard and the kernel take on a machine that is busy.
constexpr auto end_patience = 10s;
/// A step of a launch takes microseconds to milliseconds: it is not always met at the first try.
constexpr auto most_tries = 200;

/// How a host is held.
enum class hold { contained_by_root, contained_by_user, none };

constexpr char const* name_of(hold how) {
  switch (how) {
  case hold::contained_by_root:
    return "contained, by root";
  case hold::contained_by_user:
    return "contained, by an ordinary user";
  case hold::none:
    break;
  }
  return "none";
}

std::vector<hold> holds() {
  if (is_root())
    return {hold::contained_by_root, hold::contained_by_user, hold::none};
  return {hold::contained_by_user, hold::none};
}

/// The steps of a launch, as they are seen from outside.
enum class launch_phase { prepared, created, staged, contained, executed };

constexpr char const* name_of(launch_phase phase) {
  constexpr char const* names[] = {"prepared", "created", "staged", "contained", "executed"};
  return names[static_cast<int>(phase)];
}

/// How far a backend's launch is. Prepared: it has made its first process, which is the guard or
/// one that finds something out, and none that becomes a host.
std::optional<launch_phase> phase_of(std::vector<descendant> const& tree) {
  std::optional<launch_phase> furthest;
  auto const reached = [&](launch_phase phase) {
    furthest = std::max(furthest.value_or(phase), phase);
  };
  for (std::size_t i = 1; i < tree.size(); ++i) { // the first one is the backend itself
    auto const& words = tree[i].words;
    if (words.empty())
      continue;
    auto const asks_node = words.back() == "--version"; // what it can do
    if (tree[i].is("bulkhead-launcher", "guard") || words == tree[0].words || asks_node)
      reached(launch_phase::prepared);
    else if (tree[i].is("bulkhead-launcher", "stage1"))
      reached(launch_phase::created);
    else if (words.front() == "bwrap")
      reached(launch_phase::staged);
    else if (words.size() > 1 && words[1] == "stage2")
      reached(launch_phase::contained);
    else if (contains(words.front(), "python") || contains(words.front(), "node"))
      reached(launch_phase::executed);
  }
  return furthest;
}

/// The program and the extensions, where every user can read them, and a state for each kind of
/// backend.
class killing_ground {
public:
  explicit killing_ground(hold how)
      : how_{how} {
    disk::copy_file(BULKHEAD_TEST_COMMAND, command());
    disk::copy(test_hosts::folder / "extensions/lingering", place_.path() / "extension");
    place_.write("extension/long.js", long_script());
    raw_host_program(place_);
    disk::create_directory(own_folder());
    if (is_root() && how == hold::contained_by_user)
      REQUIRE(::chown(own_folder().c_str(), ordinary_user, ordinary_user) == 0);
    clean_run();
    clean_ = remains();
  }

  /// A command that does these steps of raw_host.py.
  std::string raw(std::vector<std::string> const& steps) const {
    auto words =
        "runtime = \"command\"\ncommand = [\"" + (place_.path() / "raw_host").string() + '"';
    for (auto const& step : steps)
      words += ", \"" + step + '"';
    return words + "]\n";
  }
  /// The extension that lingers where it is told to.
  std::string node(std::string_view role) const {
    return "extension = \"" + (place_.path() / "extension").string() +
           "\"\nenvironment = { ROLE = \"" + std::string{role} + "\" }\n";
  }

  /// Serves one host.
  std::unique_ptr<served_process> serve(std::string const& host) const {
    std::vector<std::string> words;
    if (is_root() && how_ == hold::contained_by_user)
      words = {"/usr/bin/setpriv", "--reuid=" + std::to_string(ordinary_user),
               "--regid=" + std::to_string(ordinary_user), "--clear-groups"};
    // The log and the events in one stream, in the order in which they happen.
    words.insert(words.end(), {"/bin/sh", "-c", "exec \"$0\" run --json \"$1\" 2>&1", command(),
                               place_.write("policy.toml", policy(host))});
    return std::make_unique<served_process>(words);
  }

  /// Kills the backend, and asserts that nothing of it lives on.
  void kill(served_process& backend) const {
    backend.signal(SIGKILL);
    CHECK(backend.wait().exit_code == 128 + SIGKILL);
    check_all_gone();
  }

  /// The same where all of it is stopped; the others go on once the backend is dead.
  void kill_frozen(served_process& backend, std::vector<descendant> const& tree) const {
    backend.signal(SIGKILL);
    for (auto const& each : tree)
      ::kill(each.pid, SIGCONT);
    backend.wait();
    check_all_gone();
  }

  void check_all_gone() const {
    auto const all_gone = family_.has_lost_all(end_patience);
    if (!all_gone)
      FAIL_CHECK("left behind:" << family_.left());
  }

  /// Starts a backend anew, ends it as one does, and asserts that what is left is what is always
  /// left.
  void check_next_start() const {
    clean_run();
    CHECK(remains() == clean_);
  }

  foster_parent const& family() const { return family_; }
  hold how() const { return how_; }

private:
  /// One that takes long to compile.
  static std::string long_script() {
    std::string script;
    for (auto i = 0; script.size() < std::size_t{8} << 20; ++i)
      script += "exports.f" + std::to_string(i) +
                " = x => { let y = x; while (y < x * x) y += x; return y; };\n";
    return script;
  }

  std::string command() const { return (place_.path() / "bulkhead").string(); }
  disk::path own_folder() const { return place_.path() / "own"; }
  static std::string runtime_name() { return "orph" + std::to_string(::getpid()); }
  static uid_t first_uid() { return 200'000 + static_cast<uid_t>(::getpid()) % 10'000 * 10; }

  std::string policy(std::string const& host) const {
    // An ordinary user gets the same, but for the limits that need a control group.
    auto const require = how_ == hold::none                ? "none"
                         : how_ == hold::contained_by_root ? "strong"
                                                           : "basic";
    return "[runtime]\nname = \"" + runtime_name() +
           "\"\nfirst_uid = " + std::to_string(first_uid()) + "\nstate_dir = \"" +
           (own_folder() / "state").string() + "\"\ndrain_timeout = '1min'\n[hosts.host]\n" + host +
           "sandbox.require = \"" + require + "\"\n" +
           "start_timeout = '1min'\nstop.deactivate_timeout = '1min'\nstop.term_timeout = '1min'\n"
           "restart.backoff = { initial = '1min', max = '1min' }\n";
  }

  void clean_run() const {
    auto const backend = serve(raw({"ready", "serve"}));
    backend->wait_for_output("\"Running\"");
    backend->signal(SIGTERM);
    auto const ended = backend->wait();
    INFO(ended.output);
    CHECK(ended.exit_code == 0);
    check_all_gone();
  }

  /// The names of all that a runtime of this ground leaves: files, control groups, uids.
  std::set<std::string> remains() const {
    std::set<std::string> found;
    for (auto const& each : disk::recursive_directory_iterator{own_folder()})
      found.insert(each.path().string());
    std::error_code refused;
    for (disk::recursive_directory_iterator
             each{"/sys/fs/cgroup", disk::directory_options::skip_permission_denied, refused},
         end;
         !refused && each != end; each.increment(refused))
      if (contains(each->path().filename().native(), runtime_name() + '-'))
        found.insert(each->path().string());
    for (auto uid = first_uid(); uid < first_uid() + 10; ++uid)
      if (auto const lease = "/run/bulkhead/" + std::to_string(uid); disk::exists(lease))
        found.insert(lease);
    return found;
  }

  hold how_;
  open_directory place_;
  foster_parent family_;
  std::set<std::string> clean_;
};

/// Or will be before it does anything: whoever waits for a child of vfork() is in state D.
bool is_stopped(pid_t process) {
  auto const stat = process_file(process, "stat");
  auto const behind_name = stat.rfind(") ");
  return behind_name == stat.npos || contains("TtZXD", stat.substr(behind_name + 2, 1));
}

/// Stops all of a tree but the guard, and what they have started meanwhile; gives what is stopped.
std::vector<descendant> freeze(foster_parent const& family, std::vector<descendant> tree) {
  for (;;) {
    std::size_t running = 0;
    for (auto const& each : tree)
      if (!each.is("bulkhead-launcher", "guard") && !is_stopped(each.pid)) {
        ::kill(each.pid, SIGSTOP);
        ++running;
      }
    if (running == 0)
      return tree;
    tree = family.descendants();
  }
}

/// Starts a backend and kills it in that phase of its launch, or in a later one where that had
/// passed. The phase in which it was killed, by a look at what was stopped before; nothing where
/// what was seen of it had ended by then.
std::optional<launch_phase> kill_in(launch_phase wanted, killing_ground const& ground,
                                    std::string const& host) {
  auto const& family = ground.family();
  auto const backend = ground.serve(host);
  auto tree = family.descendants();
  while (!(phase_of(tree) >= wanted))
    tree = family.descendants();
  tree = freeze(family, std::move(tree));
  auto const met = phase_of(tree);
  ground.kill_frozen(*backend, tree);
  return met;
}

void check_kill_while_launching(killing_ground const& ground, std::string const& host) {
  std::set<launch_phase> missing{launch_phase::prepared, launch_phase::executed};
  if (ground.how() != hold::none) // which has no such steps
    missing.insert({launch_phase::created, launch_phase::staged, launch_phase::contained});
  for (auto tries = 0; !missing.empty() && tries < most_tries; ++tries) {
    auto const met = kill_in(*missing.begin(), ground, host);
    if (met && missing.erase(*met) != 0)
      ground.check_next_start();
  }
  for (auto const phase : missing)
    FAIL_CHECK("it was never met when it was " << name_of(phase));
}

/// A phase that lasts, and what says that it is reached.
struct lasting_phase {
  char const* name;
  std::string host;
  std::string begins; ///< in the backend's output
  bool ends_by_signal = false;
  std::string then = {}; ///< in the output, after SIGTERM was sent
};

void check_kill_in(killing_ground const& ground, lasting_phase const& phase) {
  INFO(phase.name);
  auto const backend = ground.serve(phase.host);
  backend->wait_for_output(phase.begins);
  if (phase.ends_by_signal) {
    backend->signal(SIGTERM);
    backend->wait_for_output(phase.then);
  }
  ground.kill(*backend);
  ground.check_next_start();
}

} // namespace

TEST_CASE("a backend that is killed while it starts a host leaves nothing", "[orphans]") {
  for (auto const how : holds())
    DYNAMIC_SECTION(name_of(how)) {
      killing_ground const ground{how};
      check_kill_while_launching(ground, ground.raw({"ready", "serve"}));
      check_kill_while_launching(ground, ground.node("idle"));
    }
}

TEST_CASE("a backend that is killed while a command runs leaves nothing", "[orphans]") {
  for (auto const how : holds())
    DYNAMIC_SECTION(name_of(how)) {
      killing_ground const ground{how};
      auto const running = R"("to":"Running")";
      for (auto const& phase : {
               lasting_phase{"before ready", ground.raw({"print:waits", "pause"}), "stdout: waits"},
               lasting_phase{"idle", ground.raw({"ready", "serve"}), running},
               lasting_phase{"busy", ground.raw({"ready", "print:spins", "spin"}), "stdout: spins"},
               lasting_phase{"with a daemon, idle", ground.raw({"ready", "daemon", "serve"}),
                             "stdout: daemon"},
               lasting_phase{"with a daemon, busy", ground.raw({"ready", "daemon", "spin"}),
                             "stdout: daemon"},
               lasting_phase{"after SIGTERM",
                             ground.raw({"on-term:heard", "ready", "print:waits", "pause"}),
                             "stdout: waits", true, "stdout: heard"},
               lasting_phase{"in backoff", ground.raw({"ready", "exit:1"}), R"("to":"Restarting")"},
           })
        check_kill_in(ground, phase);
    }
}

TEST_CASE("a backend that is killed while an extension runs leaves nothing", "[orphans]") {
  for (auto const how : holds())
    DYNAMIC_SECTION(name_of(how)) {
      killing_ground const ground{how};
      auto const activated = R"("event":"activated")";
      for (auto const& phase : {
               lasting_phase{"idle", ground.node("idle"), activated},
               lasting_phase{"idle, with a ready process", ground.node("idle") + "start.warm = 1\n",
                             R"("event":"spare_ready")"},
               lasting_phase{"busy", ground.node("busy"), "stdout: busy"},
               lasting_phase{"while it drains", ground.node("activating"), "stdout: activating",
                             true, "ending: open requests may go on"},
               lasting_phase{"deactivating", ground.node("deactivating"), activated, true,
                             "stdout: deactivating"},
               lasting_phase{"after SIGTERM", ground.node("terminated"), activated, true,
                             "stdout: held at its end"},
           })
        check_kill_in(ground, phase);
    }
}

TEST_CASE("a backend that is killed while scripts are compiled leaves nothing", "[orphans]") {
  auto const compiles = [](descendant const& each) {
    return !each.words.empty() && each.words.front().find("node") != std::string::npos &&
           std::ranges::any_of(each.words,
                               [](auto const& word) { return word.ends_with("compile.js"); });
  };
  for (auto const how : holds())
    DYNAMIC_SECTION(name_of(how)) {
      killing_ground const ground{how};
      auto const backend = ground.serve(ground.node("compiled") + "start.code_cache = true\n");
      auto const by = std::chrono::steady_clock::now() + end_patience;
      while (!std::ranges::any_of(ground.family().descendants(), compiles))
        REQUIRE(std::chrono::steady_clock::now() < by);
      ground.kill(*backend);
      ground.check_next_start();
    }
}
