#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/payload.hpp>

#include <sstream>

using namespace bulkhead;

TEST_CASE("a payload is null unless it is given") {
  CHECK(payload{}.text() == "null");
  CHECK(payload{}.value().is_null());
}

TEST_CASE("a payload keeps its text as it came") {
  payload const given{std::string{R"({ "a" : 1.0 })"}};
  CHECK(given.value().at("a").as_double() == 1.0);
  CHECK(given.text() == R"({ "a" : 1.0 })");
  std::ostringstream out;
  out << given;
  CHECK(out.str() == given.text());
}

TEST_CASE("a payload of a value is its text") {
  CHECK(payload{json{{"a", {1, 2}}}}.text() == R"({"a":[1,2]})");
}

TEST_CASE("a payload as deep as the protocol allows is parsed") {
  std::string const deep = std::string(63, '[') + std::string(63, ']');
  CHECK(payload{deep}.value().is_array());
}
