#pragma once

#include <bulkhead/messages/deadline.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/cipher.hpp>
#include <bulkhead/platform/secret_backend.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace bulkhead {

/// Secrets that were read lately, so that a burst of requests does not ask the store each time.
/// Encrypted under a key of this process that lies in locked memory; a secret is in clear only
/// while it is answered. Time is passed in. Not thread-safe.
class secret_cache {
public:
  using clock = deadline::clock;

  /// Nothing is kept with a time to live of zero.
  explicit secret_cache(std::chrono::milliseconds time_to_live);

  /// The value, if it was put here less than the time to live ago.
  std::optional<platform::secret_bytes> find(platform::secret_name const& name,
                                             clock::time_point now);
  void put(platform::secret_name const& name, platform::secret_bytes const& value,
           clock::time_point now);
  void forget(platform::secret_name const& name);
  /// Of a host that has ended.
  void forget(platform::secret_scope const& scope);
  std::size_t size() const noexcept { return entries_.size(); }

private:
  struct entry {
    platform::cipher_nonce nonce;
    std::vector<unsigned char> sealed;
    clock::time_point until;
  };

  std::chrono::milliseconds time_to_live_;
  platform::secret_bytes key_;
  std::map<platform::secret_name, entry> entries_;
};

} // namespace bulkhead
