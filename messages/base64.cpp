#include <bulkhead/messages/base64.hpp>

#include <climits>
#include <openssl/evp.h>

namespace bulkhead {
namespace {

constexpr std::size_t group = 4; // characters for three bytes

unsigned char* as_unsigned(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
unsigned char const* as_unsigned(std::string_view text) {
  return reinterpret_cast<unsigned char const*>(text.data());
}

} // namespace

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * group, '\0'); // and the zero that OpenSSL adds
  EVP_EncodeBlock(as_unsigned(text), as_unsigned(bytes), static_cast<int>(bytes.size()));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % group != 0 || text.size() > INT_MAX)
    return std::nullopt;
  std::string bytes(text.size() / group * 3, '\0');
  if (EVP_DecodeBlock(as_unsigned(bytes), as_unsigned(text), static_cast<int>(text.size())) < 0)
    return std::nullopt;
  auto const padding = text.ends_with("==") ? 2u : text.ends_with('=') ? 1u : 0u;
  bytes.resize(bytes.size() - padding);
  // OpenSSL takes white space, padding in the middle and bits that stand for nothing as well.
  return to_base64(bytes) == text ? std::optional{std::move(bytes)} : std::nullopt;
}

} // namespace bulkhead
