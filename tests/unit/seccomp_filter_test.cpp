#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <set>
#include <sstream>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::compile_seccomp;
using bulkhead::platform::load_seccomp_filter;
using bulkhead::platform::make_seccomp_filter;
using bulkhead::platform::seccomp_action;
using bulkhead::platform::seccomp_groups;
using bulkhead::platform::seccomp_options;
using bulkhead::platform::seccomp_profile;
using bulkhead::platform::seccomp_reference;
using bulkhead::platform::unique_fd;

constexpr seccomp_options node{.without_launcher = true};
constexpr seccomp_options command{.profile = seccomp_profile::command, .without_launcher = true};
constexpr seccomp_options basic{.basic_tier = true, .without_launcher = true};
constexpr seccomp_options with_processes{.processes = true, .without_launcher = true};
constexpr seccomp_options with_network{.network = true, .without_launcher = true};
/// For the launcher.
constexpr seccomp_options that_tells{};

/// What a child says whose filter could not be installed.
constexpr int not_installed = 250;

struct scratch_folder {
  scratch_folder() { ::mkdtemp(path.data()); }
  ~scratch_folder() { fs::remove_all(path); }
  fs::path operator/(char const* name) const { return fs::path{path} / name; }

  std::string path = "/tmp/bulkhead-test-XXXXXX";
};

bool install(int file) {
  std::array<sock_filter, bulkhead::platform::max_seccomp_instructions> instructions;
  auto const bytes = ::read(file, instructions.data(), sizeof instructions);
  sock_fprog const program{
      static_cast<unsigned short>(static_cast<std::size_t>(bytes) / sizeof(sock_filter)),
      instructions.data()};
  rlimit const no_core{};
  return bytes > 0 && ::setrlimit(RLIMIT_CORE, &no_core) == 0 &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

int exit_of(pid_t child) {
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// Runs `body` in a process under the filter: what it returns, or minus the signal that ended it.
template <class Body>
int run_under(seccomp_options const& options, Body body) {
  auto const filter = make_seccomp_filter(options);
  REQUIRE(filter.has_value());
  auto const child = ::fork();
  if (child == 0)
    ::_exit(install(filter->get()) ? body() : not_installed);
  return exit_of(child);
}

/// The errno of one system call under the filter, 0 where it works, or minus the signal.
template <class... Arguments>
int outcome(seccomp_options const& options, long number, Arguments... arguments) {
  return run_under(options, [=] { return ::syscall(number, arguments...) < 0 ? errno : 0; });
}

fs::path node_program() {
  auto const* const path = std::getenv("PATH");
  std::istringstream folders{path == nullptr ? "" : path};
  for (std::string folder; std::getline(folders, folder, ':');)
    if (auto file = fs::path{folder} / "node"; ::access(file.c_str(), X_OK) == 0)
      return fs::canonical(file);
  return {};
}

/// Executes a program under the filter, as the launcher does: by descriptor.
int execute_under(seccomp_options const& options, fs::path const& program,
                  std::vector<std::string> arguments) {
  unique_fd const file{::open(program.c_str(), O_RDONLY | O_CLOEXEC)};
  REQUIRE(file);
  std::vector<char*> pointers;
  for (auto& argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return run_under(options, [&] {
    std::array<char*, 1> environment{};
    ::fexecve(file.get(), pointers.data(), environment.data());
    return not_installed;
  });
}

void write_instructions(fs::path const& path, std::vector<sock_filter> const& instructions) {
  std::ofstream{path, std::ios::binary}.write(
      reinterpret_cast<char const*>(instructions.data()),
      static_cast<std::streamsize>(instructions.size() * sizeof(sock_filter)));
}

std::string refusal(fs::path const& path) {
  auto const loaded = load_seccomp_filter(path);
  REQUIRE(loaded.has_error());
  CHECK(loaded.error().code() == errc::sandbox_step_failed);
  return loaded.error().detail();
}

bool mentions(std::string const& text, std::string_view part) {
  return text.find(part) != text.npos;
}

std::vector<seccomp_options> all_options() {
  std::vector<seccomp_options> all;
  for (unsigned bits = 0; bits < 64; ++bits) {
    auto const has = [&](unsigned bit) { return (bits >> bit & 1u) != 0; };
    all.push_back({has(0) ? seccomp_profile::command : seccomp_profile::node, has(1), has(2),
                   has(3), has(4), has(5)});
  }
  return all;
}

} // namespace

TEST_CASE("a system call that no extension asks for by mistake kills", "[seccomp]") {
  auto const options = GENERATE(node, command, basic);
  auto const call =
      GENERATE(SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_bpf,
               SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key,
               SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_setns, SYS_pivot_root,
               SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsmount, SYS_fspick, SYS_fsconfig,
               SYS_mount_setattr, SYS_open_by_handle_at, SYS_io_uring_enter, SYS_reboot);
  CAPTURE(call);
  CHECK(outcome(options, call, -1, 0, 0, 0, 0) == -SIGSYS);
}

TEST_CASE(
    "a filter for the launcher tells of what would kill, and is no leave where nobody listens",
    "[seccomp]") {
  auto const call = GENERATE(SYS_ptrace, SYS_bpf, SYS_setns, SYS_io_uring_enter);
  CAPTURE(call);
  CHECK(outcome(that_tells, call, -1, 0, 0, 0, 0) == ENOSYS);
  auto const answers = [](seccomp_options const& options) {
    std::set<std::uint32_t> all;
    for (auto const& each : compile_seccomp(options).value())
      if (each.code == (BPF_RET | BPF_K))
        all.insert(each.k);
    return all;
  };
  CHECK(answers(that_tells).contains(SECCOMP_RET_USER_NOTIF));
  CHECK(!answers(node).contains(SECCOMP_RET_USER_NOTIF));
}

TEST_CASE("a system call is named with its number", "[seccomp]") {
  CHECK(bulkhead::platform::name_of_call(SYS_ptrace) ==
        "ptrace (" + std::to_string(SYS_ptrace) + ')');
  CHECK(bulkhead::platform::name_of_call(5000) == "5000");
}

TEST_CASE("a newer system call is as if the kernel were older", "[seccomp]") {
  auto const options = GENERATE(node, command, with_processes, with_network, basic);
  auto const call = GENERATE(SYS_clone3, SYS_io_uring_setup, SYS_openat2, SYS_pidfd_open,
                             SYS_landlock_create_ruleset, 5000);
  CAPTURE(call);
  CHECK(outcome(options, call, 0, 0, 0, 0, 0) == ENOSYS);
}

TEST_CASE("what ordinary programs try gets EPERM", "[seccomp]") {
  auto const options = GENERATE(node, command, with_processes);
  CHECK(outcome(options, SYS_unshare, CLONE_NEWUSER) == EPERM);
  CHECK(outcome(options, SYS_mount, 0, 0, 0, 0, 0) == EPERM);
  CHECK(outcome(options, SYS_chroot, "/") == EPERM);
  CHECK(outcome(options, SYS_setuid, ::getuid()) == EPERM);
  CHECK(outcome(options, SYS_fchown, 1, -1, -1) == EPERM);
  CHECK(outcome(options, SYS_seccomp, 0, 0, 0) == EPERM);
}

TEST_CASE("threads work without the permission for processes", "[seccomp]") {
  CHECK(run_under(node, [] {
          pthread_t thread{};
          auto const started = ::pthread_create(
              &thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
          return started != 0 ? started : ::pthread_join(thread, nullptr);
        }) == 0);
}

TEST_CASE("a process is created only where that is granted", "[seccomp]") {
  auto const fork_and_wait = [] {
    auto const child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
      ::_exit(0);
    if (child < 0)
      return errno;
    return ::waitpid(static_cast<pid_t>(child), nullptr, 0) == child ? 0 : errno;
  };
  CHECK(run_under(node, fork_and_wait) == EPERM);
  CHECK(run_under(command, fork_and_wait) == EPERM);
  CHECK(run_under(with_processes, fork_and_wait) == 0);
#ifdef SYS_fork
  CHECK(outcome(node, SYS_fork) == EPERM);
  CHECK(outcome(node, SYS_vfork) == EPERM);
#endif
  CHECK(outcome(node, SYS_execve, "/bin/true", 0, 0) == EACCES);
  CHECK(outcome(with_processes, SYS_execve, "/bulkhead-no-such-program", 0, 0) == ENOENT);
}

TEST_CASE("no thread and no process gets a namespace of its own", "[seccomp]") {
  auto const options = GENERATE(node, command, with_processes);
  auto const bit = GENERATE(CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
                            CLONE_NEWUTS, CLONE_NEWCGROUP);
  CAPTURE(bit);
  CHECK(outcome(options, SYS_clone, bit | SIGCHLD, 0, 0, 0, 0) == EPERM);
  // EINVAL would be the kernel's own answer.
  CHECK(outcome(options, SYS_clone, bit | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, 0, 0, 0, 0) ==
        EPERM);
}

TEST_CASE("sockets but the inherited one are denied", "[seccomp]") {
  std::array<int, 2> ends;
  auto* const pair = ends.data();
  CHECK(outcome(node, SYS_socket, AF_INET, SOCK_STREAM, 0) == EACCES);
  CHECK(outcome(node, SYS_socket, AF_UNIX, SOCK_STREAM, 0) == EACCES);
  CHECK(outcome(node, SYS_socket, AF_PACKET, SOCK_RAW, 0) == ENOSYS);
  CHECK(outcome(node, SYS_connect, 1, 0, 0) == EACCES);
  CHECK(outcome(node, SYS_accept4, 1, 0, 0, 0) == EACCES);
  CHECK(outcome(node, SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  // It could send to the address of any service of the host.
  CHECK(outcome(node, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair) == ENOSYS);
  CHECK(outcome(node, SYS_socketpair, AF_TIPC, SOCK_STREAM, 0, pair) == ENOSYS);
}

TEST_CASE("a granted network is IP and nothing else", "[seccomp]") {
  CHECK(outcome(with_network, SYS_socket, AF_INET, SOCK_STREAM, 0) == 0);
  CHECK(outcome(with_network, SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) == 0);
  CHECK(outcome(with_network, SYS_socket, AF_NETLINK, SOCK_RAW, 0) == 0);
  CHECK(outcome(with_network, SYS_socket, AF_NETLINK, SOCK_RAW, 9) == ENOSYS);
  CHECK(outcome(with_network, SYS_socket, AF_UNIX, SOCK_STREAM, 0) == EACCES);
  CHECK(outcome(with_network, SYS_socket, AF_PACKET, SOCK_RAW, 0) == ENOSYS);
  CHECK(outcome(with_network, SYS_connect, -1, 0, 0) == EBADF);
}

#ifdef __x86_64__
TEST_CASE("a call by the ABI of another processor kills", "[seccomp]") {
  auto const options = GENERATE(node, command, that_tells);
  CHECK(run_under(options, [] {
          long answer = 20; // getpid of i386
          asm volatile("int $0x80" : "+a"(answer) : : "memory");
          return 0;
        }) == -SIGSYS);
  constexpr long x32 = 0x4000'0000;
  CHECK(outcome(options, x32 + SYS_getpid) == -SIGSYS);
}
#endif

TEST_CASE("nothing is typed into the terminal of the backend", "[seccomp]") {
  auto const options = GENERATE(node, command);
  constexpr unsigned long console = 0x541C; // TIOCLINUX
  constexpr unsigned long upper_half = 1ul << 32;
  char typed = 'x';
  CHECK(outcome(options, SYS_ioctl, 0, TIOCSTI, &typed) == ENOSYS);
  CHECK(outcome(options, SYS_ioctl, 0, TIOCSTI | upper_half, &typed) == ENOSYS);
  CHECK(outcome(options, SYS_ioctl, 0, console, &typed) == ENOSYS);
  CHECK(outcome(options, SYS_ioctl, -1, FIONBIO, &typed) == EBADF);
}

TEST_CASE("a process can't make itself dumpable, nor raise its limits", "[seccomp]") {
  auto const options = GENERATE(node, command);
  rlimit limit{};
  CHECK(outcome(options, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0) == ENOSYS);
  CHECK(outcome(options, SYS_prctl, PR_SET_NAME, "name", 0, 0, 0) == 0);
  CHECK(outcome(options, SYS_prctl, PR_SET_SECCOMP, 2, 0, 0, 0) == ENOSYS);
  CHECK(outcome(options, SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) == 0);
  CHECK(outcome(options, SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr) == EPERM);
  CHECK(outcome(options, SYS_prlimit64, ::getpid(), RLIMIT_NOFILE, nullptr, &limit) == ENOSYS);
}

TEST_CASE("no file gets a set-id bit", "[seccomp]") {
  scratch_folder const scratch;
  auto const path = (scratch / "file").string();
  auto const* const file = path.c_str();
  auto const options = GENERATE(node, command);
  auto const open_with = [&](int mode) {
    return outcome(options, SYS_openat, AT_FDCWD, file, O_CREAT | O_WRONLY, mode);
  };
  CHECK(open_with(04755) == EPERM);
  CHECK(open_with(02755) == EPERM);
  CHECK(open_with(06755) == EPERM);
  CHECK_FALSE(fs::exists(path));
  CHECK(open_with(0755) == 0);
  CHECK(outcome(options, SYS_fchmodat, AT_FDCWD, file, 04755) == EPERM);
  CHECK(outcome(options, SYS_fchmodat, AT_FDCWD, file, 02755) == EPERM);
  CHECK(outcome(options, SYS_fchmodat, AT_FDCWD, file, 0700) == 0);
#ifdef SYS_chmod
  CHECK(outcome(options, SYS_chmod, file, 06755) == EPERM);
  CHECK(outcome(options, SYS_open, file, O_CREAT | O_WRONLY, 04755) == EPERM);
  CHECK(outcome(options, SYS_creat, file, 04755) == EPERM);
#endif
}

TEST_CASE("the basic tier refuses what only namespaces would hide", "[seccomp]") {
  scratch_folder const scratch;
  auto const path = (scratch / "file").string();
  auto const* const file = path.c_str();
  std::ofstream{path} << "content";
  CHECK(outcome(basic, SYS_fchmodat, AT_FDCWD, file, 0700) == EPERM);
  CHECK(outcome(basic, SYS_fchmodat, AT_FDCWD, file, 04700) == EPERM);
  CHECK(outcome(basic, SYS_utimensat, AT_FDCWD, file, 0, 0) == EPERM);
  CHECK(outcome(basic, SYS_truncate, file, 0) == EPERM);
  CHECK(outcome(basic, SYS_inotify_init1, 0) == EPERM);
  CHECK(outcome(basic, SYS_kill, ::getpid(), 0) == EPERM);
  CHECK(outcome(basic, SYS_tgkill, ::getpid(), ::getpid(), 0) == EPERM);
  CHECK(outcome(node, SYS_utimensat, AT_FDCWD, file, 0, 0) == 0);
  CHECK(outcome(node, SYS_truncate, file, 0) == 0);
  CHECK(outcome(node, SYS_inotify_init1, 0) == 0);
  CHECK(outcome(node, SYS_kill, ::getpid(), 0) == 0);
  CHECK(outcome({.basic_tier = true, .signals_scoped = true}, SYS_kill, ::getpid(), 0) == 0);
}

TEST_CASE("a native program gets more than Node, but only behind namespaces", "[seccomp]") {
  CHECK(outcome(node, SYS_memfd_create, "name", 0) == EPERM);
  CHECK(outcome(command, SYS_memfd_create, "name", 0) == 0);
  CHECK(outcome(command, SYS_shmctl, -1, IPC_STAT, 0) == EINVAL);
  CHECK(outcome({.profile = seccomp_profile::command, .basic_tier = true}, SYS_shmctl, -1, IPC_STAT,
                0) == EPERM);
}

TEST_CASE("with the default logged, what is not named works and what is refused stays so",
          "[seccomp]") {
  constexpr seccomp_options logging{.log_default = true, .without_launcher = true};
  CHECK(outcome(node, SYS_swapoff, "/none") == -SIGSYS);
  CHECK(outcome(logging, SYS_swapoff, "/none") == -SIGSYS);
  CHECK(outcome(logging, SYS_clone3, 0, 0) == ENOSYS);
  CHECK(outcome(node, SYS_io_setup, 0, 0) == ENOSYS);
  CHECK(outcome(logging, SYS_io_setup, 0, 0) != ENOSYS);
}

TEST_CASE("Node runs with files, workers, zlib, crypto and WebAssembly", "[seccomp]") {
  auto const program = node_program();
  if (program.empty()) {
    WARN("no node on this machine");
    return;
  }
  scratch_folder const scratch;
  auto const script = R"js(
    const fs = require('fs'), zlib = require('zlib'), crypto = require('crypto');
    const { Worker } = require('worker_threads');
    process.chdir(process.argv[1]);
    fs.mkdirSync('folder');
    fs.writeFileSync('folder/file', 'content', { mode: 0o600 });
    fs.renameSync('folder/file', 'folder/other');
    if (fs.readFileSync('folder/other', 'utf8') !== 'content') process.exit(11);
    if (zlib.gunzipSync(zlib.gzipSync('text')).toString() !== 'text') process.exit(12);
    crypto.randomBytes(16);
    crypto.createHash('sha256').update('text').digest();
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    for (const refused of [() => fs.chmodSync('folder/other', 0o4755),
                           () => require('child_process').execFileSync(process.execPath)]) {
      try { refused(); process.exit(13); } catch (failed) { if (!failed.code) process.exit(14); }
    }
    new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true })
      .on('message', n => fs.promises.readdir('folder').then(() => process.exit(n)));
  )js";
  CHECK(execute_under(node, program, {"node", "-e", script, scratch.path}) == 42);
}

TEST_CASE("a native program starts others where that is granted", "[seccomp]") {
  constexpr seccomp_options granted{.profile = seccomp_profile::command, .processes = true};
  std::vector<std::string> const pipeline = {"sh", "-c", "test \"$(echo in | cat)\" = in"};
  CHECK(execute_under(granted, "/bin/sh", pipeline) == 0);
  CHECK(execute_under(command, "/bin/sh", pipeline) != 0);
  CHECK(execute_under(command, "/bin/sh", {"sh", "-c", "exit 3"}) == 3);
}

TEST_CASE("every group has its reason, and no call is in two groups at once", "[seccomp]") {
  for (auto const& group : seccomp_groups()) {
    CAPTURE(group.name);
    CHECK_FALSE(group.why.empty());
    CHECK(group.why.back() == '.');
    CHECK_FALSE(group.calls.empty());
  }
  for (auto const& options : all_options()) {
    std::set<std::string_view> plain;
    std::set<std::string_view> by_argument;
    for (auto const& group : seccomp_groups()) {
      if (!holds(group.when, options) && !group.otherwise)
        continue;
      for (auto const call : group.calls) {
        CAPTURE(call);
        CHECK_FALSE(plain.contains(call));
        if (group.cases.empty()) {
          CHECK_FALSE(by_argument.contains(call));
          plain.insert(call);
        } else {
          by_argument.insert(call);
        }
      }
    }
  }
}

TEST_CASE("every call of the table exists", "[seccomp]") {
  for (auto const& group : seccomp_groups())
    for (auto const call : group.calls) {
      CAPTURE(call);
      CHECK(::seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, std::string{call}.c_str()) >= 0);
    }
}

TEST_CASE("the table compiles for every option and both processors", "[seccomp]") {
  for (auto const& options : all_options())
    for (auto const processor : {AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64}) {
      auto const compiled = compile_seccomp(options, processor);
      REQUIRE(compiled.has_value());
      CHECK(compiled->size() > 100);
      CHECK(compiled->size() < bulkhead::platform::max_seccomp_instructions);
    }
}

TEST_CASE("the table for one processor is not the other's", "[seccomp]") {
  auto const text = [](std::uint32_t processor) {
    auto const compiled = compile_seccomp(node, processor);
    REQUIRE(compiled.has_value());
    // The first comparison of every filter: is it this processor's ABI?
    return compiled->at(1).k;
  };
  CHECK(text(AUDIT_ARCH_X86_64) == AUDIT_ARCH_X86_64);
  CHECK(text(AUDIT_ARCH_AARCH64) == AUDIT_ARCH_AARCH64);
}

TEST_CASE("a filter is sealed and read from its start", "[seccomp]") {
  auto const first = make_seccomp_filter(node);
  auto const second = make_seccomp_filter(node);
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  CHECK(::ftruncate(first->get(), 0) != 0);
  CHECK(::write(first->get(), "x", 1) < 0);
  CHECK(::lseek(first->get(), 0, SEEK_CUR) == 0);
  char byte = 0;
  REQUIRE(::read(first->get(), &byte, 1) == 1);
  CHECK(::lseek(second->get(), 0, SEEK_CUR) == 0);
}

TEST_CASE("a filter of the policy's own is taken from a file", "[seccomp]") {
  scratch_folder const scratch;
  auto const path = scratch / "filter.bpf";
  auto const compiled = compile_seccomp(node);
  REQUIRE(compiled.has_value());
  write_instructions(path, *compiled);
  auto const loaded = load_seccomp_filter(path);
  REQUIRE(loaded.has_value());
  struct stat seen {};
  REQUIRE(::fstat(loaded->get(), &seen) == 0);
  CHECK(static_cast<std::size_t>(seen.st_size) == compiled->size() * sizeof(sock_filter));
  CHECK(::fcntl(loaded->get(), F_GET_SEALS) ==
        (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
}

TEST_CASE("a filter that lets nothing through can be loaded and leaves no process", "[seccomp]") {
  scratch_folder const scratch;
  auto const path = scratch / "filter.bpf";
  auto const verdict = GENERATE(SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ERRNO | EPERM);
  write_instructions(path, {BPF_STMT(BPF_RET | BPF_K, verdict)});
  CHECK(load_seccomp_filter(path).has_value());
  CHECK(::waitpid(-1, nullptr, WNOHANG | __WALL) == -1);
}

TEST_CASE("a file that is not a filter is refused, and why", "[seccomp]") {
  scratch_folder const scratch;
  auto const path = scratch / "filter\nwith a line";
  CHECK(mentions(refusal(path), "No such file"));
  std::ofstream{path} << "not a filter";
  CHECK(mentions(refusal(path), "12 bytes"));
  std::ofstream{path} << "";
  CHECK(mentions(refusal(path), "0 bytes"));
  std::ofstream{path} << "eight by";
  CHECK(mentions(refusal(path), "the kernel refuses it"));
  write_instructions(path, std::vector<sock_filter>(4097, BPF_STMT(BPF_RET | BPF_K, 0)));
  CHECK(mentions(refusal(path), "longer than the kernel's 4096"));
  // It would read beyond what a filter may see.
  write_instructions(path,
                     {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4096), BPF_STMT(BPF_RET | BPF_A, 0)});
  CHECK(mentions(refusal(path), "the kernel refuses it"));
  REQUIRE(::mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  CHECK(mentions(refusal(scratch / "fifo"), "not a regular file"));
  CHECK(mentions(refusal(scratch.path), "not a regular file"));
}

TEST_CASE("the reference names every group and call", "[seccomp]") {
  auto const reference = seccomp_reference();
  for (auto const& group : seccomp_groups()) {
    CHECK(mentions(reference, group.why));
    for (auto const call : group.calls)
      CHECK(mentions(reference, '`' + std::string{call} + '`'));
  }
}
