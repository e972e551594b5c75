#include <bulkhead/actors/policy_secrets.hpp>

#include <bulkhead/platform/memory_secrets.hpp>
#include <bulkhead/platform/secret_service.hpp>
#include <bulkhead/platform/vault.hpp>
#include <bulkhead/platform/vault_key.hpp>

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bulkhead {
namespace {

using platform::secret_bytes;
using platform::secret_name;
using platform::secret_scope;
using platform::vault_key_source;

std::optional<vault_key_source> passphrase_of(secrets_policy const& rules) {
  using enum vault_key_source::kind;
  if (!rules.passphrase_file.empty())
    return vault_key_source{file, rules.passphrase_file.string()};
  if (!rules.passphrase_credential.empty())
    return vault_key_source{credential, rules.passphrase_credential};
  if (!rules.passphrase_variable.empty())
    return vault_key_source{environment, rules.passphrase_variable};
  return std::nullopt;
}

/// A vault whose passphrase is read when it is first needed.
class locked_vault final : public platform::secret_backend {
public:
  locked_vault(std::filesystem::path file, std::optional<vault_key_source> passphrase)
      : file_{std::move(file)}
      , passphrase_{std::move(passphrase)} {}

  std::string_view kind() const noexcept override { return "vault"; }
  result<std::optional<secret_bytes>> get(secret_name const& name) override {
    return with_vault([&](auto& vault) { return vault.get(name); });
  }
  result<void> set(secret_name const& name, std::string_view value) override {
    return with_vault([&](auto& vault) { return vault.set(name, value); });
  }
  result<bool> remove(secret_name const& name) override {
    return with_vault([&](auto& vault) { return vault.remove(name); });
  }
  result<std::vector<std::string>> list(secret_scope const& scope) override {
    return with_vault([&](auto& vault) { return vault.list(scope); });
  }
  result<std::size_t> remove_all(secret_scope const& scope) override {
    return with_vault([&](auto& vault) { return vault.remove_all(scope); });
  }

private:
  template <class Operation>
  auto with_vault(Operation operation) -> decltype(operation(std::declval<platform::vault&>())) {
    auto const vault = open();
    if (!vault)
      return vault.error();
    return operation(**vault);
  }

  result<std::shared_ptr<platform::vault>> open() {
    std::lock_guard const lock{mutex_};
    if (vault_)
      return vault_;
    if (!passphrase_)
      return error{errc::secrets_unavailable, "the policy names no passphrase for the vault",
                   "write  secrets.passphrase_file = \"FILE\""};
    auto passphrase = platform::read_vault_passphrase(*passphrase_);
    if (!passphrase)
      return passphrase.error();
    return vault_ = std::make_shared<platform::vault>(file_, std::move(*passphrase));
  }

  std::filesystem::path const file_;
  std::optional<vault_key_source> const passphrase_;
  std::mutex mutex_;
  std::shared_ptr<platform::vault> vault_;
};

} // namespace

std::shared_ptr<platform::secret_backend> secrets_of(policy const& rules) {
  auto passphrase = passphrase_of(rules.secrets);
  switch (rules.secrets.backend) {
  case secret_backend_kind::memory:
    return std::make_shared<platform::memory_secrets>();
  case secret_backend_kind::secret_service:
    return std::make_shared<platform::secret_service>();
  case secret_backend_kind::automatic:
    if (!passphrase)
      return std::make_shared<platform::secret_service>();
    break;
  case secret_backend_kind::vault:
    break;
  }
  return std::make_shared<locked_vault>(rules.vault_file(), std::move(passphrase));
}

} // namespace bulkhead
