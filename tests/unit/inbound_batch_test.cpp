#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/inbound_batch.hpp>

#include <string>

using namespace bulkhead;

TEST_CASE("a batch owns the bytes of its requests") {
  inbound_batch batch{"host", 3};
  {
    std::string const id = "an id that is longer than any small string";
    std::string const payload = R"({"n":1})";
    batch.add(id, id, "work", "work", payload);
    batch.add("\\u0061", "a", "t\\u0061", "ta", "null");
  }
  CHECK(batch.host() == "host");
  CHECK(batch.generation() == 3);
  REQUIRE(batch.size() == 2);
  CHECK(batch.id(0) == "an id that is longer than any small string");
  CHECK(batch.raw_id(0) == batch.id(0));
  CHECK(batch.type(0) == "work");
  CHECK(batch.payload(0) == R"({"n":1})");
  CHECK(batch.raw_id(1) == "\\u0061");
  CHECK(batch.id(1) == "a");
  CHECK(batch.raw_type(1) == "t\\u0061");
  CHECK(batch.type(1) == "ta");
  CHECK(batch.payload(1) == "null");
}

TEST_CASE("what nobody decided about is not admitted") {
  inbound_batch batch{"host", 1};
  for (int i = 0; i < 4; ++i)
    batch.add("1", "1", "work", "work", "{}");
  batch.decide(1, verdict::admitted);
  batch.lacks(2, "clipboard.read");
  batch.limit(3, 17);
  CHECK(batch.decision(0) == verdict::undecided);
  CHECK(batch.decision(1) == verdict::admitted);
  CHECK(batch.decision(2) == verdict::permission_denied);
  CHECK(batch.missing(2) == "clipboard.read");
  CHECK(batch.decision(3) == verdict::rate_limited);
  CHECK(batch.retry_after_ms(3) == 17);
}

TEST_CASE("the checked paths of a request are kept beside its payload") {
  inbound_batch batch{"host", 1};
  batch.add("1", "1", "fs.rename", "fs.rename", R"({"from":"a/../b","to":"c"})");
  batch.add("2", "2", "work", "work", "{}");
  batch.set_path(0, 0, "/w/b");
  batch.set_path(0, 1, "/w/c");
  CHECK(batch.path(0, 0) == "/w/b");
  CHECK(batch.path(0, 1) == "/w/c");
  CHECK(batch.path(1, 0).empty());
  CHECK(batch.payload(0) == R"({"from":"a/../b","to":"c"})");
  CHECK(batch.payload(1) == "{}");
}

TEST_CASE("an attachment is kept with its request and not copied") {
  auto const bytes = shared_bytes::copy_of("bytes");
  inbound_batch batch{"host", 1};
  batch.add("1", "1", "fs.writeFile", "fs.writeFile", "{}", {}, bytes);
  batch.add("2", "2", "fs.writeFile", "fs.writeFile", "{}", {}, shared_bytes{});
  batch.add("3", "3", "work", "work", "{}");
  REQUIRE(batch.attachment(0));
  CHECK(batch.attachment(0)->view().data() == bytes.view().data());
  REQUIRE(batch.attachment(1));
  CHECK(batch.attachment(1)->empty());
  CHECK_FALSE(batch.attachment(2));
}
