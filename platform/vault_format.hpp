#pragma once

#include <bulkhead/platform/cipher.hpp>
#include <bulkhead/platform/locked_memory.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

namespace bulkhead::platform {

// The bytes of a vault file, without the file and without the cipher. A vault is a header in the
// clear, which says how the key comes from the passphrase, and a sealed body, which vouches for the
// header as well. All numbers are little-endian:
//
//   16  "bulkhead vault" CR LF    what it is; damaged by whatever mangles line ends
//    4  1                         version of all that follows
//   16  "scrypt", filled with 0   how the key is derived: the next three, and the salt
//    8  n   4  r   4  p
//   16  salt                      drawn when the vault is made
//   12  nonce                     drawn for each write
//    …  sealed body, ends in its tag of 16 bytes
//
// The body holds the secrets in the order of their names, each as runtime, host, key and value,
// each of these as 4 bytes of length and the bytes.

inline constexpr std::size_t vault_salt_size = 16; ///< NIST SP 800-132, 5.1: at least 128 bits
inline constexpr std::size_t vault_header_size = 80;

struct vault_header {
  scrypt_cost cost{};
  std::array<unsigned char, vault_salt_size> salt{};
  cipher_nonce nonce{};
};

std::array<unsigned char, vault_header_size> encode(vault_header const& header) noexcept;

/// Nothing where the bytes begin with no header of this version, or with one whose cost is not
/// bearable.
std::optional<vault_header> decode_vault_header(std::span<unsigned char const> bytes) noexcept;

/// One secret; points into what it was decoded from.
struct vault_entry {
  std::string_view runtime;
  std::string_view host;
  std::string_view key;
  std::string_view value;

  auto name() const noexcept { return std::tie(runtime, host, key); }
};

/// `entries` are in the order of their names, and each name is there once.
secret_bytes encode(std::span<vault_entry const> entries);

/// Nothing where the bytes are not what `encode` makes.
std::optional<std::vector<vault_entry>> decode_vault_entries(std::string_view body);

} // namespace bulkhead::platform
