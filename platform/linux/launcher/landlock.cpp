#include <bulkhead/platform/linux/launcher/landlock.hpp>

#include <bulkhead/platform/linux/launcher/report.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

// linux/landlock.h as of version 6; Debian 12's has version 2.
struct ruleset_attributes {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scopes;
};
struct [[gnu::packed]] path_beneath {
  std::uint64_t rights;
  std::int32_t parent;
};
constexpr unsigned query_version = 1;
constexpr int rule_path_beneath = 1;
constexpr std::uint64_t bind_tcp = 1u << 0;
constexpr std::uint64_t connect_tcp = 1u << 1;
constexpr std::uint64_t scope_abstract_sockets = 1u << 0;
constexpr std::uint64_t scope_signals = 1u << 1;

/// Everything that this version can take away.
ruleset_attributes everything(int version) noexcept {
  ruleset_attributes all{};
  all.files = move_between_folders - 1;
  if (version >= 2)
    all.files |= move_between_folders;
  if (version >= 3)
    all.files |= truncate;
  if (version >= 5)
    all.files |= control_device;
  if (version >= 4 && has(landlock_tcp))
    all.network = bind_tcp | connect_tcp;
  if (version >= 6)
    all.scopes = scope_abstract_sockets | scope_signals;
  return all;
}

void grant(int ruleset, std::uint64_t known, int which) noexcept {
  auto const& rule = plan().rules[which];
  auto const path = perform(
      step::landlock_path, [&] { return ::open(string_at(rule.path), O_PATH | O_CLOEXEC); }, which);
  struct stat seen {};
  ::fstat(path, &seen);
  auto const possible = S_ISDIR(seen.st_mode) ? known : known & rights_to_a_file;
  path_beneath const beneath{rule.rights & possible, path};
  perform(
      step::landlock_rule,
      [&] { return ::syscall(SYS_landlock_add_rule, ruleset, rule_path_beneath, &beneath, 0); },
      which);
  ::close(path);
}

} // namespace

int landlock_version() noexcept {
  return static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, query_version));
}

void restrict_paths() noexcept {
  auto const version = perform(step::landlock_version, landlock_version);
  if (version < static_cast<int>(plan().least_landlock))
    fail(step::landlock_version, EOPNOTSUPP, version);
  auto const all = everything(version);
  auto const ruleset = perform(step::landlock_ruleset, [&] {
    return ::syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
  });
  for (int i = 0; i < static_cast<int>(plan().rule_count); ++i)
    grant(ruleset, all.files, i);
  perform(step::landlock_restrict,
          [&] { return ::syscall(SYS_landlock_restrict_self, ruleset, 0); });
  ::close(ruleset);
}

} // namespace bulkhead::launcher
