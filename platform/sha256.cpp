#include <bulkhead/platform/sha256.hpp>

#include <openssl/evp.h>
#include <stdexcept>

namespace bulkhead::platform {
namespace {

/// OpenSSL 3 looks an algorithm up at each use unless it was fetched before; that takes longer than
/// to hash a short text.
EVP_MD const* algorithm() noexcept {
  struct deleter {
    void operator()(EVP_MD* fetched) const noexcept { ::EVP_MD_free(fetched); }
  };
  static std::unique_ptr<EVP_MD, deleter> const fetched{
      ::EVP_MD_fetch(nullptr, "SHA2-256", nullptr)};
  return fetched.get();
}

void require(bool done) {
  if (!done)
    throw std::runtime_error{"OpenSSL can't compute a SHA-256"};
}

} // namespace

sha256::sha256()
    : context_{::EVP_MD_CTX_new()} {
  begin();
}

sha256::sha256(sha256&&) noexcept = default;
sha256& sha256::operator=(sha256&&) noexcept = default;
sha256::~sha256() = default;

void sha256::update(std::string_view bytes) {
  require(::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

sha256_digest sha256::finish() {
  sha256_digest digest;
  unsigned size = 0;
  require(::EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1 && size == digest.size());
  begin();
  return digest;
}

void sha256::begin() {
  require(context_ && algorithm() &&
          ::EVP_DigestInit_ex2(context_.get(), algorithm(), nullptr) == 1);
}

void sha256::context_deleter::operator()(evp_md_ctx_st* context) const noexcept {
  ::EVP_MD_CTX_free(context);
}

std::string to_hex(sha256_digest const& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (auto const byte : digest)
    text += {digits[byte >> 4], digits[byte & 0xF]};
  return text;
}

} // namespace bulkhead::platform
