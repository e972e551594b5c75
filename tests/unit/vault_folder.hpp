#pragma once

#include "shared/code_of.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/vault.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::testing {

inline platform::secret_scope const formatter{"demo", "formatter"};
inline platform::secret_scope const linter{"demo", "linter"};
inline platform::secret_name const token{formatter, "token"};

inline constexpr auto passphrase = "correct horse";
inline constexpr auto value = "s3cr3t-value";
/// Nothing of a passphrase's strength is tested here, and the real cost is paid in seconds.
inline constexpr auto cheap = platform::scrypt_cost{16, 1, 1};

/// A folder with a vault in it, which is opened anew as often as a test likes.
struct vault_folder : temporary_directory {
  std::filesystem::path file() const { return path() / "vault"; }
  std::unique_ptr<platform::vault> open(std::string_view with = passphrase,
                                        platform::secret_limits limits = {}) const {
    return std::make_unique<platform::vault>(
        file(), platform::secret_bytes{with},
        platform::vault_options{cheap, limits, platform::default_vault_patience});
  }
  std::string content() const { return content_of(file()); }
  void overwrite(std::string_view with) const {
    write("vault", with);
    std::filesystem::permissions(file(), std::filesystem::perms::owner_read |
                                             std::filesystem::perms::owner_write);
  }
};

inline std::optional<std::string> read(platform::secret_backend& secrets,
                                       platform::secret_name const& name) {
  auto const found = secrets.get(name).value();
  return found ? std::optional{std::string{found->view()}} : std::nullopt;
}

inline void keep(platform::secret_backend& secrets, platform::secret_name const& name,
                 std::string_view kept) {
  if (auto const stored = secrets.set(name, kept); !stored)
    FAIL(stored.error().what());
}

} // namespace bulkhead::testing
