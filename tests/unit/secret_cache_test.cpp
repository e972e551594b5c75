#include <bulkhead/actors/secret_cache.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;
using namespace std::chrono_literals;
using platform::secret_bytes;
using platform::secret_name;

namespace {

secret_cache::clock::time_point const noon{12h};
secret_name const token{{"runtime", "host"}, "token"};

} // namespace

TEST_CASE("a cached secret is found until its time is over") {
  secret_cache cache{5min};
  CHECK_FALSE(cache.find(token, noon).has_value());
  cache.put(token, secret_bytes{"value"}, noon);
  auto const found = cache.find(token, noon + 5min - 1ns);
  REQUIRE(found.has_value());
  CHECK(found->view() == "value");
  CHECK_FALSE(cache.find(token, noon + 5min).has_value());
}

TEST_CASE("a cached secret is found by its own host only") {
  secret_cache cache{5min};
  cache.put(token, secret_bytes{"value"}, noon);
  CHECK_FALSE(cache.find({{"runtime", "other"}, "token"}, noon).has_value());
  CHECK_FALSE(cache.find({{"other", "host"}, "token"}, noon).has_value());
}

TEST_CASE("what was forgotten is cached no more, and other hosts' secrets stay") {
  secret_cache cache{5min};
  secret_name const other{{"runtime", "other"}, "token"};
  cache.put(token, secret_bytes{"value"}, noon);
  cache.put(other, secret_bytes{"another"}, noon);
  cache.forget(token.scope);
  CHECK_FALSE(cache.find(token, noon).has_value());
  CHECK(cache.find(other, noon).has_value());
  cache.forget(other);
  CHECK_FALSE(cache.find(other, noon).has_value());
}

TEST_CASE("with no time to live nothing is cached") {
  secret_cache cache{0ms};
  cache.put(token, secret_bytes{"value"}, noon);
  CHECK_FALSE(cache.find(token, noon).has_value());
}
