#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/locked_memory.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bulkhead::platform {

// AES-256-GCM, scrypt and random bytes, thin over OpenSSL. All functions are thread-safe. They fail
// with vault_unusable where this machine's OpenSSL does not offer what is asked of it (a build
// restricted to FIPS algorithms has no scrypt).

inline constexpr std::size_t cipher_key_size = 32;
/// 96 bits, the length for which GCM needs no further hashing (NIST SP 800-38D, 5.2.1.1).
inline constexpr std::size_t cipher_nonce_size = 12;
inline constexpr std::size_t cipher_tag_size = 16;

using cipher_nonce = std::array<unsigned char, cipher_nonce_size>;

/// How much work turns a passphrase into a key: 128·n·r bytes of memory, and time in proportion to
/// n·r·p (RFC 7914).
struct scrypt_cost {
  std::uint64_t n; ///< a power of two, 2 or more
  std::uint32_t r;
  std::uint32_t p;

  bool operator==(scrypt_cost const&) const = default;
};

/// Fills them from OpenSSL's generator, which the kernel's seeds.
result<void> fill_random(std::span<unsigned char> bytes);

/// Whether a cost is one that scrypt takes, at most 160 MiB of memory and 16 times the work of
/// n = 2^15, r = 8, p = 1: what a stranger's file may demand.
bool is_bearable(scrypt_cost const& cost) noexcept;

/// The key of a passphrase, of cipher_key_size bytes. Takes a tenth of a second and 32 MiB at
/// n = 2^15, r = 8, p = 1. Fails with vault_unusable where the cost is not bearable.
result<secret_bytes> derive_key(std::string_view passphrase, std::span<unsigned char const> salt,
                                scrypt_cost const& cost);

/// Encrypts `plain`, followed by the tag that vouches for it and for `associated`. A nonce is never
/// to be used twice with one key.
result<std::vector<unsigned char>> seal(secret_bytes const& key, cipher_nonce const& nonce,
                                        std::span<unsigned char const> associated,
                                        std::span<unsigned char const> plain);

/// What `seal` encrypted; nothing where the key, the nonce, the associated bytes or the sealed ones
/// are not those of then, of which none can be told from another.
result<std::optional<secret_bytes>> open_sealed(secret_bytes const& key, cipher_nonce const& nonce,
                                                std::span<unsigned char const> associated,
                                                std::span<unsigned char const> sealed);

} // namespace bulkhead::platform
