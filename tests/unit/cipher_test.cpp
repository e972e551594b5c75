#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/cipher.hpp>

#include <openssl/err.h>
#include <set>
#include <string>

namespace {

using namespace bulkhead::platform;
using bulkhead::errc;

std::vector<unsigned char> from_hex(std::string_view digits) {
  std::vector<unsigned char> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(
        static_cast<unsigned char>(std::stoi(std::string{digits.substr(i, 2)}, nullptr, 16)));
  return bytes;
}

std::span<unsigned char const> bytes_of(std::string_view text) {
  return {reinterpret_cast<unsigned char const*>(text.data()), text.size()};
}

secret_bytes key_of(std::span<unsigned char const> bytes) {
  return secret_bytes{std::string_view{reinterpret_cast<char const*>(bytes.data()), bytes.size()}};
}

cipher_nonce nonce_of(std::span<unsigned char const> bytes) {
  cipher_nonce nonce{};
  std::ranges::copy(bytes, nonce.begin());
  return nonce;
}

} // namespace

TEST_CASE("AES-256-GCM gives what its specification gives") {
  // McGrew and Viega, The Galois/Counter Mode of Operation (2005), appendix B, test case 16.
  auto const key =
      key_of(from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  auto const nonce = nonce_of(from_hex("cafebabefacedbaddecaf888"));
  auto const associated = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  auto const plain = from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                              "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  auto const expected = from_hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                 "76fc6ece0f4e1768cddf8853bb2d551b");
  CHECK(seal(key, nonce, associated, plain).value() == expected);
  auto const opened = open_sealed(key, nonce, associated, expected).value();
  REQUIRE(opened);
  CHECK(std::ranges::equal(opened->bytes(), plain));
}

TEST_CASE("scrypt gives what its specification gives") {
  // RFC 7914, section 12, the first 32 of 64 bytes: PBKDF2 gives them in blocks of 32.
  auto const derived = [](std::string_view passphrase, std::string_view salt, scrypt_cost cost) {
    auto const key = derive_key(passphrase, bytes_of(salt), cost).value();
    return std::vector<unsigned char>{key.bytes().begin(), key.bytes().end()};
  };
  CHECK(derived("", "", {16, 1, 1}) ==
        from_hex("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"));
  CHECK(derived("password", "NaCl", {1024, 8, 16}) ==
        from_hex("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"));
  CHECK(derived("pleaseletmein", "SodiumChloride", {16384, 8, 1}) ==
        from_hex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"));
}

TEST_CASE("a cost of scrypt that is none, or that nobody should bear, is refused") {
  for (auto const& bearable :
       {scrypt_cost{2, 1, 1}, scrypt_cost{1 << 15, 8, 1}, scrypt_cost{1 << 15, 8, 16},
        scrypt_cost{1 << 17, 8, 1}, scrypt_cost{1 << 15, 1, 1}})
    CHECK(is_bearable(bearable));
  constexpr auto huge = std::numeric_limits<std::uint32_t>::max();
  for (auto const& refused :
       {scrypt_cost{0, 8, 1}, scrypt_cost{1, 8, 1}, scrypt_cost{3, 8, 1},
        scrypt_cost{1 << 15, 0, 1}, scrypt_cost{1 << 15, 8, 0}, scrypt_cost{1 << 18, 8, 1},
        scrypt_cost{1 << 16, 1, 1}, scrypt_cost{1 << 15, 8, 17},
        scrypt_cost{std::uint64_t{1} << 63, 8, 1}, scrypt_cost{2, huge, 1}, scrypt_cost{2, 33, 1},
        scrypt_cost{2, 1, 33}, scrypt_cost{2, 1, huge}, scrypt_cost{1 << 15, huge, huge}}) {
    CHECK_FALSE(is_bearable(refused));
    CHECK(derive_key("p", bytes_of("salt"), refused).error().code() == errc::vault_unusable);
  }
}

TEST_CASE("a key that costs all the memory that is bearable can be derived") {
  auto const cost = scrypt_cost{1 << 17, 8, 1};
  CHECK(derive_key("p", bytes_of("salt"), cost).has_value());
}

TEST_CASE("what is sealed opens with nothing but what it was sealed with") {
  auto const key = key_of(std::vector<unsigned char>(cipher_key_size, 7));
  auto const other_key = key_of(std::vector<unsigned char>(cipher_key_size, 8));
  cipher_nonce const nonce{1, 2, 3};
  auto const sealed = seal(key, nonce, bytes_of("about"), bytes_of("secret")).value();
  CHECK(sealed.size() == 6 + cipher_tag_size);
  auto const opens = [&](secret_bytes const& with, cipher_nonce const& at, std::string_view about,
                         std::span<unsigned char const> what) {
    return open_sealed(with, at, bytes_of(about), what).value().has_value();
  };
  CHECK(opens(key, nonce, "about", sealed));
  CHECK_FALSE(opens(other_key, nonce, "about", sealed));
  CHECK_FALSE(opens(key, {1, 2, 4}, "about", sealed));
  CHECK_FALSE(opens(key, nonce, "abour", sealed));
  for (std::size_t i = 0; i != sealed.size(); ++i) {
    auto changed = sealed;
    changed[i] ^= 1;
    CHECK_FALSE(opens(key, nonce, "about", changed));
    CHECK_FALSE(opens(key, nonce, "about", std::span{sealed}.first(i)));
  }
  CHECK(::ERR_peek_error() == 0);
}

TEST_CASE("nothing can be sealed as well") {
  auto const key = key_of(std::vector<unsigned char>(cipher_key_size, 7));
  auto const sealed = seal(key, {}, {}, {}).value();
  CHECK(sealed.size() == cipher_tag_size);
  auto const opened = open_sealed(key, {}, {}, sealed).value();
  REQUIRE(opened);
  CHECK(opened->empty());
}

TEST_CASE("random bytes are not the same twice") {
  std::set<std::array<unsigned char, 12>> seen;
  for (auto i = 0; i != 100; ++i) {
    std::array<unsigned char, 12> drawn{};
    REQUIRE(fill_random(drawn).has_value());
    seen.insert(drawn);
  }
  CHECK(seen.size() == 100);
}
