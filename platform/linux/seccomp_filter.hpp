#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <compare>
#include <cstdint>
#include <filesystem>
#include <linux/filter.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What system calls a host may make. The filter is an allowlist: what no group of the table names
/// gets ENOSYS, which software takes for an older kernel and falls back.
namespace bulkhead::platform {

enum class seccomp_profile : std::uint8_t {
  node,    ///< what Node.js 18 and later needs
  command, ///< for native programs that speak the protocol: more, but nothing that leads outside
};

/// What decides which groups of the table are in force.
struct seccomp_options {
  seccomp_profile profile = seccomp_profile::node;
  bool processes = false; ///< it may start programs; what may be executed is Landlock's to say
  bool network = false;   ///< it may use IP sockets
  /// No namespace hides the host's files and processes: what Landlock does not cover is refused.
  bool basic_tier = false;
  /// Landlock keeps signals inside (ABI 6); without it the basic tier sends none at all.
  bool signals_scoped = false;
  /// For finding out what a program needs: what no group names is logged by the kernel and ALLOWED.
  bool log_default = false;
  /// Not for the launcher: what is forbidden kills by itself. The launcher is told of it, kills and
  /// names it; where it can't be told it installs the filter as if this were set. Without a
  /// launcher the calls would not be made either, but their answer is ENOSYS.
  bool without_launcher = false;

  friend auto operator<=>(seccomp_options const&, seccomp_options const&) = default;
};

enum class seccomp_action : std::uint8_t {
  allow,
  no_such_call,  ///< ENOSYS
  not_permitted, ///< EPERM
  denied,        ///< EACCES
  kill,          ///< the whole program ends, as by SIGSYS
};

/// What a group's action depends on.
enum class seccomp_when : std::uint8_t {
  always,
  command_profile,
  processes_granted,
  network_granted,
  behind_namespaces, ///< not in the basic tier
  signals_contained, ///< by a process namespace or by Landlock
  command_behind_namespaces,
};

/// One test of a system call's argument: whether `argument & mask` is, or is not, `value`. Where
/// the kernel takes 32 bits the mask must too: the upper half may hold anything.
struct seccomp_comparison {
  unsigned argument; ///< from 0
  std::uint64_t mask;
  std::uint64_t value;
  bool differs = false; ///< compare for "is not"; the mask is then ignored
};

/// What happens where the comparisons hold. Where none of a group's cases does, the call gets what
/// is not named: ENOSYS.
struct seccomp_case {
  seccomp_action action;
  seccomp_comparison first;
  std::optional<seccomp_comparison> second{};
};

/// System calls that are treated alike for one reason.
struct seccomp_group {
  std::string_view name;
  std::string_view why; ///< one sentence
  std::span<std::string_view const> calls;
  seccomp_action action = seccomp_action::allow;
  std::span<seccomp_case const> cases{}; ///< empty: the action, whatever the arguments
  seccomp_when when = seccomp_when::always;
  /// Where `when` does not hold: what becomes of what it would allow. Empty: the group is then not
  /// in force.
  std::optional<seccomp_action> otherwise{};
};

/// The whole table, all profiles and tiers. A call that is in a group without cases is in no other
/// group that is in force at the same time.
std::span<seccomp_group const> seccomp_groups() noexcept;

/// Whether the options meet the condition.
bool holds(seccomp_when when, seccomp_options const& options) noexcept;

/// "ptrace (101)" of this machine's number of a system call; "5000" where it has no name.
std::string name_of_call(int number);

/// The table in Markdown, for the documentation.
std::string seccomp_reference();

/// The longest program that the kernel takes (BPF_MAXINSNS).
inline constexpr std::size_t max_seccomp_instructions = BPF_MAXINSNS;

/// Compiles the table for a processor: an AUDIT_ARCH_… of linux/audit.h, 0 for this machine's.
/// Calls by another ABI (i386, x32) kill. Takes about 2 ms; make_seccomp_filter() remembers. Fails
/// with sandbox_step_failed.
result<std::vector<sock_filter>> compile_seccomp(seccomp_options const& options,
                                                 std::uint32_t architecture = 0);

/// The filter as an array of sock_filter in a sealed, read-from-the-start memory file of its own.
/// Compiled once for the same options. Fails with sandbox_step_failed. May be called by any thread.
result<unique_fd> make_seccomp_filter(seccomp_options const& options);

/// The same for a file that holds such an array, as seccomp_export_bpf(3) writes it; it replaces
/// the table wholly. A process that does nothing else has installed it, so that the kernel's own
/// check has passed. Fails with sandbox_step_failed, which says what the file is instead. May be
/// called by any thread; it waits for that process, about a millisecond.
result<unique_fd> load_seccomp_filter(std::filesystem::path const& file);

} // namespace bulkhead::platform
