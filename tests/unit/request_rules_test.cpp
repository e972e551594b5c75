#include <bulkhead/config/request_rules.hpp>
#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;

namespace {

request_rules const rules{{{"openDocument", permission::ui_dialogs}}};

permission_set holding(permission p) {
  permission_set set;
  set.insert(p);
  return set;
}

} // namespace

TEST_CASE("a request of the embedder's needs the permission that the policy names") {
  CHECK(rules.decide("openDocument", holding(permission::ui_dialogs)).allowed);
  auto const denied = rules.decide("openDocument", holding(permission::ui_notifications));
  CHECK(!denied.allowed);
  CHECK(denied.missing == permission::ui_dialogs);
}

TEST_CASE("a type that nobody names is denied, whatever is held") {
  auto const everything = permission_set::from_bits(~std::uint64_t{0});
  for (auto const* type : {"unnamed", "", "opendocument", "openDocument ", "__proto__"}) {
    auto const decision = rules.decide(type, everything);
    CHECK(!decision.allowed);
    CHECK(!decision.missing);
  }
}

TEST_CASE("a type of the protocol's own needs what the protocol says") {
  for (auto const& served : served_requests()) {
    INFO(served.type);
    CHECK(rules.decide(served.type, {}).allowed == !served.needs.has_value());
    CHECK(rules.decide(served.type, {}).missing == served.needs);
    if (served.needs)
      CHECK(rules.decide(served.type, holding(*served.needs)).allowed);
  }
}

TEST_CASE("a policy can't loosen what the protocol says of a type") {
  request_rules const loosened{{{"fs.writeFile", permission::ui_dialogs}}};
  CHECK(!loosened.decide("fs.writeFile", holding(permission::ui_dialogs)).allowed);
}
