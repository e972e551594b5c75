#pragma once

#include <bulkhead/platform/cipher.hpp>
#include <bulkhead/platform/secret_backend.hpp>
#include <bulkhead/platform/vault_file.hpp>
#include <bulkhead/platform/vault_format.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <mutex>

namespace bulkhead::platform {

/// What the documentation of golang.org/x/crypto/scrypt recommends since 2017: 32 MiB and about a
/// tenth of a second for each guess at the passphrase.
inline constexpr auto default_vault_cost = scrypt_cost{1 << 15, 8, 1};

struct vault_options {
  /// Of a vault that is made; an existing one keeps the cost it was made with.
  scrypt_cost cost = default_vault_cost;
  secret_limits limits{};
  /// How long a write waits for another process's.
  std::chrono::milliseconds patience = default_vault_patience;
};

/// Secrets in one file, encrypted with AES-256-GCM under a key that scrypt derives from a
/// passphrase (vault_format.hpp has the bytes, vault_file.hpp the writing). Several processes may
/// use one vault at once and lose nothing; one that is killed leaves the vault as it was before its
/// last write or after it. Thread-safe; one operation at a time.
///
/// No file is an empty vault; the first `set` makes it. A file that is not a vault, that has lost
/// or changed any byte, or that was made with another passphrase fails with vault_unusable and is
/// never written to; which of these it is can't be told. Secrets are decrypted for as long as an
/// operation takes, and the passphrase and the key are in locked memory for as long as the vault
/// is.
///
/// Each write draws a nonce of 96 random bits. NIST SP 800-38D (8.3) allows 2^32 of them with one
/// key; at a write each millisecond, the least that reaching the disk takes, these last for 50 days
/// without a pause, and a vault that was made anew has a new salt and so a new key.
///
/// Outside its reach: whoever can write the folder can put back an older vault of the same
/// passphrase, and the file's size tells roughly how much is in it.
class vault final : public secret_backend {
public:
  /// Touches nothing yet.
  vault(std::filesystem::path const& file, secret_bytes passphrase, vault_options options = {});

  /// Whether the passphrase opens the vault, or there is none yet and its folder can be used.
  result<void> probe();

  std::string_view kind() const noexcept override { return "vault"; }
  result<std::optional<secret_bytes>> get(secret_name const& name) override;
  result<void> set(secret_name const& name, std::string_view value) override;
  result<bool> remove(secret_name const& name) override;
  result<std::vector<std::string>> list(secret_scope const& scope) override;
  result<std::size_t> remove_all(secret_scope const& scope) override;

private:
  using entries = std::vector<vault_entry>;

  /// A decrypted vault.
  struct opened {
    vault_header header;
    secret_bytes body;
    entries secrets; // point into the body
  };

  /// The key of a header, derived once for all that share its salt and cost.
  result<secret_bytes const*> key_of(vault_header const& header);
  result<vault_header> new_header() const;
  result<opened> open();
  result<void> write(vault_header header, entries const& secrets);
  /// Opens, changes and writes while no other process does; `change` says whether there is anything
  /// to write.
  result<void> update(std::function<result<bool>(entries&)> const& change);

  vault_file const file_;
  secret_bytes const passphrase_;
  vault_options const options_;

  std::mutex turn_; // guards what follows
  vault_header derived_from_;
  secret_bytes key_; // empty until one was derived
};

} // namespace bulkhead::platform
