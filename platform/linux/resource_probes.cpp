#include <bulkhead/platform/linux/resource_probes.hpp>

#include <bulkhead/platform/linux/cgroup_tree.hpp>
#include <bulkhead/platform/linux/probe_attempt.hpp>
#include <bulkhead/platform/linux/probe_verdict.hpp>
#include <bulkhead/platform/locked_memory.hpp>
#include <bulkhead/platform/secret_backend.hpp>

#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <pwd.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

// ---- control groups -----------------------------------------------------------------------------

struct limited_resource {
  std::string_view layer; ///< of cgroup::limits()
  char const* name;
  purpose needed_for;
};

constexpr limited_resource limited_resources[] = {
    {"memory", "memory limit", purpose::memory_limit},
    {"processes", "process limit", purpose::processes_limit},
    {"cpu", "CPU limit", purpose::cpu_limit},
};

/// Small ones, that any machine has.
constexpr cgroup_limits tried_limits{.memory = 64u << 20, .processes = 16, .cpu_percent = 50};

attempt_outcome join(std::vector<int> const& groups) noexcept {
  for (auto const file : groups)
    if (::write(file, "0", 1) != 1)
      return failed_now(1);
  return {};
}

mechanism verdict_on(mechanism const& what, sandbox_report::layer const& layer) {
  return layer.holds ? held(what, "control groups bound it, and a process could join one")
                     : not_held(what, layer.detail, std::string{cgroup_tree::remedy()});
}

/// The limits of a group that a process could join. The error says why there is none.
result<std::vector<sandbox_report::layer>> try_group() {
  auto tree = cgroup_tree::create("doctor-" + std::to_string(::getpid()));
  if (!tree)
    return tree.error();
  auto const group = tree->create_group("doctor", tried_limits);
  if (!group)
    return group.error();
  auto const joined = attempt([files = group->join_fds(false)]() noexcept { return join(files); });
  if (!joined.done())
    return error{errc::cgroup_unavailable,
                 "a group can be made and not be joined: " + reason_of(joined),
                 std::string{cgroup_tree::remedy()}};
  return group->limits();
}

// ---- users --------------------------------------------------------------------------------------

constexpr auto accounts_file = "/etc/passwd";
constexpr auto another_range =
    "set runtime.first_uid in the policy to the beginning of a range that is nobody's, and in a "
    "container one that is mapped into its user namespace (/proc/self/uid_map)";

/// The name of an account with one of these uids.
std::optional<std::string> account_in(uid_t first, std::uint32_t count) {
  struct closed {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, closed> const accounts{std::fopen(accounts_file, "re")};
  std::array<char, 4096> line;
  passwd entry;
  passwd* found = nullptr;
  while (accounts && ::fgetpwent_r(accounts.get(), &entry, line.data(), line.size(), &found) == 0)
    if (entry.pw_uid >= first && entry.pw_uid - first < count)
      return entry.pw_name;
  return std::nullopt;
}

} // namespace

std::vector<mechanism> probe_limits() {
  auto const limits = try_group();
  std::vector<mechanism> verdicts;
  for (auto const& [layer, name, needed_for] : limited_resources) {
    mechanism const what{.name = name, .needed_for = needed_for};
    if (!limits) {
      verdicts.push_back(not_held(what, limits.error().detail(), limits.error().remedy()));
      continue;
    }
    for (auto const& each : *limits)
      if (each.name == layer)
        verdicts.push_back(verdict_on(what, each));
  }
  return verdicts;
}

mechanism probe_host_users(uid_t first, std::uint32_t count) {
  mechanism const what{.name = "users of hosts", .needed_for = purpose::basic_tier};
  auto const last = first + count - 1;
  auto const range = "uid " + std::to_string(first) + " to " + std::to_string(last);
  if (auto const account = account_in(first, count))
    return not_held(what, range + " is not free: " + *account + " has an account there",
                    another_range);
  for (auto const user : {first, last}) {
    auto const tried = attempt([user]() noexcept { return become(user, user); });
    if (!tried.done())
      return not_held(what,
                      "root can't become uid " + std::to_string(user) + ": " + reason_of(tried),
                      another_range);
  }
  return held(what, range + " can be taken, and is nobody's account");
}

mechanism probe_locked_memory() {
  mechanism const what{.name = "locked memory", .needed_for = purpose::improvement};
  if (secret_bytes{max_secret_value}.is_locked())
    return held(what, "secrets are kept out of the swap");
  return not_held(what, "secrets can get into the swap: the limit on locked memory is reached",
                  "raise it: ulimit -l 8192, or LimitMEMLOCK=8M of a systemd service");
}

} // namespace bulkhead::platform
