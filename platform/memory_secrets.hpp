#pragma once

#include <bulkhead/platform/secret_backend.hpp>

#include <map>
#include <mutex>

namespace bulkhead::platform {

/// Secrets that end with the process, for tests and trials. Thread-safe.
class memory_secrets final : public secret_backend {
public:
  explicit memory_secrets(secret_limits limits = {}) noexcept
      : limits_{limits} {}

  std::string_view kind() const noexcept override { return "memory"; }
  result<std::optional<secret_bytes>> get(secret_name const& name) override;
  result<void> set(secret_name const& name, std::string_view value) override;
  result<bool> remove(secret_name const& name) override;
  result<std::vector<std::string>> list(secret_scope const& scope) override;
  result<std::size_t> remove_all(secret_scope const& scope) override;

private:
  secret_limits const limits_;
  std::mutex turn_;
  std::map<secret_scope, std::map<std::string, secret_bytes>> held_;
};

} // namespace bulkhead::platform
