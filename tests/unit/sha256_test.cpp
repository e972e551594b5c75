#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/sha256.hpp>

#include <utility>

using bulkhead::platform::sha256;
using bulkhead::platform::to_hex;

// The examples of FIPS 180-2, appendix B.
TEST_CASE("digests are those of the standard's examples", "[sha256]") {
  sha256 hasher;
  CHECK(to_hex(hasher.digest_of("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(to_hex(hasher.digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(to_hex(hasher.digest_of(std::string(1'000'000, 'a'))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(to_hex(hasher.digest_of("")) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("the digest is the same however the bytes are split", "[sha256]") {
  auto const text = std::string(200, 'x') + '\0' + "\xff end";
  sha256 hasher;
  auto const whole = hasher.digest_of(text);
  for (std::size_t at = 0; at <= text.size(); ++at) {
    hasher.update(std::string_view{text}.substr(0, at));
    hasher.update(std::string_view{text}.substr(at));
    REQUIRE(hasher.finish() == whole);
  }
}

TEST_CASE("a moved hasher goes on with what was begun", "[sha256]") {
  sha256 first;
  first.update("a");
  sha256 second{std::move(first)};
  second.update("bc");
  CHECK(second.finish() == sha256{}.digest_of("abc"));
}
