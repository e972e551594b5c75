#include <bulkhead/platform/linux/uid_lease.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/file_tree.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

constexpr auto leases_path = "/run/bulkhead";
/// More hosts than a machine runs.
constexpr uid_t most_leases = 10'000;

error unavailable(std::string sentence, std::string remedy = {}) {
  return error{errc::sandbox_unavailable, std::move(sentence), std::move(remedy)};
}

/// Whether the number exists in this user namespace (user_namespaces(7)).
bool is_mapped(uid_t uid) {
  std::ifstream map{"/proc/self/uid_map"};
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (map >> inside >> outside >> count)
    if (uid >= inside && uid - inside < count)
      return true;
  return false;
}

bool is_an_account(uid_t uid) {
  std::array<char, 4096> text;
  passwd entry{};
  passwd* found = nullptr;
  auto const failed = ::getpwuid_r(uid, &entry, text.data(), text.size(), &found);
  return found != nullptr || failed == ERANGE;
}

/// A lock counts only if the name still leads to the folder that has it.
bool leads_to(int leases, std::string const& name, int folder) {
  struct stat held {};
  struct stat named {};
  return ::fstat(folder, &held) == 0 &&
         ::fstatat(leases, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/// Nothing where there is none, or somebody else holds it.
std::optional<unique_fd> lock_existing(int leases, std::string const& name) {
  unique_fd folder{::openat(leases, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!folder || ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0)
    return std::nullopt;
  return folder;
}

/// Nothing where somebody else holds it.
std::optional<unique_fd> lock_folder(int leases, std::string const& name) {
  for (;;) {
    if (::mkdirat(leases, name.c_str(), 0755) != 0 && errno != EEXIST)
      return std::nullopt;
    auto folder = lock_existing(leases, name);
    if (!folder || leads_to(leases, name, folder->get()))
      return folder;
  }
}

void empty_folder(int folder) noexcept {
  auto const entries = entries_of(folder, most_leases);
  if (!entries)
    return;
  for (auto const& entry : *entries)
    ::unlinkat(folder, entry.name.c_str(), 0);
}

/// Removes what killed backends have left, whose locks the kernel has released.
void remove_abandoned(int leases) noexcept {
  auto const entries = entries_of(leases, most_leases);
  if (!entries)
    return;
  for (auto const& entry : *entries)
    if (auto const folder = lock_existing(leases, entry.name);
        folder && leads_to(leases, entry.name, folder->get())) {
      empty_folder(folder->get());
      ::unlinkat(leases, entry.name.c_str(), AT_REMOVEDIR);
    }
}

result<unique_fd> open_leases() {
  if (::geteuid() != 0)
    return unavailable("only root can run hosts under uids of their own");
  if (::mkdir(leases_path, 0755) != 0 && errno != EEXIST)
    return unavailable(std::string{leases_path} + ": " + errno_text(errno),
                       "let /run be writable: it is where the uids in use are locked");
  unique_fd leases{::open(leases_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  struct stat seen {};
  if (!leases || ::fstat(leases.get(), &seen) != 0)
    return unavailable(std::string{leases_path} + ": " + errno_text(errno));
  if (seen.st_uid != 0 || (seen.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return unavailable(std::string{leases_path} + " is not root's alone",
                       "chown root /run/bulkhead; chmod 0755 /run/bulkhead");
  ::fchmod(leases.get(), 0755); // whatever the umask was
  return leases;
}

} // namespace

result<uid_lease> uid_lease::take(uid_t first) {
  auto const leases = open_leases();
  if (!leases)
    return leases.error();
  if (!is_mapped(first))
    return unavailable("uid " + std::to_string(first) + " does not exist in this user namespace",
                       "set  runtime.first_uid  to one that does: see /proc/self/uid_map");
  for (auto uid = first; uid - first < most_leases && is_mapped(uid); ++uid) {
    if (is_an_account(uid))
      return unavailable("uid " + std::to_string(uid) + " is somebody's account",
                         "set  runtime.first_uid  to the first of some that are nobody's");
    auto const name = std::to_string(uid);
    if (auto folder = lock_folder(leases->get(), name)) {
      ::fchmod(folder->get(), 0755);
      empty_folder(folder->get());
      remove_abandoned(leases->get());
      return uid_lease{uid, std::filesystem::path{leases_path} / name, std::move(*folder)};
    }
  }
  return unavailable("every uid from " + std::to_string(first) + " up is in use");
}

uid_lease::~uid_lease() {
  if (!lock_)
    return;
  empty_folder(lock_.get());
  ::rmdir(folder_.c_str());
}

result<void> uid_lease::write_file(std::string const& name, std::string_view content) const {
  unique_fd const file{
      ::openat(lock_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444)};
  auto const written = file ? ::write(file.get(), content.data(), content.size()) : -1;
  if (written != static_cast<ssize_t>(content.size()) || ::fchmod(file.get(), 0444) != 0)
    return unavailable((folder_ / name).string() + ": " + errno_text(errno));
  return {};
}

result<void> uid_lease::give(std::filesystem::path const& folder) const {
  auto const refused = [&](std::string const& why) {
    return unavailable(folder.string() + " can't be given to uid " + std::to_string(uid_) + ": " +
                       why);
  };
  unique_fd const top{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!top || ::fchown(top.get(), uid_, uid_) != 0)
    return refused(errno_text(errno));
  auto walk = tree_walk::begin(top.get());
  if (!walk)
    return refused(walk.error().what());
  for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
    if (step != tree_walk::step::met)
      continue;
    if (::fchownat(walk->folder(), walk->name().c_str(), uid_, uid_, AT_SYMLINK_NOFOLLOW) != 0)
      return refused(errno_text(errno));
    if (walk->type() == file_type::directory)
      if (auto const entered = walk->enter(); !entered)
        return refused(entered.error().what());
  }
  return {};
}

} // namespace bulkhead::platform
