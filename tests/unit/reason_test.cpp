#include "described_codes.hpp"

#include <bulkhead/messages/reason.hpp>

#include <set>
#include <string>

using namespace bulkhead;
using namespace described_codes;

namespace {

// Written out once more: whoever changes a number or a name breaks those who stored it.
constexpr pinned pins[] = {
    {0, "none"},
    {4100, "requested"},
    {4101, "clean_exit"},
    {4102, "exit_code"},
    {4103, "signal"},
    {4104, "out_of_memory"},
    {4105, "hung"},
    {4106, "start_timeout"},
    {4107, "restart_budget_spent"},
    {4108, "launch_failed"},
    {4109, "protocol_violation"},
    {4110, "limit_exceeded"},
    {4111, "integrity_failure"},
    {4112, "sandbox_failure"},
    {4113, "connection_closed"},
    {4114, "ready"},
    {4115, "backoff"},
    {4116, "group_restart"},
    {4117, "group_stopped"},
};

} // namespace

TEST_CASE("the numbers and names of reasons never change") {
  check_are(all_reasons(), pins);
}

TEST_CASE("every reason has its own name and number, and a sentence") {
  check_are_told_apart(all_reasons(), -1);
}

TEST_CASE("a number that is no reason is described as none") {
  CHECK(to_string(static_cast<reason>(1)) == "none");
  CHECK(to_string(static_cast<reason>(65535)) == "none");
}

TEST_CASE("a restart is no help where the same start would fail the same way") {
  std::set<std::string_view> hopeless;
  for (auto const& described : all_reasons())
    if (!allows_restart(described.code))
      hopeless.insert(described.name);
  CHECK(hopeless == std::set<std::string_view>{"requested", "restart_budget_spent", "launch_failed",
                                               "integrity_failure", "sandbox_failure"});
}
