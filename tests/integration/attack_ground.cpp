#include "attack_ground.hpp"
#include "shared/forked.hpp"
#include "shared/open_directory.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

namespace attacks {

namespace disk = std::filesystem;
using bulkhead::testing::is_root;
using bulkhead::testing::open_directory;

namespace {

void require(bool done, char const* what) {
  if (!done)
    throw std::runtime_error{std::string{"the ground for attacks: "} + what + ": " +
                             std::strerror(errno)};
}

} // namespace

readable_copies const& attackers() {
  static open_directory const place;
  static readable_copies const copies = [] {
    readable_copies made{{place.path() / "program", place.path() / "extension"},
                         place.path() / "neighbour"};
    disk::path const tests = BULKHEAD_TEST_SOURCE_DIR "/tests";
    disk::copy_file(BULKHEAD_TEST_ATTACKS, made.program);
    disk::copy(tests / "adversary/process/extension", made.extension,
               disk::copy_options::recursive);
    disk::copy(tests / "integration/extensions/echo", made.neighbour,
               disk::copy_options::recursive);
    return made;
  }();
  return copies;
}

open_terminal::open_terminal()
    : outer_{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)} {
  require(outer_ && ::grantpt(outer_.get()) == 0 && ::unlockpt(outer_.get()) == 0, "a terminal");
  inner_.reset(::open(::ptsname(outer_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios mode{};
  require(::tcgetattr(inner_.get(), &mode) == 0, "a terminal's mode");
  ::cfmakeraw(&mode); // so that each byte counts
  require(::tcsetattr(inner_.get(), TCSANOW, &mode) == 0, "a terminal's mode");
}

bool open_terminal::has_input() const noexcept {
  int waiting = 0;
  return ::ioctl(inner_.get(), FIONREAD, &waiting) == 0 && waiting > 0;
}

disk::path make_set_user_id_program(disk::path const& folder) {
  if (!is_root())
    return {};
  auto const made = folder / "set-user-id";
  disk::copy_file(attackers().program, made);
  require(::chmod(made.c_str(), S_ISUID | 0755) == 0, "chmod");
  return made;
}

} // namespace attacks
