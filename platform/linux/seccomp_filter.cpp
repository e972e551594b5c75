#include <bulkhead/platform/linux/seccomp_filter.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

using program = std::vector<sock_filter>;
using context = std::unique_ptr<void, decltype(&seccomp_release)>;

/// libseccomp's number for a decision tree instead of a list: a call costs the logarithm of the
/// table.
constexpr std::uint32_t binary_tree = 2;

error failed_step(std::string sentence, std::string remedy = {}) {
  return error{errc::sandbox_step_failed, "seccomp filter: " + std::move(sentence),
               std::move(remedy)};
}

/// From this level of its interface on libseccomp finds that the kernel tells of calls.
constexpr unsigned tells_of_calls = 5;

std::uint32_t libseccomp_kill(seccomp_options const& options) noexcept {
  return options.without_launcher || seccomp_api_get() < tells_of_calls ? SCMP_ACT_KILL_PROCESS
                                                                        : SCMP_ACT_NOTIFY;
}

std::uint32_t libseccomp_action(seccomp_action action, std::uint32_t kill) noexcept {
  switch (action) {
  case seccomp_action::allow:
    return SCMP_ACT_ALLOW;
  case seccomp_action::no_such_call:
    return SCMP_ACT_ERRNO(ENOSYS);
  case seccomp_action::not_permitted:
    return SCMP_ACT_ERRNO(EPERM);
  case seccomp_action::denied:
    return SCMP_ACT_ERRNO(EACCES);
  case seccomp_action::kill:
    break;
  }
  return kill;
}

scmp_arg_cmp libseccomp_comparison(seccomp_comparison const& test) noexcept {
  if (test.differs)
    return {test.argument, SCMP_CMP_NE, test.value, 0};
  return {test.argument, SCMP_CMP_MASKED_EQ, test.mask, test.value};
}

/// The rules of one filter, up to the first that libseccomp refuses.
class rule_set {
public:
  rule_set(seccomp_options const& options, std::uint32_t architecture)
      : options_{options}
      , architecture_{architecture != 0 ? architecture : seccomp_arch_native()}
      , default_{options.log_default ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(ENOSYS)}
      , kill_{libseccomp_kill(options)}
      , context_{seccomp_init(default_), &seccomp_release} {
    if (!context_) {
      failed_ = ENOMEM;
      return;
    }
    if (architecture_ != seccomp_arch_native()) {
      keep(seccomp_arch_add(get(), architecture_));
      keep(seccomp_arch_remove(get(), seccomp_arch_native()));
    }
    keep(seccomp_attr_set(get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    keep(seccomp_attr_set(get(), SCMP_FLTATR_CTL_OPTIMIZE, binary_tree));
  }

  void add(seccomp_group const& group) {
    auto const granted = holds(group.when, options_);
    if (!granted && !group.otherwise)
      return;
    auto const decide = [&](seccomp_action action) {
      return !granted && action == seccomp_action::allow ? *group.otherwise : action;
    };
    for (auto const call : group.calls) {
      if (group.cases.empty())
        add(call, decide(group.action), {});
      for (auto const& rule : group.cases) {
        scmp_arg_cmp tests[2] = {libseccomp_comparison(rule.first)};
        if (rule.second)
          tests[1] = libseccomp_comparison(*rule.second);
        add(call, decide(rule.action), {tests, rule.second ? 2u : 1u});
      }
    }
  }

  /// Writes the program to a file, from where it is.
  void write(int file) { keep(seccomp_export_bpf(get(), file)); }

  /// An errno; 0 where everything went well.
  int failed() const noexcept { return failed_; }

private:
  scmp_filter_ctx get() const noexcept { return context_.get(); }

  void keep(int outcome) noexcept {
    if (failed_ == 0)
      failed_ = -outcome;
  }

  void add(std::string_view call, seccomp_action action, std::span<scmp_arg_cmp const> tests) {
    auto const wanted = libseccomp_action(action, kill_);
    auto const number = seccomp_syscall_resolve_name_arch(architecture_, std::string{call}.c_str());
    // libseccomp numbers what a processor lacks below zero, and refuses rules that say the default.
    if (number < 0 || wanted == default_ || failed_ != 0)
      return;
    // It translates from this machine's number to the other's.
    auto const native = architecture_ == seccomp_arch_native()
                            ? number
                            : seccomp_syscall_resolve_name(std::string{call}.c_str());
    keep(seccomp_rule_add_array(get(), wanted, native, static_cast<unsigned>(tests.size()),
                                tests.data()));
  }

  seccomp_options const& options_;
  std::uint32_t architecture_;
  std::uint32_t default_;
  std::uint32_t kill_;
  context context_;
  int failed_ = 0;
};

unique_fd memory_file() noexcept {
  return unique_fd{::memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
}

/// Reads up to `instructions`, from the start of the file. Empty, with errno set, on failure.
std::optional<program> read_program(int file, std::size_t instructions) {
  program read(instructions);
  auto const bytes = std::as_writable_bytes(std::span{read});
  std::size_t done = 0;
  while (done < bytes.size()) {
    auto const got =
        ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return {};
    if (got == 0)
      break;
    done += static_cast<std::size_t>(got);
  }
  read.resize(done / sizeof(sock_filter));
  return read;
}

result<unique_fd> sealed_file(program const& filter) {
  auto file = memory_file();
  auto const bytes = std::as_bytes(std::span{filter});
  // Written by position: who reads it finds the start.
  if (!file ||
      ::pwrite(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()) ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
          0)
    return failed_step("no memory for it: " + errno_text(errno));
  return file;
}

/// Installs the filter in a process that does nothing else: 0, or the error number of the kernel's
/// refusal.
int refusal_of(program& filter) {
  // What the process says before the filter, which may forbid every call, is in force for it.
  auto* const page =
      ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    return errno;
  auto& refusal = *new (page) int{ENOSYS};
  sock_fprog const installed{static_cast<unsigned short>(filter.size()), filter.data()};
  int pidfd = -1;
  // Without an exit signal or a handler: the embedding program does not see it end, and its
  // handlers are not called in there.
  clone_args how{};
  how.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  how.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  auto const created = ::syscall(SYS_clone3, &how, sizeof how);
  if (created == 0) {
    auto const is_installed = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                              ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &installed) == 0;
    refusal = is_installed ? 0 : errno;
    ::syscall(SYS_exit_group, 0);
    // The filter may refuse even that.
    __builtin_trap();
  }
  auto answer = errno;
  if (created > 0) {
    unique_fd const child{pidfd};
    siginfo_t ended;
    while (::waitid(P_PIDFD, static_cast<id_t>(child.get()), &ended, WEXITED | __WALL) != 0 &&
           errno == EINTR)
      ;
    answer = refusal;
  }
  ::munmap(page, sizeof(int));
  return answer;
}

std::string_view to_string(seccomp_action action) noexcept {
  switch (action) {
  case seccomp_action::allow:
    return "allowed";
  case seccomp_action::no_such_call:
    return "ENOSYS";
  case seccomp_action::not_permitted:
    return "EPERM";
  case seccomp_action::denied:
    return "EACCES";
  case seccomp_action::kill:
    break;
  }
  return "killed";
}

std::string_view to_string(seccomp_when when) noexcept {
  switch (when) {
  case seccomp_when::always:
    break;
  case seccomp_when::command_profile:
    return "profile `command`";
  case seccomp_when::processes_granted:
    return "processes granted";
  case seccomp_when::network_granted:
    return "network granted";
  case seccomp_when::behind_namespaces:
    return "tier `strong`";
  case seccomp_when::signals_contained:
    return "tier `strong`, or Landlock ABI 6";
  case seccomp_when::command_behind_namespaces:
    return "profile `command` in tier `strong`";
  }
  return "always";
}

std::string condition_of(seccomp_group const& group) {
  auto text = std::string{to_string(group.when)};
  if (group.otherwise)
    text.append("; else ").append(to_string(*group.otherwise));
  else if (group.when != seccomp_when::always)
    text.append("; else not in force");
  return text;
}

std::string calls_of(seccomp_group const& group) {
  std::string text;
  for (auto const call : group.calls)
    text.append(text.empty() ? "`" : " `").append(call).append("`");
  return text;
}

} // namespace

result<program> compile_seccomp(seccomp_options const& options, std::uint32_t architecture) {
  rule_set rules{options, architecture};
  for (auto const& group : seccomp_groups())
    rules.add(group);
  auto const file = memory_file();
  if (!file)
    return failed_step("no memory for it: " + errno_text(errno));
  rules.write(file.get());
  if (rules.failed() != 0)
    return failed_step("it can't be compiled: " + errno_text(rules.failed()));
  auto compiled = read_program(file.get(), max_seccomp_instructions);
  if (!compiled)
    return failed_step("it can't be read back: " + errno_text(errno));
  return *std::move(compiled);
}

result<unique_fd> make_seccomp_filter(seccomp_options const& options) {
  // A pure function's results: what is compiled for one runtime is right for every other.
  static std::mutex guard;
  static std::map<seccomp_options, program> compiled;
  std::lock_guard const lock{guard};
  auto found = compiled.find(options);
  if (found == compiled.end()) {
    auto filter = compile_seccomp(options);
    if (!filter)
      return filter.error();
    found = compiled.emplace(options, std::move(*filter)).first;
  }
  return sealed_file(found->second);
}

result<unique_fd> load_seccomp_filter(std::filesystem::path const& path) {
  auto const is_none = [&](std::string const& why) {
    return failed_step(path.string() + " is no filter: " + why,
                       "write it with seccomp_export_bpf(3), or leave the built-in one: seccomp = "
                       "\"default\"");
  };
  // Non-blocking: a FIFO that nobody writes to must not hold the caller up.
  unique_fd const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat seen;
  if (!file || ::fstat(file.get(), &seen) != 0)
    return failed_step(path.string() + " can't be read: " + errno_text(errno));
  if (!S_ISREG(seen.st_mode))
    return is_none("it is not a regular file");
  auto const size = static_cast<std::size_t>(seen.st_size);
  if (size == 0 || size % sizeof(sock_filter) != 0)
    return is_none("its " + std::to_string(size) + " bytes are not instructions of 8 bytes each");
  if (size / sizeof(sock_filter) > max_seccomp_instructions)
    return is_none("it is longer than the kernel's " + std::to_string(max_seccomp_instructions) +
                   " instructions");
  auto filter = read_program(file.get(), size / sizeof(sock_filter));
  if (!filter)
    return failed_step(path.string() + " can't be read: " + errno_text(errno));
  if (auto const refusal = refusal_of(*filter); refusal != 0)
    return is_none("the kernel refuses it: " + errno_text(refusal));
  return sealed_file(*filter);
}

std::string name_of_call(int number) {
  std::unique_ptr<char, decltype(&std::free)> const name{
      seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number), &std::free};
  auto const text = std::to_string(number);
  return name ? std::string{name.get()} + " (" + text + ')' : text;
}

std::string seccomp_reference() {
  std::string text = "| group | calls | answer | when | why |\n|---|---|---|---|---|\n";
  for (auto const& group : seccomp_groups())
    text.append("| ")
        .append(group.name)
        .append(" | ")
        .append(calls_of(group))
        .append(" | ")
        .append(to_string(group.action))
        .append(group.cases.empty() ? "" : ", by argument")
        .append(" | ")
        .append(condition_of(group))
        .append(" | ")
        .append(group.why)
        .append(" |\n");
  return text + "\nWhat no group names gets ENOSYS. Calls by another ABI (i386, x32) kill.\n";
}

} // namespace bulkhead::platform
