#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace bulkhead::platform {

using sha256_digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) of bytes that come in pieces, computed by OpenSSL. One object serves any
/// number of digests, one after the other. Not thread-safe, but may be passed between threads.
class sha256 {
public:
  /// Throws std::runtime_error where OpenSSL offers no SHA-256 or has no memory left; so do the
  /// members.
  sha256();
  sha256(sha256&&) noexcept;
  sha256& operator=(sha256&&) noexcept;
  ~sha256();

  void update(std::string_view bytes);
  /// The digest of all bytes since the last one; the next begins.
  sha256_digest finish();

  /// Of these bytes alone: to be called where no digest has been begun.
  sha256_digest digest_of(std::string_view bytes) {
    update(bytes);
    return finish();
  }

private:
  void begin();

  struct context_deleter {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, context_deleter> context_;
};

/// 64 lower-case hexadecimal digits.
std::string to_hex(sha256_digest const& digest);

} // namespace bulkhead::platform
