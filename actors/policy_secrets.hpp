#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/platform/secret_backend.hpp>

#include <memory>

namespace bulkhead {

/// The store of secrets that a policy names. It is opened when it is first used and, where that
/// fails, each time anew: until then every operation fails with secrets_unavailable or
/// vault_unusable, and nothing is kept anywhere else. "auto" is the vault where the policy names a
/// passphrase, else the keyring.
std::shared_ptr<platform::secret_backend> secrets_of(policy const& rules);

} // namespace bulkhead
