#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/locked_memory.hpp>

#include <cstddef>
#include <string>

namespace bulkhead::platform {

/// Where the passphrase of a vault comes from.
struct vault_key_source {
  enum class kind {
    file,       ///< a file that only its owner can read
    credential, ///< what systemd gave this service under that name (LoadCredential=)
    environment ///< a variable, which all processes of this user can read: for containers
  };

  kind from = kind::file;
  /// A path, the name of a credential or that of a variable.
  std::string name;
};

/// Longest passphrase, in bytes: far more than any that adds to its strength.
inline constexpr std::size_t max_vault_passphrase = 4096;

/// The passphrase, without the newline that ends a file. The bytes count, whatever they are.
///
/// A file must be a regular one (a symbolic link to one serves) that belongs to this user or to
/// root and that nobody else can read or write. A credential may be readable to its group, since
/// systemd shows an access list of its own as that. All else, an empty passphrase and one longer
/// than max_vault_passphrase fail with secrets_unavailable and what to do about it; the error names
/// neither a path nor a value. Reads the environment: must not run while another thread changes it.
result<secret_bytes> read_vault_passphrase(vault_key_source const& source);

} // namespace bulkhead::platform
