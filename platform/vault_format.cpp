#include <bulkhead/platform/vault_format.hpp>

#include <algorithm>
#include <concepts>

namespace bulkhead::platform {
namespace {

using namespace std::string_view_literals;

constexpr auto magic = "bulkhead vault\r\n"sv;
constexpr auto derivation = "scrypt\0\0\0\0\0\0\0\0\0\0"sv;
constexpr std::uint32_t version = 1;

static_assert(vault_header_size == magic.size() + sizeof version + derivation.size() +
                                       sizeof scrypt_cost::n + sizeof scrypt_cost::r +
                                       sizeof scrypt_cost::p + vault_salt_size + cipher_nonce_size);

/// Writes one thing after the other; there is room for all.
class writer {
public:
  explicit writer(std::span<unsigned char> into) noexcept
      : rest_{into} {}

  void number(std::unsigned_integral auto value) noexcept {
    for (std::size_t i = 0; i != sizeof value; ++i)
      rest_[i] = static_cast<unsigned char>(value >> (8 * i));
    rest_ = rest_.subspan(sizeof value);
  }
  void bytes(auto const& from) noexcept {
    std::ranges::transform(from, rest_.begin(),
                           [](auto b) { return static_cast<unsigned char>(b); });
    rest_ = rest_.subspan(from.size());
  }
  void text(std::string_view from) noexcept {
    number(static_cast<std::uint32_t>(from.size()));
    bytes(from);
  }

private:
  std::span<unsigned char> rest_;
};

/// Reads one thing after the other; once there was too little, all that follows is empty.
class reader {
public:
  explicit reader(std::string_view from) noexcept
      : rest_{from} {}

  template <std::unsigned_integral T>
  T number() noexcept {
    T value = 0;
    auto shift = 0U;
    for (auto const byte : bytes(sizeof(T))) {
      value |= static_cast<T>(T{static_cast<unsigned char>(byte)} << shift);
      shift += 8;
    }
    return value;
  }
  std::string_view bytes(std::size_t size) noexcept {
    if (size > rest_.size()) {
      is_short_ = true;
      rest_ = {};
      return {};
    }
    auto const taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view text() noexcept { return bytes(number<std::uint32_t>()); }

  bool at_end() const noexcept { return rest_.empty(); }
  bool was_short() const noexcept { return is_short_; }

private:
  std::string_view rest_;
  bool is_short_ = false;
};

std::size_t encoded_size(vault_entry const& entry) noexcept {
  return 4 * sizeof(std::uint32_t) + entry.runtime.size() + entry.host.size() + entry.key.size() +
         entry.value.size();
}

} // namespace

std::array<unsigned char, vault_header_size> encode(vault_header const& header) noexcept {
  std::array<unsigned char, vault_header_size> encoded;
  writer out{encoded};
  out.bytes(magic);
  out.number(version);
  out.bytes(derivation);
  out.number(header.cost.n);
  out.number(header.cost.r);
  out.number(header.cost.p);
  out.bytes(header.salt);
  out.bytes(header.nonce);
  return encoded;
}

std::optional<vault_header> decode_vault_header(std::span<unsigned char const> bytes) noexcept {
  reader in{{reinterpret_cast<char const*>(bytes.data()), bytes.size()}};
  if (in.bytes(magic.size()) != magic || in.number<std::uint32_t>() != version ||
      in.bytes(derivation.size()) != derivation)
    return std::nullopt;
  vault_header header;
  header.cost.n = in.number<std::uint64_t>();
  header.cost.r = in.number<std::uint32_t>();
  header.cost.p = in.number<std::uint32_t>();
  std::ranges::copy(in.bytes(header.salt.size()), header.salt.begin());
  std::ranges::copy(in.bytes(header.nonce.size()), header.nonce.begin());
  if (in.was_short() || !is_bearable(header.cost))
    return std::nullopt;
  return header;
}

secret_bytes encode(std::span<vault_entry const> entries) {
  std::size_t size = 0;
  for (auto const& entry : entries)
    size += encoded_size(entry);
  secret_bytes encoded{size};
  writer out{encoded.bytes()};
  for (auto const& entry : entries)
    for (auto const part : {entry.runtime, entry.host, entry.key, entry.value})
      out.text(part);
  return encoded;
}

std::optional<std::vector<vault_entry>> decode_vault_entries(std::string_view body) {
  std::vector<vault_entry> entries;
  reader in{body};
  while (!in.at_end()) {
    vault_entry entry;
    for (auto* const part : {&entry.runtime, &entry.host, &entry.key, &entry.value})
      *part = in.text();
    if (in.was_short() || (!entries.empty() && entries.back().name() >= entry.name()))
      return std::nullopt;
    entries.push_back(entry);
  }
  return entries;
}

} // namespace bulkhead::platform
