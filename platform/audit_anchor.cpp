#include <bulkhead/platform/audit_anchor.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/sha256.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

constexpr std::string_view format = "bulkhead-audit-head 1 ";
/// Each anchor has a sector of its own, which a disk writes as a whole or not at all.
constexpr std::size_t slot_size = 512;
constexpr std::size_t slots = 2;
/// Enough to know a torn anchor by.
constexpr std::size_t check_size = 16;

constexpr auto lock_pause = std::chrono::milliseconds{1};

error unusable(std::string why, std::string remedy = {}) {
  return error{errc::audit_file_unusable, std::move(why), std::move(remedy)};
}

error unavailable(std::string const& what) {
  return error{errc::audit_unavailable, what};
}

/// One line, filled up with spaces to the size of its slot.
std::string text_of(audit_anchor const& anchor) {
  auto text = std::string{format} + std::to_string(anchor.generation) + ' ' +
              std::to_string(anchor.last.seq) + ' ' + std::to_string(anchor.size) + ' ' +
              anchor.last.hash + ' ';
  text += to_hex(sha256{}.digest_of(text)).substr(0, check_size);
  text.resize(slot_size - 1, ' ');
  return text + '\n';
}

std::optional<audit_anchor> anchor_in(std::string_view slot) {
  if (!slot.starts_with(format))
    return std::nullopt;
  audit_anchor read;
  auto const* at = slot.data() + format.size();
  auto const* const end = slot.data() + slot.size();
  for (auto* const number : {&read.generation, &read.last.seq, &read.size}) {
    auto const [next, wrong] = std::from_chars(at, end, *number);
    if (wrong != std::errc{} || next == end)
      return std::nullopt;
    at = next + 1;
  }
  read.last.hash = std::string_view{at, end}.substr(0, audit_hash_size);
  // What is not exactly as it would be written is torn.
  return text_of(read) == slot ? std::optional{std::move(read)} : std::nullopt;
}

} // namespace

result<std::optional<unique_fd>> open_audit_file(int folder, std::string const& name, int flags) {
  // Not blocking, so that a named pipe holds up nobody.
  auto file = above_standard_streams(unique_fd{
      ::openat(folder, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
               S_IRUSR | S_IWUSR)});
  if (!file) {
    auto const failed = errno;
    if (failed == ENOENT && (flags & O_CREAT) == 0)
      return std::optional<unique_fd>{};
    return unusable(failed == ELOOP ? name + " is a symbolic link"
                                    : "can't open " + name + ": " + errno_text(failed));
  }
  struct stat seen;
  if (::fstat(file.get(), &seen) != 0)
    return unusable("can't look at " + name + ": " + errno_text(errno));
  if (!S_ISREG(seen.st_mode))
    return unusable(name + " is not a regular file");
  if (seen.st_uid != ::geteuid())
    return unusable(name + " belongs to user " + std::to_string(seen.st_uid) +
                    ", and this process runs as " + std::to_string(::geteuid()));
  if ((seen.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return unusable("other users can use " + name, "chmod 600 it");
  return std::optional{std::move(file)};
}

result<audit_place> find_audit_file(std::filesystem::path const& path) {
  auto const name = path.filename().string();
  if (name.empty() || name == "." || name == "..")
    return unusable("its path names no file");
  auto const parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  auto folder =
      above_standard_streams(unique_fd{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)});
  if (!folder)
    return unusable("can't open its folder: " + errno_text(errno));
  return audit_place{std::move(folder), name};
}

result<audit_anchor_file> audit_anchor_file::open(int folder, std::string const& log) {
  auto file = open_audit_file(folder, name_of(log), O_RDWR | O_CREAT);
  if (!file)
    return file.error();
  return audit_anchor_file{std::move(**file)};
}

result<std::optional<audit_anchor_file>> audit_anchor_file::open_to_read(int folder,
                                                                         std::string const& log) {
  unique_fd file{
      ::openat(folder, name_of(log).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file && errno != ENOENT)
    return unusable("can't open " + name_of(log) + ": " + errno_text(errno));
  if (!file)
    return std::optional<audit_anchor_file>{};
  return std::optional{audit_anchor_file{std::move(file)}};
}

result<void> audit_anchor_file::lock(std::chrono::milliseconds patience, bool shared) {
  auto const deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(file_.get(), (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return unavailable("the audit log can't be locked: " + errno_text(errno));
    if (std::chrono::steady_clock::now() >= deadline)
      return unavailable("another process holds the audit log's lock and does not let go of it");
    std::this_thread::sleep_for(lock_pause);
  }
  return {};
}

void audit_anchor_file::unlock() noexcept {
  ::flock(file_.get(), LOCK_UN);
}

std::optional<audit_anchor> audit_anchor_file::read() const {
  std::array<char, slots * slot_size> bytes;
  auto const size = ::pread(file_.get(), bytes.data(), bytes.size(), 0);
  std::string_view const text{bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  std::optional<audit_anchor> newest;
  for (std::size_t at = 0; at + slot_size <= text.size(); at += slot_size)
    if (auto found = anchor_in(text.substr(at, slot_size));
        found && (!newest || found->generation > newest->generation))
      newest = std::move(found);
  return newest;
}

result<void> audit_anchor_file::write(audit_anchor const& next) {
  auto const text = text_of(next);
  auto const at = static_cast<off_t>(next.generation % slots * slot_size);
  auto const written = is_refused(fault_point::disk_write)
                           ? -1
                           : ::pwrite(file_.get(), text.data(), text.size(), at);
  if (written == static_cast<ssize_t>(text.size()))
    return {};
  return unavailable("the audit log's anchor can't be written: " +
                     errno_text(written < 0 ? errno : ENOSPC));
}

} // namespace bulkhead::platform
