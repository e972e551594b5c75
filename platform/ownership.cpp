#include <bulkhead/platform/ownership.hpp>

#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/file_digest.hpp>
#include <bulkhead/platform/file_error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

/// What getpwuid_r and getgrgid_r may need for one entry; with less room a number is shown.
using entry_buffer = std::array<char, 16 * 1024>;

std::string named(char const* name, unsigned number) {
  return name ? std::string{name} + " (" + std::to_string(number) + ')' : std::to_string(number);
}

std::string user_name(uid_t user) {
  entry_buffer buffer;
  passwd entry;
  passwd* found = nullptr;
  ::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found);
  return named(found ? found->pw_name : nullptr, user);
}

std::string group_name(gid_t group) {
  entry_buffer buffer;
  ::group entry;
  ::group* found = nullptr;
  ::getgrgid_r(group, &entry, buffer.data(), buffer.size(), &found);
  return named(found ? found->gr_name : nullptr, group);
}

/// Four octal digits, as chmod takes them.
std::string mode_text(mode_t mode) {
  std::string text = "0000";
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, mode >>= 3)
    *digit = static_cast<char>('0' + (mode & 7));
  return text;
}

/// One word for a shell.
std::string shell_word(std::string_view text) {
  constexpr auto plain = std::string_view{"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_@%+=:,./-"};
  if (!text.empty() && text.find_first_not_of(plain) == text.npos)
    return std::string{text};
  std::string word = "'";
  for (auto const c : text)
    word += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return word + '\'';
}

bool is_trusted(uid_t owner) noexcept {
  return owner == 0 || owner == ::geteuid();
}

/// Whether group or others may write to what the mode belongs to.
bool is_shared(mode_t mode) noexcept {
  return !S_ISLNK(mode) && (mode & (S_IWGRP | S_IWOTH)) != 0;
}

bool is_sticky_folder(mode_t mode) noexcept {
  return S_ISDIR(mode) && (mode & S_ISVTX) != 0;
}

error unsafe(struct stat const& seen, std::string_view path, std::string_view tree) {
  auto const refused = [&](std::string const& by_whom, std::string remedy) {
    return error{errc::integrity_unsafe_owner,
                 std::string{path} + " can be changed by " + by_whom + ": it belongs to user " +
                     user_name(seen.st_uid) + " and group " + group_name(seen.st_gid) +
                     ", with mode " + mode_text(seen.st_mode & 07777),
                 std::move(remedy)};
  };
  auto const option = std::string{tree.empty() ? "" : "-R "};
  auto const target = shell_word(tree.empty() ? path : tree);
  if (!is_trusted(seen.st_uid))
    return refused("its owner, who is neither root nor user " + user_name(::geteuid()),
                   "chown " + option + "root " + target);
  auto const by_whom = (seen.st_mode & S_IWOTH) != 0 ? "everybody" : "its group";
  // Such a folder is shared on purpose, as /tmp is: everybody would suffer from a chmod.
  if (is_sticky_folder(seen.st_mode))
    return refused(by_whom, "use a folder in it that only you can write to");
  return refused(by_whom, "chmod " + option + "go-w " + target);
}

error moved(std::string_view path) {
  return error{errc::integrity_mismatch, std::string{path} + " was moved while it was looked at",
               "try again"};
}

/// The next component of an absolute path, which is removed; empty at the end.
std::string take_component(std::string_view& path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  auto const name = path.substr(0, path.find('/'));
  path.remove_prefix(name.size());
  return std::string{name};
}

} // namespace

result<void> require_safe_owner(struct stat const& seen, std::string_view path,
                                std::string_view tree) {
  if (!is_trusted(seen.st_uid) || is_shared(seen.st_mode))
    return unsafe(seen, path, tree);
  return {};
}

result<std::string> require_safe_path(int object) {
  auto path = real_path_of(object);
  if (!path)
    return path.error();
  struct stat wanted;
  if (::fstat(object, &wanted) != 0)
    return with_path(*path, file_error(errno));
  // Down from the root, as only a folder has a way up; the last step has to arrive at the object.
  auto left = std::string_view{*path};
  unique_fd here{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  struct stat seen;
  for (std::size_t walked = 1;; walked = path->size() - left.size()) {
    if (!here || ::fstat(here.get(), &seen) != 0)
      return errno == ENOENT ? moved(*path) : with_path(*path, file_error(errno));
    auto const name = take_component(left);
    auto const is_above = !name.empty();
    // What lies in a sticky folder is looked at next: it has to belong to root or to us.
    if (auto const safe = require_safe_owner(seen, path->substr(0, walked));
        !safe && !(is_above && is_trusted(seen.st_uid) && is_sticky_folder(seen.st_mode)))
      return safe.error();
    if (!is_above)
      break;
    here = unique_fd{::openat(here.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  }
  if (seen.st_dev != wanted.st_dev || seen.st_ino != wanted.st_ino)
    return moved(*path);
  return path;
}

result<std::string> require_safe_path(std::filesystem::path const& path) {
  unique_fd const object{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  if (!object)
    return file_error(errno);
  return require_safe_path(object.get());
}

} // namespace bulkhead::platform
