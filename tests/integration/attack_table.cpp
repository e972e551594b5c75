#include "attack_table.hpp"

#include <bulkhead/harness/attack_claims.hpp>

#include <iterator>

namespace attacks {
namespace {

// In the order of containment: nothing, namespaces, Landlock, filter, basic, basic command, strong,
// strong command. Seen on Linux 6.18 with Landlock 7 and Node 20.
constexpr attack_row table[] = {
    {"read-secret", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {"see-secret", "through; ENOENT; through; through; through; through; ENOENT; ENOENT"},
    {"watch-folder", "through; ENOENT; through; through; EPERM; EPERM; ENOENT; ENOENT"},
    {"enter-folder", "through; ENOENT; through; through; through; through; ENOENT; ENOENT"},
    {"follow-own-link", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {"read-users", "EACCES; ENOENT; EACCES; EACCES; EACCES; EACCES; ENOENT; ENOENT"},
    {"see-control-groups", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {"files: list its folder", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"files: list the root", "through; through; EACCES; through; EACCES; -; EACCES; -"},
    {"files: read a secret", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"files: read the users", "through; own file; EACCES; through; EACCES; -; own file; -"},
    {"files: see that a secret is there",
     "through; ENOENT; through; through; through; -; ENOENT; -"},
    {"files: watch its folder", "through; ENOENT; through; through; EPERM; -; ENOENT; -"},
    {"links: /proc/1/root", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {"links: /proc/self/root", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"links: a hard link", "through; ENOENT; EXDEV; through; EXDEV; -; ENOENT; -"},
    {"links: a symbolic link", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"links: the root of another process",
     "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"overwrite-secret", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {"truncate-secret", "through; ENOENT; EACCES; through; EPERM; EPERM; ENOENT; ENOENT"},
    {"change-mode", "through; through; through; through; EPERM; EPERM; through; through"},
    {"change-times", "through; through; through; through; EPERM; EPERM; through; through"},
    {"create-beside-secret", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {"link-secret", "through; ENOENT; EXDEV; through; EXDEV; EXDEV; ENOENT; ENOENT"},
    {"make-device", "EPERM; EPERM; EACCES; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"files: add to the extension", "through; EROFS; EACCES; through; EACCES; -; EROFS*; -"},
    {"files: change the extension", "through; EROFS; EACCES; through; EACCES; -; EROFS*; -"},
    {"files: create a file beside it", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"files: overwrite a secret", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"unshare-user", "through?; ENOSPC?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"unshare-network", "through?; ENOSPC?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"clone-namespace", "through?; ENOSPC?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"join-namespace", "through?; EPERM?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"clone3-namespace", "through?; ENOSPC?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"mount-tmpfs", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"mount-bind", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"remount-writable", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"copy-tree", "through?; EPERM?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"move-tree", "through?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"open-file-system", "through?; EPERM?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"pivot-root", "through?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"change-root", "through?; EPERM?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"trace", "through?; ESRCH?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"read-memory", "through?; ESRCH?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"open-memory", "through?; ENOENT?; EACCES?; through?; EACCES; EACCES; ENOENT; ENOENT"},
    {"take-descriptor", "through?; ESRCH?; EPERM?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"load-program-into-kernel", "EPERM?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"count-events", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"handle-page-faults", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"put-key", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"read-keys", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"ask-for-key", "ENOKEY?; ENOKEY?; ENOKEY?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"load-kernel", "ENOSYS?; ENOSYS?; ENOSYS?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"load-module", "ENOSYS?; ENOSYS?; ENOSYS?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"set-up-ring", "through?; through?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"open-by-handle", "EPERM?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"read-kernel-log", "EPERM?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"unrandomize-addresses", "through; through; through; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"set-clock", "EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"call-as-i386", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"call-as-x32", "ENOSYS?; ENOSYS?; ENOSYS?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {"read-kernel-symbols",
     "without addresses?; without addresses?; EACCES?; without addresses?; EACCES*; EACCES*; "
     "EACCES*; without addresses*"},
    {"machine: read the kernel log", "EPERM?; ENOENT?; EACCES?; EPERM?; EACCES; -; ENOENT; -"},
    {"type-into-terminal", "through?; through?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"paste-into-console", "ENOTTY?; ENOTTY?; ENOTTY?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"open-terminal", "ENXIO; ENOENT; EACCES; ENXIO; EACCES; EACCES; ENOENT; ENOENT"},
    {"machine: open the terminal", "ENXIO; ENOENT; EACCES; ENXIO; EACCES; -; ENOENT; -"},
    {"become-root", "EPERM; EINVAL; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"change-groups", "EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"take-capability", "EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"hold-capability", "none; none; none; none; none; none; none; none"},
    {"gain-new-privileges",
     "through; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs"},
    {"execute-set-user-id", "through?; ENOENT?; no gain?; EPERM?; EPERM; no gain; ENOENT; no gain"},
    {"make-set-user-id", "through; through; through; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"files: make a set-user-ID file", "through; through; through; EPERM; EPERM; -; EPERM; -"},
    {"machine: become root", "EPERM; EINVAL; EPERM; EPERM; EPERM; -; EPERM; -"},
    {"machine: lift its own niceness", "EACCES; EACCES; EACCES; EPERM; EPERM; -; EPERM; -"},
    {"write-core-pattern", "EACCES; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {"trigger-sysrq", "ENOENT?; ENOENT?; ENOENT?; ENOENT?; ENOENT*; ENOENT*; ENOENT*; ENOENT*"},
    {"write-own-program", "ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY"},
    {"replace-own-program", "through; EBUSY; EACCES; through; EACCES; EACCES; EBUSY; EBUSY"},
    {"execute-written-file",
     "through; EACCES|through; EACCES; EPERM; EPERM; EACCES; EPERM; EACCES"},
    {"execute-memory", "through; through; through; EPERM; EPERM; through; EPERM; through"},
    {"code: compile WebAssembly", "through; through; through; through; through; -; through; -"},
    {"code: evaluate a string",
     "EvalError; EvalError; EvalError; EvalError; EvalError; -; EvalError; -"},
    {"code: load a module that it wrote",
     "through; through; through; through; through; -; through; -"},
    {"code: load a native addon",
     "ERR_DLOPEN_DISABLED; ERR_DLOPEN_DISABLED; ERR_DLOPEN_DISABLED; ERR_DLOPEN_DISABLED; "
     "ERR_DLOPEN_DISABLED; -; ERR_DLOPEN_DISABLED; -"},
    {"code: make a function of a string",
     "EvalError; EvalError; EvalError; EvalError; EvalError; -; EvalError; -"},
    {"code: run a string by vm", "through; through; through; through; through; -; through; -"},
    {"files: change the interpreter", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {"machine: write /proc/self/exe", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {"machine: write /proc/sysrq-trigger",
     "ENOENT?; ENOENT?; ENOENT?; ENOENT?; ENOENT*; -; ENOENT*; -"},
    {"machine: write a setting of its network",
     "EACCES*; EACCES*; EACCES*; EACCES*; EACCES*; -; EACCES*; -"},
    {"machine: write core_pattern", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {"machine: write its own oom_score_adj",
     "through; EROFS; EACCES; through; EACCES; -; EROFS; -"},
    {"use-inherited-descriptor", "through; EBADF; EBADF; through; EBADF; EBADF; EBADF; EBADF"},
    {"links: /proc/self/cwd", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"links: a descriptor that was left open", "through; none; none; through; none; -; none; -"},
    {"read-environment", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {"machine: inherit the environment", "through; none; none; through; none; -; none; -"},
    {"machine: learn the name of the machine",
     "through; another; through; through; through; -; another; -"},
    {"machine: read the environment of another",
     "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {"connect-abstract", "through; ECONNREFUSED; EPERM; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {"connect-service", "through; ENOENT; through; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {"send-datagram", "through; ENOENT; through; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"channels: connect to a local service",
     "through; ENOENT; through; EACCES; EACCES; -; EACCES; -"},
    {"channels: listen on a local socket",
     "through; through; EACCES; EACCES; EACCES; -; EACCES; -"},
    {"connect-tcp", "through; ECONNREFUSED; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {"listen-tcp", "through; through; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {"send-udp", "through; ECONNREFUSED; through; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {"reach-cloud", "through?; ENETUNREACH?; through?; EACCES?; EACCES; EACCES; EACCES; EACCES"},
    {"listen-to-packets", "EPERM; EPERM; EPERM; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"ask-netlink", "through; through; through; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {"open-hypervisor-socket",
     "through?; through?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"channels: ask a name server",
     "through; ECONNREFUSED; through; ECONNREFUSED; ECONNREFUSED; -; ECONNREFUSED; -"},
    {"channels: connect by TCP", "through; ECONNREFUSED; EACCES; EACCES; EACCES; -; EACCES; -"},
    {"channels: list network addresses",
     "through?; loopback only?; through?; Unknown system error 13?; Unknown system error 13; -; "
     "Unknown system error 13; -"},
    {"channels: listen by TCP", "through; through; EACCES; EACCES; EACCES; -; EACCES; -"},
    {"channels: open the inspector",
     "through; through; not opened; not opened; not opened; -; not opened; -"},
    {"channels: send by UDP", "through; ECONNREFUSED; through; EACCES; EACCES; -; EACCES; -"},
    {"signal-process", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {"signal-everybody", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {"signal-group", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {"signal-thread", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {"queue-signal", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {"signal-by-descriptor", "through; ESRCH; EPERM; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"aim-signals", "through; ESRCH; through; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"renice", "through; ESRCH; through; EPERM; EPERM; EPERM; EPERM; ESRCH"},
    {"bind-to-processor", "through; ESRCH; through; EPERM; EPERM; EPERM; EPERM; ESRCH"},
    {"read-limits", "through; ESRCH; through; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {"raise-own-limit", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {"list-processes",
     "through; its own only; EACCES; through; EACCES; EACCES; EACCES; its own only"},
    {"kill-keeper", "-; ignored; EPERM; -; EPERM; EPERM; EPERM; EPERM"},
    {"machine: list processes", "through; its own only; EACCES; through; EACCES; -; EACCES; -"},
    {"processes: kill its keeper", "-; ignored; EPERM; -; EPERM; -; EPERM; -"},
    {"processes: renice another", "through; ESRCH; through; EPERM; EPERM; -; EPERM; -"},
    {"processes: signal another", "through; ESRCH; EPERM; through; EPERM; -; ESRCH; -"},
    {"processes: signal everybody", "through; ESRCH; EPERM; through; EPERM; -; ESRCH; -"},
    {"attach-shared-memory", "through; ENOENT; through; EPERM; EPERM; EPERM; EPERM; ENOENT"},
    {"use-semaphore", "through; ENOENT; through; EPERM; EPERM; EPERM; EPERM; ENOENT"},
    {"use-message-queue", "through; ENOENT; through; EPERM; EPERM; EPERM; EPERM; ENOENT"},
    {"use-posix-queue", "through; ENOENT; EACCES; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {"open-shared-memory", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {"fork-without-end", "-; -; -; -; EPERM; EAGAIN|through; EPERM; EAGAIN"},
    {"start-threads-without-end", "-; -; -; -; EAGAIN|through; EAGAIN|through; EAGAIN; EAGAIN"},
    {"processes: fork itself", "through; through; EPERM; EPERM; EPERM; -; EPERM; -"},
    {"processes: start a shell", "through; ENOENT; EACCES; EPERM; EPERM; -; EPERM; -"},
    {"processes: start a shell and wait", "through; ENOENT; EACCES; EPERM; EPERM; -; EPERM; -"},
    {"processes: start itself", "through; through; EPERM; EPERM; EPERM; -; EPERM; -"},
    {"fill-memory",
     "-; -; -; -; out of memory|ENOMEM; out of memory|ENOMEM; out of memory|ENOMEM; out of "
     "memory|ENOMEM"},
    {"fill-shared-memory",
     "-; -; -; -; out of memory|through; out of memory|through; out of memory|through; out of "
     "memory|through"},
    {"fill-memory-files", "-; -; -; -; EPERM; out of memory|through; EPERM; out of memory|through"},
    {"open-without-end", "-; -; -; -; EMFILE; EMFILE; EMFILE; EMFILE"},
    {"fill-temporary-folder", "-; -; -; -; EACCES; EACCES; ENOSPC; ENOSPC"},
    {"write-large-file", "-; -; -; -; EFBIG; EFBIG; EFBIG; EFBIG"},
    {"make-sparse-file", "-; -; -; -; EFBIG; EFBIG; EFBIG; EFBIG"},
    {"reserve-large-file", "-; -; -; -; EFBIG; EFBIG; EFBIG; EFBIG"},
    {"spin", "-; -; -; -; SIGXCPU; -; SIGXCPU; -"},
    {"use: start a worker", "through; through; through; through; through; -; through; -"},
    {"use: write its own folder", "through; through; through; through; through; -; through; -"},
};

// What a resource that is used without end comes to, under the strong tier: the host's reason. By
// root, and by an ordinary user, who has no control groups here.
constexpr host_row hosts[] = {
    {51, "fill the heap", "out_of_memory", "out_of_memory"},
    {51, "fill memory with buffers", "out_of_memory", "out_of_memory"},
    {53, "fill its storage", "limit_exceeded", "limit_exceeded"},
    {54, "spin", "limit_exceeded", "limit_exceeded"},
    {55, "print without end", "limit_exceeded", "limit_exceeded"},
    {55, "print one endless line", "limit_exceeded", "limit_exceeded"},
};

struct section {
  int first;
  std::string_view title;
};
constexpr section sections[] = {
    {1, "Files"},
    {3, "Namespaces and mounts"},
    {6, "The kernel's interfaces"},
    {8, "Terminals, privileges and programs"},
    {11, "What is inherited"},
    {13, "Sockets and networks"},
    {15, "Other processes and shared objects"},
    {50, "Resources"},
    {0, "What has to work"},
};

section const& section_of(int claim) noexcept {
  if (claim == 0)
    return sections[std::size(sections) - 1];
  auto const* found = &sections[0];
  for (auto const& each : sections)
    if (each.first != 0 && each.first <= claim)
      found = &each;
  return *found;
}

/// The part of a cell for one of the two users.
std::string_view part_of(std::string_view cell, bool by_root) noexcept {
  auto const bar = cell.find('|');
  if (bar == cell.npos)
    return cell;
  return by_root ? cell.substr(0, bar) : cell.substr(bar + 1);
}

std::string_view without_mark(std::string_view cell) noexcept {
  if (cell.ends_with('?') || cell.ends_with('*'))
    cell.remove_suffix(1);
  return cell;
}

std::string in_bold(std::string_view outcome) {
  return outcome == "through" ? "**through**" : std::string{outcome};
}

std::string shown(std::string_view cell) {
  if (cell.empty())
    return "–";
  auto const bare = without_mark(cell);
  auto const by_root = part_of(bare, true);
  auto const by_user = part_of(bare, false);
  auto text = by_root == by_user ? in_bold(by_root)
                                 : "root: " + in_bold(by_root) + "; user: " + in_bold(by_user);
  return bare == cell ? text : text + " ¹";
}

} // namespace

std::string_view attack_row::in(containment which) const noexcept {
  constexpr std::string_view between = "; ";
  auto rest = cells;
  for (auto before = static_cast<std::size_t>(which); before > 0; --before)
    rest.remove_prefix(rest.find(between) + between.size());
  auto const cell = rest.substr(0, rest.find(between));
  return cell == "-" ? std::string_view{} : cell;
}

int attack_row::claim() const noexcept {
  auto const* const about = bulkhead::testing::find_claim(name);
  return about == nullptr ? -1 : about->number;
}

std::span<attack_row const> attack_table() noexcept {
  return table;
}

std::span<host_row const> host_table() noexcept {
  return hosts;
}

bool is_expected(std::string_view outcome, std::string_view cell, bool by_root) noexcept {
  if (cell.ends_with('?'))
    return true;
  if (cell.ends_with('*'))
    return outcome != "through";
  return outcome == part_of(cell, by_root);
}

std::string attack_document() {
  std::string text;
  std::string_view last;
  for (auto const& row : attack_table()) {
    if (auto const& part = section_of(row.claim()); part.title != last) {
      last = part.title;
      text.append("\n### ").append(last).append("\n\n| claim | attack |");
      std::string line = "\n|---|---|";
      for (std::size_t i = 0; i < containments; ++i) {
        text.append(" ").append(to_string(static_cast<containment>(i))).append(" |");
        line += "---|";
      }
      text += line + '\n';
    }
    text.append(row.claim() == 0 ? "| – | " : "| " + std::to_string(row.claim()) + " | ");
    text.append(row.name).append(" |");
    for (std::size_t i = 0; i < containments; ++i)
      text.append(" ").append(shown(row.in(static_cast<containment>(i)))).append(" |");
    text += '\n';
  }
  text += "\n### A host that uses without end\n\n| claim | attack | by root | by an ordinary user "
          "|\n|---|---|---|---|\n";
  for (auto const& row : host_table())
    text.append("| ")
        .append(std::to_string(row.claim))
        .append(" | ")
        .append(row.name)
        .append(" | ")
        .append(row.by_root)
        .append(" | ")
        .append(row.by_user)
        .append(" |\n");
  return text;
}

} // namespace attacks
