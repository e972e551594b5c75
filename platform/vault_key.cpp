#include <bulkhead/platform/vault_key.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

constexpr auto credentials_variable = "CREDENTIALS_DIRECTORY";
constexpr auto not_for_others = mode_t{S_IRWXG | S_IRWXO};
/// systemd gives the service access by a list of its own, which stat shows as the group's rights.
constexpr auto credential_not_for_others = mode_t{S_IWGRP | S_IXGRP | S_IRWXO};

error no_key(std::string why, std::string remedy) {
  return error{errc::secrets_unavailable, "the vault has no key: " + std::move(why),
               std::move(remedy)};
}

error no_key(std::string why) {
  return no_key(std::move(why), "write a passphrase into the file that the policy names as the "
                                "vault's key, and make it readable by its owner only (chmod 400)");
}

result<secret_bytes> passphrase_of(std::string_view text, std::string const& what) {
  if (text.empty())
    return no_key(what + " is empty");
  if (text.size() > max_vault_passphrase)
    return no_key(what + " is longer than " + std::to_string(max_vault_passphrase) + " bytes");
  return secret_bytes{text};
}

/// As much of a file as `into` has room for; -1 with errno set on failure.
ssize_t read_up_to(int file, std::span<unsigned char> into) noexcept {
  auto const size = into.size();
  while (!into.empty()) {
    auto const got = ::read(file, into.data(), into.size());
    if (got == 0)
      break;
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return static_cast<ssize_t>(size - into.size());
}

result<secret_bytes> read_file(std::string const& path, mode_t forbidden, std::string const& what) {
  // Non-blocking: a FIFO must not hold up whoever opens it.
  unique_fd const file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  struct stat seen {};
  if (!file || ::fstat(file.get(), &seen) != 0)
    return no_key(what + " can't be opened: " + errno_text(errno));
  if (!S_ISREG(seen.st_mode))
    return no_key(what + " is not a regular file");
  if (seen.st_uid != ::geteuid() && seen.st_uid != 0)
    return no_key(what + " belongs to another user");
  if ((seen.st_mode & forbidden) != 0)
    return no_key(what + " is open to other users");

  secret_bytes content{max_vault_passphrase + 2}; // a newline, and one byte that would be too many
  auto const size = read_up_to(file.get(), content.bytes());
  if (size < 0)
    return no_key(what + " can't be read: " + errno_text(errno));
  auto text = content.view().substr(0, static_cast<std::size_t>(size));
  if (text.ends_with('\n'))
    text.remove_suffix(1);
  return passphrase_of(text, what);
}

result<secret_bytes> read_credential(std::string const& name) {
  auto const remedy = "give the service one with LoadCredential= or LoadCredentialEncrypted=";
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos)
    return no_key("a credential's name is a plain file name", remedy);
  auto const* const folder = std::getenv(credentials_variable);
  if (folder == nullptr || *folder != '/')
    return no_key("systemd gave this process no credentials", remedy);
  return read_file(std::string{folder} + '/' + name, credential_not_for_others, "the credential");
}

result<secret_bytes> read_variable(std::string const& name) {
  auto const* const value = name.empty() ? nullptr : std::getenv(name.c_str());
  if (value == nullptr)
    return no_key("the environment variable is not set",
                  "set it, or better take the key from a file or a systemd credential, which other "
                  "processes of this user don't see in the environment");
  return passphrase_of(value, "the environment variable");
}

} // namespace

result<secret_bytes> read_vault_passphrase(vault_key_source const& source) {
  if (source.name.find('\0') != source.name.npos)
    return no_key("its name holds a NUL");
  switch (source.from) {
  case vault_key_source::kind::file:
    return read_file(source.name, not_for_others, "the key file");
  case vault_key_source::kind::credential:
    return read_credential(source.name);
  case vault_key_source::kind::environment:
    return read_variable(source.name);
  }
  return no_key("its source is unknown");
}

} // namespace bulkhead::platform
