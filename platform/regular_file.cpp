#include <bulkhead/platform/regular_file.hpp>

#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/file_error.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace bulkhead::platform {
namespace {

error not_a_file(mode_t mode) {
  return error{S_ISDIR(mode) ? errc::file_is_a_directory : errc::file_unsupported};
}

} // namespace

result<unique_fd> open_regular(int object) {
  struct stat seen;
  if (::fstat(object, &seen) != 0)
    return file_error(errno);
  if (!S_ISREG(seen.st_mode))
    return not_a_file(seen.st_mode);
  unique_fd file{::open(proc_path(object).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  struct stat opened;
  if (!file || ::fstat(file.get(), &opened) != 0)
    return errno == ENOENT ? error{errc::file_unavailable, "/proc is not mounted", "mount it"}
                           : file_error(errno);
  // What /proc shows is the same object, unless it is no real /proc.
  if (opened.st_dev != seen.st_dev || opened.st_ino != seen.st_ino || !S_ISREG(opened.st_mode))
    return error{errc::file_unavailable, "/proc shows another file than the one that is open"};
  return file;
}

} // namespace bulkhead::platform
