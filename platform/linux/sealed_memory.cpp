#include <bulkhead/platform/linux/sealed_memory.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

// linux/memfd.h of Linux 6.3; Debian 12's headers don't have them.
constexpr unsigned never_executable = 0x8;
constexpr unsigned executable = 0x10;

constexpr int all_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

unique_fd make_file(char const* name, sealed_use use) noexcept {
  constexpr unsigned always = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  auto const wish = use == sealed_use::program ? executable : never_executable;
  auto file = unique_fd{::memfd_create(name, always | wish)};
  if (!file && errno == EINVAL)
    file.reset(::memfd_create(name, always));
  return above_standard_streams(std::move(file));
}

bool write_all(int file, std::span<std::byte const> bytes) noexcept {
  while (!bytes.empty()) {
    auto const written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0)
      bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return ::lseek(file, 0, SEEK_SET) == 0;
}

error no_memory(std::string const& what) {
  auto const failed = errno;
  return error{errc::spawn_failed, "can't keep " + what + " in memory: " + errno_text(failed),
               failed == EACCES ? "set vm.memfd_noexec to 1 or 0 (sysctl)" : ""};
}

} // namespace

result<unique_fd> seal_in_memory(char const* name, std::span<std::byte const> bytes,
                                 sealed_use use) {
  auto file = make_file(name, use);
  if (!file || !write_all(file.get(), bytes) || ::fcntl(file.get(), F_ADD_SEALS, all_seals) != 0)
    return no_memory(name);
  return file;
}

result<unique_fd> open_in_memory(char const* name, std::uint64_t length) {
  auto file = make_file(name, sealed_use::bytes);
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(length)) != 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW) != 0)
    return no_memory(name);
  return file;
}

result<void> seal_memory(unique_fd const& file, std::uint64_t length) {
  if (::ftruncate(file.get(), static_cast<off_t>(length)) != 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, all_seals) != 0)
    return no_memory("what was written");
  return {};
}

} // namespace bulkhead::platform
