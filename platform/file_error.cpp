#include <bulkhead/platform/file_error.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <cerrno>

namespace bulkhead::platform {

errc file_errc(int number) noexcept {
  switch (number) {
  case ENOENT:
    return errc::file_not_found;
  case EEXIST:
    return errc::file_exists;
  case ENOTDIR:
    return errc::file_not_a_directory;
  case EISDIR:
    return errc::file_is_a_directory;
  case ENOTEMPTY:
    return errc::directory_not_empty;
  case EFBIG:
    return errc::file_too_large;
  case ENXIO:
  case ENODEV:
  case EOPNOTSUPP:
    return errc::file_unsupported;
  case ELOOP: // a symbolic link where none is followed
    return errc::path_denied;
  case ENAMETOOLONG:
    return errc::invalid_payload;
  default:
    return errc::file_unavailable;
  }
}

error file_error(int number) {
  switch (auto const code = file_errc(number)) {
  case errc::file_unavailable:
    return error{code, errno_text(number)};
  case errc::path_denied:
    return error{code, "a symbolic link is not followed here"};
  case errc::invalid_payload:
    return error{code, "a file name is too long"};
  default:
    return error{code};
  }
}

} // namespace bulkhead::platform
