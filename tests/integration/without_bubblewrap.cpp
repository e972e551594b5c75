#include "without_bubblewrap.hpp"

#include "shared/forked.hpp"

#include <bulkhead/platform/linux/kernel_probes.hpp>
#include <bulkhead/platform/linux/sandbox.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/landlock.h>
#include <sched.h>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::testing {
namespace {

namespace fs = std::filesystem;
using platform::unique_fd;

void require(bool done, char const* what) {
  if (!done)
    throw std::runtime_error{std::string{what} + ": " + std::strerror(errno)};
}

/// To all that this process starts from now on, another file stands in the file's place.
void cover(fs::path const& file) {
  require(::unshare(CLONE_NEWNS) == 0, "a mount namespace");
  require(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  require(::mount("/dev/null", file.c_str(), nullptr, MS_BIND, nullptr) == 0, "a cover");
}

/// Lets this process, and what it starts from now on, execute everything but this file. Landlock
/// has no exceptions, so that all is named that does not lead to it.
void forbid_executing(fs::path const& file) {
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE;
  unique_fd const rules{
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0))};
  require(static_cast<bool>(rules), "a set of Landlock's rules");
  for (auto kept = fs::canonical(file); kept.has_relative_path(); kept = kept.parent_path()) {
    for (auto const& beside : fs::directory_iterator{kept.parent_path()}) {
      if (beside.is_symlink() || beside.path() == kept)
        continue;
      unique_fd const allowed{::open(beside.path().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
      landlock_path_beneath_attr rule{};
      rule.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE;
      rule.parent_fd = allowed.get();
      require(allowed && ::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH,
                                   &rule, 0) == 0,
              beside.path().c_str());
    }
  }
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              ::syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0,
          "Landlock");
}

std::string to_text(ran_command const& ended) {
  return boost::json::serialize(boost::json::array{ended.exit_code, ended.output, ended.errors});
}

ran_command from_text(std::string const& text) {
  boost::system::error_code not_json;
  auto const parsed = boost::json::parse(text, not_json);
  if (not_json)
    throw std::runtime_error{text};
  return {parsed.at(0).to_number<int>(), boost::json::value_to<std::string>(parsed.at(1)),
          boost::json::value_to<std::string>(parsed.at(2))};
}

} // namespace

bool can_be_without_bubblewrap() {
  return platform::landlock_version() >= 1 &&
         (!is_root() || holds_in_child([] { return ::unshare(CLONE_NEWNS) == 0; }));
}

ran_command without_bubblewrap(user who, std::function<ran_command()> const& work) {
  return from_text(text_of_child([&] {
    if (auto const bubblewrap = platform::sandbox_spec{}.bubblewrap; fs::exists(bubblewrap))
      is_root() ? cover(bubblewrap) : forbid_executing(bubblewrap);
    require(who == user::root || become_ordinary_user(), "an ordinary user");
    return to_text(work());
  }));
}

} // namespace bulkhead::testing
