#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/locked_memory.hpp>

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::platform {

/// Whose secrets: a host as its policy calls it, of a runtime as its embedder calls it. Never the
/// id that an extension gives itself. Both are kept apart wherever they are stored, so no choice of
/// one can look like another.
struct secret_scope {
  std::string runtime;
  std::string host;

  auto operator<=>(secret_scope const&) const = default;
};

struct secret_name {
  secret_scope scope;
  std::string key;

  auto operator<=>(secret_name const&) const = default;
};

/// Longest key, runtime and host, in bytes.
inline constexpr std::size_t max_secret_name = 256;
/// Longest value, in bytes: tokens and certificates with room; what is larger is a file.
inline constexpr std::size_t max_secret_value = 64 * 1024;

/// How much one scope may hold, so that one extension can't fill the store of all.
struct secret_limits {
  std::size_t keys = 10'000;
  /// Keys and values together, in bytes: 64 of the largest, or 10 000 of a long token each.
  std::size_t bytes = 4 * 1024 * 1024;
};

/// Keeps secrets: values of any bytes by a name of text. Implementations block, so they are called
/// by a pool's threads and never by the event loop's; all of them may be called by several threads
/// at once. No error that one returns holds a value, a key or a path.
///
/// Besides what each function names, all fail with invalid_payload where a part of the name is
/// empty, longer than max_secret_name, not UTF-8 or holds a control character, and with
/// secrets_unavailable where the store is absent, locked or gone. Nothing is then read or written.
class secret_backend {
public:
  virtual ~secret_backend() = default;

  /// "vault", "secret-service" or "memory", as the policy calls it.
  virtual std::string_view kind() const noexcept = 0;

  /// Nothing where there is no such secret.
  virtual result<std::optional<secret_bytes>> get(secret_name const& name) = 0;
  /// Adds or replaces one; stored for good when it returns. Fails with secret_too_large, and with
  /// limit_exceeded where the scope would hold more than its limits allow.
  virtual result<void> set(secret_name const& name, std::string_view value) = 0;
  /// True where there was one. When it returns, the store itself no longer holds it.
  virtual result<bool> remove(secret_name const& name) = 0;
  /// The keys, sorted.
  virtual result<std::vector<std::string>> list(secret_scope const& scope) = 0;
  /// Removes all of a scope, and returns how many that were.
  virtual result<std::size_t> remove_all(secret_scope const& scope) = 0;
};

/// What every backend asks of its arguments: invalid_payload or secret_too_large where they are not
/// as said above. Thread-safe.
result<void> check(secret_scope const& scope);
result<void> check(secret_name const& name);
result<void> check(secret_name const& name, std::string_view value);

/// limit_exceeded where a scope that would hold `keys` keys and, with their values, `bytes` bytes
/// is past its limits. Thread-safe.
result<void> check(secret_limits const& limits, std::size_t keys, std::size_t bytes);

} // namespace bulkhead::platform
