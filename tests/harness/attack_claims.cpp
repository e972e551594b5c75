#include <bulkhead/harness/attack_claims.hpp>

#include <algorithm>
#include <iterator>

namespace bulkhead::testing {
namespace {

// Numbers of the list of attacks that the corpus makes; 0 is none of them.
constexpr std::string_view attacks_1[] = {"read-secret",
                                          "see-secret",
                                          "watch-folder",
                                          "enter-folder",
                                          "follow-own-link",
                                          "read-users",
                                          "see-control-groups",
                                          "files: list its folder",
                                          "files: list the root",
                                          "files: read a secret",
                                          "files: read the users",
                                          "files: see that a secret is there",
                                          "files: watch its folder",
                                          "links: /proc/1/root",
                                          "links: /proc/self/root",
                                          "links: a hard link",
                                          "links: a symbolic link",
                                          "links: the root of another process"};
constexpr std::string_view attacks_2[] = {"overwrite-secret",
                                          "truncate-secret",
                                          "change-mode",
                                          "change-times",
                                          "create-beside-secret",
                                          "link-secret",
                                          "make-device",
                                          "files: add to the extension",
                                          "files: change the extension",
                                          "files: create a file beside it",
                                          "files: overwrite a secret"};
constexpr std::string_view attacks_3[] = {"unshare-user", "unshare-network", "clone-namespace",
                                          "join-namespace"};
constexpr std::string_view attacks_4[] = {"clone3-namespace"};
constexpr std::string_view attacks_5[] = {"mount-tmpfs", "mount-bind", "remount-writable",
                                          "copy-tree",   "move-tree",  "open-file-system",
                                          "pivot-root",  "change-root"};
constexpr std::string_view attacks_6[] = {"trace", "read-memory", "open-memory", "take-descriptor"};
constexpr std::string_view attacks_7[] = {"load-program-into-kernel",
                                          "count-events",
                                          "handle-page-faults",
                                          "put-key",
                                          "read-keys",
                                          "ask-for-key",
                                          "load-kernel",
                                          "load-module",
                                          "set-up-ring",
                                          "open-by-handle",
                                          "read-kernel-log",
                                          "unrandomize-addresses",
                                          "set-clock",
                                          "call-as-i386",
                                          "call-as-x32",
                                          "read-kernel-symbols",
                                          "machine: read the kernel log"};
constexpr std::string_view attacks_8[] = {"type-into-terminal", "paste-into-console",
                                          "open-terminal", "machine: open the terminal"};
constexpr std::string_view attacks_9[] = {"become-root",          "change-groups",
                                          "take-capability",      "hold-capability",
                                          "gain-new-privileges",  "execute-set-user-id",
                                          "make-set-user-id",     "files: make a set-user-ID file",
                                          "machine: become root", "machine: lift its own niceness"};
constexpr std::string_view attacks_10[] = {"write-core-pattern",
                                           "trigger-sysrq",
                                           "write-own-program",
                                           "replace-own-program",
                                           "execute-written-file",
                                           "execute-memory",
                                           "code: compile WebAssembly",
                                           "code: evaluate a string",
                                           "code: load a module that it wrote",
                                           "code: load a native addon",
                                           "code: make a function of a string",
                                           "code: run a string by vm",
                                           "files: change the interpreter",
                                           "machine: write /proc/self/exe",
                                           "machine: write /proc/sysrq-trigger",
                                           "machine: write a setting of its network",
                                           "machine: write core_pattern",
                                           "machine: write its own oom_score_adj"};
constexpr std::string_view attacks_11[] = {"use-inherited-descriptor", "links: /proc/self/cwd",
                                           "links: a descriptor that was left open"};
constexpr std::string_view attacks_12[] = {"read-environment", "machine: inherit the environment",
                                           "machine: learn the name of the machine",
                                           "machine: read the environment of another"};
constexpr std::string_view attacks_13[] = {"connect-abstract", "connect-service", "send-datagram",
                                           "channels: connect to a local service",
                                           "channels: listen on a local socket"};
constexpr std::string_view attacks_14[] = {"connect-tcp",
                                           "listen-tcp",
                                           "send-udp",
                                           "reach-cloud",
                                           "listen-to-packets",
                                           "ask-netlink",
                                           "open-hypervisor-socket",
                                           "channels: ask a name server",
                                           "channels: connect by TCP",
                                           "channels: list network addresses",
                                           "channels: listen by TCP",
                                           "channels: open the inspector",
                                           "channels: send by UDP"};
constexpr std::string_view attacks_15[] = {"signal-process",
                                           "signal-everybody",
                                           "signal-group",
                                           "signal-thread",
                                           "queue-signal",
                                           "signal-by-descriptor",
                                           "aim-signals",
                                           "renice",
                                           "bind-to-processor",
                                           "read-limits",
                                           "raise-own-limit",
                                           "list-processes",
                                           "kill-keeper",
                                           "machine: list processes",
                                           "processes: kill its keeper",
                                           "processes: renice another",
                                           "processes: signal another",
                                           "processes: signal everybody"};
constexpr std::string_view attacks_16[] = {"attach-shared-memory", "use-semaphore",
                                           "use-message-queue", "use-posix-queue",
                                           "open-shared-memory"};
constexpr std::string_view attacks_41[] = {"dots-in-paths"};
constexpr std::string_view attacks_42[] = {"links-that-lead-out"};
constexpr std::string_view attacks_43[] = {"links-swapped-meanwhile"};
constexpr std::string_view attacks_44[] = {"kernel-links"};
constexpr std::string_view attacks_46[] = {"names-that-are-none"};
constexpr std::string_view attacks_47[] = {"fifo"};
constexpr std::string_view attacks_48[] = {"folders-with-secrets"};
constexpr std::string_view attacks_49[] = {"hard-link"};
constexpr std::string_view attacks_50[] = {
    "fork-without-end",         "start-threads-without-end",         "processes: fork itself",
    "processes: start a shell", "processes: start a shell and wait", "processes: start itself"};
constexpr std::string_view attacks_51[] = {"fill-memory", "fill-shared-memory",
                                           "fill-memory-files"};
constexpr std::string_view attacks_52[] = {"open-without-end"};
constexpr std::string_view attacks_53[] = {"fill-temporary-folder", "write-large-file",
                                           "make-sparse-file", "reserve-large-file",
                                           "storage-without-end"};
constexpr std::string_view attacks_54[] = {"spin"};
constexpr std::string_view attacks_56[] = {"secrets-of-another"};
constexpr std::string_view attacks_0[] = {"use: start a worker", "use: write its own folder"};

constexpr claim claims[] = {
    {1, "a secret of the host's is neither read nor seen", attacks_1},
    {2, "nothing outside of what is granted is written", attacks_2},
    {3, "no namespace is made or joined", attacks_3},
    {4, "the newer call for processes makes no namespace either", attacks_4},
    {5, "nothing is mounted, and the root stays where it is", attacks_5},
    {6, "no other process is traced, read or robbed of a descriptor", attacks_6},
    {7, "the kernel's larger interfaces stay closed", attacks_7},
    {8, "nothing is typed into the host's terminal", attacks_8},
    {9, "no privilege is gained", attacks_9},
    {10,
     "neither the interpreter nor a setting of the kernel is changed, and no foreign code is run",
     attacks_10},
    {11, "what the host has open is not inherited", attacks_11},
    {12, "the environment holds what the policy says, and no other is read", attacks_12},
    {13, "no service of this machine is reached by a local socket", attacks_13},
    {14, "no network is reached", attacks_14},
    {15, "no other process is signalled, changed or listed", attacks_15},
    {16, "shared objects of the host's stay out of reach", attacks_16},
    {41, "a name that leads out is seen through", attacks_41},
    {42, "a symbolic link that leads out is not followed", attacks_42},
    {43, "a link that is exchanged meanwhile opens nothing", attacks_43},
    {44, "links of the kernel's lead nowhere", attacks_44},
    {46, "what can be no path is refused", attacks_46},
    {47, "a FIFO is neither opened nor waited for", attacks_47},
    {48, "the backend opens no folder that holds secrets", attacks_48},
    {49, "a file with another name outside is not written", attacks_49},
    {50, "no process is started, nor more than the limit", attacks_50},
    {51, "no more memory is taken than the limit", attacks_51},
    {52, "no more files are opened than the limit", attacks_52},
    {53, "no more of the disk is taken than the limit", attacks_53},
    {54, "no more of the processor is taken than the limit", attacks_54},
    {56, "the secrets of another host stay its own", attacks_56},
    {0, "what an extension has to be able to do", attacks_0},
};

/// JavaScript's own ways to code, and the modes and times of files that are the attacker's own:
/// what works there is nothing that it had not.
constexpr std::string_view without_gain[] = {"change-mode",
                                             "change-times",
                                             "execute-memory",
                                             "code: compile WebAssembly",
                                             "code: load a module that it wrote",
                                             "code: run a string by vm"};

constexpr std::string_view of_backend[] = {"dots-in-paths",           "links-that-lead-out",
                                           "links-swapped-meanwhile", "kernel-links",
                                           "names-that-are-none",     "fifo",
                                           "folders-with-secrets",    "hard-link",
                                           "storage-without-end",     "secrets-of-another"};

} // namespace

std::span<claim const> all_claims() noexcept {
  return claims;
}

bool is_of_backend(std::string_view attack) noexcept {
  return std::ranges::find(of_backend, attack.substr(0, attack.find(':'))) != std::end(of_backend);
}

claim const* find_claim(std::string_view attack) noexcept {
  auto const holds = [](std::string_view name) {
    return [name](claim const& each) {
      return std::ranges::find(each.attacks, name) != each.attacks.end();
    };
  };
  auto found = std::ranges::find_if(claims, holds(attack));
  if (found == std::end(claims))
    found = std::ranges::find_if(claims, holds(attack.substr(0, attack.find(':'))));
  return found == std::end(claims) ? nullptr : found;
}

bool gains_something(std::string_view attack) noexcept {
  auto const* const about = find_claim(attack);
  return (about == nullptr || about->number != 0) &&
         std::ranges::find(without_gain, attack) == std::end(without_gain);
}

} // namespace bulkhead::testing
