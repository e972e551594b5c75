// What is taken away from a process of the test's own has to be found missing, with the remedy.

#include "sandbox_launches.hpp"
#include "shared/forked.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/cgroup_layout.hpp>
#include <bulkhead/platform/linux/namespace_remedy.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>
#include <bulkhead/platform/machine_probe.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using bulkhead::sandbox_tier;
using bulkhead::platform::cgroup_hierarchy;
using bulkhead::platform::find_cgroups;
using bulkhead::platform::machine_report;
using bulkhead::platform::mechanism;
using bulkhead::platform::namespace_remedy;
using bulkhead::platform::namespace_restrictions;
using bulkhead::platform::probe_machine;
using bulkhead::platform::probe_options;
using bulkhead::platform::purpose;
using bulkhead::testing::become_ordinary_user;
using bulkhead::testing::contains;
using bulkhead::testing::is_root;
using bulkhead::testing::text_of_child;
using sandbox_test::open_folder;

using restriction = std::function<bool()>;

bool none() {
  return true;
}

/// What a process of its own finds that has lost something first.
boost::json::value probe_without(restriction const& take_away, probe_options const& options = {},
                                 restriction const& become = become_ordinary_user) {
  auto const text = text_of_child([&] {
    return become() && take_away() ? boost::json::serialize(to_json(probe_machine(options))) : "";
  });
  REQUIRE(!text.empty());
  return boost::json::parse(text);
}

struct verdict {
  bool holds = false;
  std::string detail;
  std::string remedy;
};

verdict on(boost::json::value const& report, std::string_view name) {
  for (auto const& each : report.at("mechanisms").as_array())
    if (each.at("name").as_string() == name)
      return {each.at("holds").as_bool(), boost::json::value_to<std::string>(each.at("detail")),
              boost::json::value_to<std::string>(each.at("remedy"))};
  FAIL("there is no mechanism " << name);
  return {};
}

/// Whether it is missing, for a reason and with a remedy that hold these.
bool lacks(boost::json::value const& report, std::string_view name, std::string_view reason,
           std::string_view remedy) {
  auto const found = on(report, name);
  INFO(name << ": " << found.detail << " - " << found.remedy);
  CHECK(!found.holds);
  CHECK(contains(found.detail, reason));
  CHECK(contains(found.remedy, remedy));
  return !found.holds;
}

/// Fails a system call from now on, in this process and in all that it starts; where `bits` are
/// given, only with one of these in the first argument.
restriction refuse(long call, int number, std::uint32_t bits = 0) {
  return [=] {
    auto const refused = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number);
    std::uint8_t const unless_bits = bits == 0 ? 0 : 1;
    sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, static_cast<std::uint32_t>(call)},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args)},
        {BPF_JMP | BPF_JSET | BPF_K, 0, unless_bits, bits},
        {BPF_RET | BPF_K, 0, 0, refused},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    sock_fprog const program{6, code};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  };
}

bool write_file(char const* path, std::string const& text) {
  std::ofstream stream{path};
  stream << text << std::flush;
  return stream.good();
}

/// In a namespace whose limit on further ones is 0.
bool forbid_user_namespaces() {
  auto const self = std::to_string(::geteuid());
  return ::unshare(CLONE_NEWUSER) == 0 &&
         write_file("/proc/self/uid_map", self + ' ' + self + " 1") &&
         write_file("/proc/sys/user/max_user_namespaces", "0");
}

bool make_control_groups_read_only() {
  auto const found = find_cgroups();
  if (!found || ::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return false;
  return std::ranges::all_of(*found, [](cgroup_hierarchy const& each) {
    auto const* const path = each.root.c_str();
    return ::mount(path, path, nullptr, MS_BIND, nullptr) == 0 &&
           ::mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
  });
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{}));
}

mechanism const& named(machine_report&& report, std::string_view name) = delete;
mechanism const& named(machine_report const& report, std::string_view name) {
  auto const found = std::ranges::find(report.mechanisms, name, &mechanism::name);
  REQUIRE(found != report.mechanisms.end());
  return *found;
}

/// A program in place of bubblewrap, which prints this and fails.
fs::path write_program(open_folder const& folder, std::string const& script) {
  auto path = fs::canonical(folder.path()) / "bwrap";
  std::ofstream{path} << "#!/bin/sh\n" << script << '\n';
  ::chmod(path.c_str(), 0755);
  return path;
}

/// Names of control groups that a probe made.
std::vector<std::string> leftovers() {
  std::vector<std::string> found;
  if (auto const hierarchies = find_cgroups())
    for (auto const& hierarchy : *hierarchies)
      for (auto const& folder : {hierarchy.root, hierarchy.own})
        for (auto const& entry : fs::directory_iterator{folder})
          if (contains(entry.path().filename().native(),
                       "bulkhead-run-doctor-" + std::to_string(::getpid())))
            found.push_back(entry.path());
  return found;
}

} // namespace

TEST_CASE("a machine that has every mechanism is fit for the strong tier", "[doctor]") {
  auto const report = probe_machine();
  for (auto const* const each : report.missing_for(sandbox_tier::strong))
    FAIL_CHECK(each->name << ": " << each->detail);
  CHECK(report.best_tier() == sandbox_tier::strong);
  CHECK(report.user == ::geteuid());
  CHECK(std::ranges::all_of(report.mechanisms, [](mechanism const& each) {
    return !each.detail.empty() && each.holds == each.remedy.empty();
  }));
}

TEST_CASE("an ordinary user gets the strong tier as well, and no uids to give", "[doctor]") {
  auto const report = probe_without(none);
  CHECK(report.at("best_tier") == "strong");
  CHECK(report.at("user") != 0);
  CHECK(!contains(boost::json::serialize(report), "users of hosts"));
}

TEST_CASE("a probe leaves no descriptor, process or control group", "[doctor]") {
  probe_machine(); // what stays for the life of a program is opened now
  auto const before = open_descriptors();
  probe_machine();
  CHECK(open_descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
  CHECK(leftovers() == std::vector<std::string>{});
}

TEST_CASE("without user namespaces only the basic tier is left", "[doctor]") {
  auto const report = probe_without(forbid_user_namespaces);
  lacks(report, "user namespaces", "refuses a user namespace", "user.max_user_namespaces");
  lacks(report, "strong launch", "", "");
  CHECK(on(report, "basic launch").holds);
  CHECK(report.at("best_tier") == "basic");
}

TEST_CASE("namespaces that only bubblewrap may make are enough", "[doctor]") {
  auto const report = probe_without(refuse(SYS_unshare, EPERM, CLONE_NEWPID));
  auto const found = on(report, "user namespaces");
  CHECK(found.holds);
  CHECK(contains(found.detail, "bubblewrap may make them"));
  CHECK(found.remedy.empty());
}

TEST_CASE("without bubblewrap only the basic tier is left", "[doctor]") {
  auto const report = probe_without(none, {.bubblewrap = "/none/bwrap"});
  lacks(report, "bubblewrap", "/none/bwrap: No such file", "apt install bubblewrap");
  lacks(report, "strong launch", "not tried", "apt install bubblewrap");
  CHECK(report.at("best_tier") == "basic");
}

TEST_CASE("a bubblewrap without an option that is needed is found out", "[doctor]") {
  open_folder const folder;
  auto const old =
      write_program(folder, "echo 'bwrap: Unknown option --disable-userns' >&2; exit 1");
  auto const report = probe_machine({.bubblewrap = old});
  auto const& found = named(report, "bubblewrap");
  CHECK(!found.holds);
  CHECK(contains(found.detail, "lacks an option: bwrap: Unknown option --disable-userns"));
  CHECK(contains(found.remedy, "0.8 or later"));
  CHECK(report.best_tier() == sandbox_tier::basic);
}

TEST_CASE("a bubblewrap that others can write to is not executed", "[doctor]") {
  open_folder const folder;
  auto const mark = folder.path() / "ran";
  auto const unsafe = write_program(folder, "touch " + mark.string());
  ::chmod(unsafe.c_str(), 0777);
  auto const report = probe_machine({.bubblewrap = unsafe});
  auto const& found = named(report, "bubblewrap");
  CHECK(!found.holds);
  CAPTURE(found.detail, found.remedy);
  CHECK(contains(found.detail, "can be changed by"));
  CHECK(contains(found.remedy, "chmod go-w"));
  CHECK(!fs::exists(mark));
}

TEST_CASE("without Landlock there is no tier at all", "[doctor]") {
  SECTION("as the kernel does not know it") {
    auto const report = probe_without(refuse(SYS_landlock_create_ruleset, ENOSYS));
    lacks(report, "Landlock", "Function not implemented", "Linux 5.13");
    lacks(report, "basic launch", "landlock_", "");
    CHECK(report.at("best_tier") == "none");
  }
  SECTION("as it is switched off") {
    auto const report = probe_without(refuse(SYS_landlock_create_ruleset, EOPNOTSUPP));
    lacks(report, "Landlock", "not supported", "lsm=");
  }
}

TEST_CASE("other mechanisms that are refused are reported, each with its remedy", "[doctor]") {
  struct refusal {
    long call;
    int number;
    char const* name;
    char const* reason;
    char const* remedy;
  };
  auto const each = GENERATE(
      refusal{SYS_seccomp, ENOSYS, "seccomp", "filter is refused", "CONFIG_SECCOMP_FILTER"},
      refusal{SYS_pidfd_open, ENOSYS, "process descriptors", "pidfd is refused", "Linux 5.4"},
      refusal{SYS_execveat, EACCES, "programs in memory", "can't be executed", "vm.memfd_noexec"},
      refusal{SYS_openat2, ENOSYS, "openat2", "folder by folder", "Linux 5.6"});
  CAPTURE(each.name);
  // libseccomp asks the kernel for its abilities once in a process: before they are taken away.
  REQUIRE(bulkhead::platform::make_seccomp_filter({}).has_value());
  auto const report = probe_without(refuse(each.call, each.number));
  lacks(report, each.name, each.reason, each.remedy);
}

#ifndef __SANITIZE_ADDRESS__ // which makes mlock do nothing
TEST_CASE("a limit on locked memory that is too low is reported", "[doctor]") {
  auto const report = probe_without([] {
    rlimit const nothing{0, 0};
    return ::setrlimit(RLIMIT_MEMLOCK, &nothing) == 0;
  });
  lacks(report, "locked memory", "swap", "ulimit -l");
  CHECK(report.at("best_tier") == "strong");
}
#endif

TEST_CASE("control groups that can't be written to bound nothing", "[doctor]") {
  if (!is_root()) {
    WARN("only root can make them read-only");
    return;
  }
  auto const report = probe_without(make_control_groups_read_only, {}, none);
  for (auto const* const limit : {"memory limit", "process limit", "CPU limit"})
    lacks(report, limit, "Read-only file system", "Delegate=yes");
  CHECK(report.at("best_tier") == "strong");
}

TEST_CASE("uids of hosts that are somebody's are refused", "[doctor]") {
  if (!is_root()) {
    WARN("only root gives uids");
    return;
  }
  constexpr std::uint32_t nobody = 65534;
  auto const report = probe_machine({.first_uid = nobody - 1, .uids = 2});
  auto const& found = named(report, "users of hosts");
  CHECK(!found.holds);
  CHECK(contains(found.detail, "nobody has an account"));
  CHECK(contains(found.remedy, "runtime.first_uid"));
  CHECK(report.best_tier() == sandbox_tier::none);
}

TEST_CASE("without a Node.js the tiers stand, and its hosts have none", "[doctor]") {
  auto const report = probe_machine({.search_path = "/none"});
  REQUIRE(report.missing_for(purpose::node_hosts).size() == 1);
  CHECK(!report.missing_for(purpose::node_hosts).front()->remedy.empty());
  CHECK(report.best_tier() == sandbox_tier::strong);
}

TEST_CASE("a Node.js that is none is found out", "[doctor]") {
  open_folder const folder;
  fs::copy_file(fs::canonical("/bin/sh"), folder.path() / "node");
  auto const report = probe_machine({.search_path = folder.path()});
  REQUIRE(report.missing_for(purpose::node_hosts).size() == 1);
  CHECK(contains(report.missing_for(purpose::node_hosts).front()->remedy, "18 or later"));
}

TEST_CASE("the remedy for namespaces is the one for the machine", "[doctor]") {
  CHECK(contains(namespace_remedy({.apparmor = 1, .unprivileged = 1, .most = 100}),
                 "/etc/apparmor.d/bwrap"));
  CHECK(contains(namespace_remedy({.apparmor = 1, .unprivileged = 1, .most = 100}),
                 "kernel.apparmor_restrict_unprivileged_userns=0"));
  CHECK(contains(namespace_remedy({.unprivileged = 0}), "kernel.unprivileged_userns_clone=1"));
  CHECK(contains(namespace_remedy({.apparmor = 0, .most = 0}), "user.max_user_namespaces="));
  CHECK(contains(namespace_remedy({.most = 100, .in_container = true}), "--security-opt"));
  CHECK(contains(namespace_remedy({.apparmor = 0, .most = 100}), "chroot"));
}

TEST_CASE("a machine's restrictions are read from its files", "[doctor]") {
  open_folder const root;
  fs::create_directories(root.path() / "proc/sys/kernel");
  std::ofstream{root.path() / "proc/sys/kernel/apparmor_restrict_unprivileged_userns"} << "1\n";
  std::ofstream{root.path() / ".dockerenv"};
  auto const found = namespace_restrictions::read(root.path());
  CHECK(found.apparmor == 1);
  CHECK(!found.unprivileged);
  CHECK(!found.most);
  CHECK(found.in_container);
}

TEST_CASE("a report tells what each tier lacks", "[doctor]") {
  machine_report report;
  auto const add = [&](char const* name, purpose what, bool holds) {
    report.mechanisms.push_back({.name = name, .needed_for = what, .holds = holds});
  };
  add("limits", purpose::memory_limit, false);
  add("comfort", purpose::improvement, false);
  CHECK(report.best_tier() == sandbox_tier::strong);
  add("roof", purpose::strong_tier, false);
  CHECK(report.best_tier() == sandbox_tier::basic);
  add("wall", purpose::basic_tier, false);
  CHECK(report.best_tier() == sandbox_tier::none);
  CHECK(report.missing_for(sandbox_tier::none).empty());
  CHECK(report.missing_for(sandbox_tier::basic).size() == 1);
  CHECK(report.missing_for(sandbox_tier::strong).size() == 2);
  CHECK(to_json(report).at("missing").at("strong") == boost::json::array{"roof", "wall"});
}
