#include <bulkhead/platform/cipher.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string>

namespace bulkhead::platform {
namespace {

using context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&::EVP_CIPHER_CTX_free)>;
using octets = std::span<unsigned char const>;

/// Room for n = 2^17, r = 8, p = 1, the most that OWASP's Password Storage Cheat Sheet asks for.
constexpr std::uint64_t max_scrypt_memory = 160 * 1024 * 1024;
/// Of r and p; four times what anybody recommends. Large ones cost time that n·r·p does not show.
constexpr std::uint32_t max_scrypt_factor = 32;
/// n·r·p; a second or two.
constexpr std::uint64_t max_scrypt_work = 16 * (std::uint64_t{1} << 15) * 8;

/// Takes what OpenSSL notes of a failure off the thread's list again, which is the embedder's too.
class quiet_errors {
public:
  quiet_errors() noexcept { ::ERR_set_mark(); }
  quiet_errors(quiet_errors&&) = delete;
  ~quiet_errors() { ::ERR_pop_to_mark(); }
};

error unusable(std::string const& what) {
  return error{errc::vault_unusable, "this machine's OpenSSL " + what,
               "use the secret service, or an OpenSSL with its default provider"};
}

/// EVP counts in int.
bool is_countable(octets bytes) noexcept {
  return bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
}

int count(octets bytes) noexcept {
  return static_cast<int>(bytes.size());
}

} // namespace

result<void> fill_random(std::span<unsigned char> bytes) {
  quiet_errors const quiet;
  if (!is_countable(bytes) || ::RAND_bytes(bytes.data(), count(bytes)) != 1)
    return unusable("gives no random bytes");
  return {};
}

bool is_bearable(scrypt_cost const& cost) noexcept {
  auto const& [n, r, p] = cost;
  if (!std::has_single_bit(n) || n < 2 || r == 0 || r > max_scrypt_factor || p == 0 ||
      p > max_scrypt_factor)
    return false;
  // RFC 7914, section 2: n < 2^(128·r/8).
  if (r < 4 && n >> (16 * r) != 0)
    return false;
  // As OpenSSL counts its buffers; divided rather than multiplied, which could overflow.
  auto const blocks = max_scrypt_memory / 128 / r;
  return n <= blocks && n + p + 2 <= blocks && p <= max_scrypt_work / (n * r);
}

result<secret_bytes> derive_key(std::string_view passphrase, octets salt, scrypt_cost const& cost) {
  if (!is_bearable(cost))
    return error{errc::vault_unusable, "the key derivation that is asked for is past all bounds"};
  quiet_errors const quiet;
  secret_bytes key{cipher_key_size};
  if (::EVP_PBE_scrypt(passphrase.data(), passphrase.size(), salt.data(), salt.size(), cost.n,
                       cost.r, cost.p, max_scrypt_memory, key.bytes().data(), key.size()) != 1)
    return unusable("can't derive the key with scrypt");
  return key;
}

result<std::vector<unsigned char>> seal(secret_bytes const& key, cipher_nonce const& nonce,
                                        octets associated, octets plain) {
  quiet_errors const quiet;
  std::vector<unsigned char> sealed(plain.size() + cipher_tag_size);
  context const made{::EVP_CIPHER_CTX_new(), &::EVP_CIPHER_CTX_free};
  auto* const c = made.get();
  int written = 0;
  if (key.size() != cipher_key_size || !is_countable(sealed) || !is_countable(associated) || !c ||
      ::EVP_EncryptInit_ex(c, ::EVP_aes_256_gcm(), nullptr, key.bytes().data(), nonce.data()) !=
          1 ||
      ::EVP_EncryptUpdate(c, nullptr, &written, associated.data(), count(associated)) != 1 ||
      ::EVP_EncryptUpdate(c, sealed.data(), &written, plain.data(), count(plain)) != 1 ||
      ::EVP_EncryptFinal_ex(c, sealed.data() + plain.size(), &written) != 1 ||
      ::EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, cipher_tag_size,
                            sealed.data() + plain.size()) != 1)
    return unusable("can't encrypt with AES-256-GCM");
  return sealed;
}

result<std::optional<secret_bytes>> open_sealed(secret_bytes const& key, cipher_nonce const& nonce,
                                                octets associated, octets sealed) {
  if (sealed.size() < cipher_tag_size)
    return std::nullopt;
  quiet_errors const quiet;
  auto const body = sealed.first(sealed.size() - cipher_tag_size);
  auto tag = std::array<unsigned char, cipher_tag_size>{};
  std::ranges::copy(sealed.last(cipher_tag_size), tag.begin());
  secret_bytes plain{body.size()};
  context const made{::EVP_CIPHER_CTX_new(), &::EVP_CIPHER_CTX_free};
  auto* const c = made.get();
  int written = 0;
  if (key.size() != cipher_key_size || !is_countable(sealed) || !is_countable(associated) || !c ||
      ::EVP_DecryptInit_ex(c, ::EVP_aes_256_gcm(), nullptr, key.bytes().data(), nonce.data()) !=
          1 ||
      ::EVP_DecryptUpdate(c, nullptr, &written, associated.data(), count(associated)) != 1 ||
      ::EVP_DecryptUpdate(c, plain.bytes().data(), &written, body.data(), count(body)) != 1 ||
      ::EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, cipher_tag_size, tag.data()) != 1)
    return unusable("can't decrypt with AES-256-GCM");
  // Only here the bytes turn out to be genuine or not.
  if (::EVP_DecryptFinal_ex(c, nullptr, &written) != 1)
    return std::nullopt;
  return plain;
}

} // namespace bulkhead::platform
