#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/host_state.hpp>

#include <array>
#include <string>

using namespace bulkhead;

TEST_CASE("the life cycle has exactly the documented edges") {
  // One row a state to leave, one column a state to enter, both in the order of all_host_states.
  // clang-format off
  static constexpr std::array<std::string_view, 7> legal{
      //              Sto Sta Run Unh Res Sti Cra
      /* Stopped    */ "  -   x   -   -   -   x   -  ",
      /* Starting   */ "  -   -   x   x   -   x   x  ",
      /* Running    */ "  -   -   -   x   -   x   -  ",
      /* Unhealthy  */ "  -   -   -   -   x   x   x  ",
      /* Restarting */ "  -   x   -   -   -   x   -  ",
      /* Stopping   */ "  x   -   -   -   -   x   -  ",
      /* Crashed    */ "  -   x   -   -   -   x   -  ",
  };
  // clang-format on
  for (std::size_t from = 0; from < legal.size(); ++from)
    for (std::size_t to = 0; to < legal.size(); ++to) {
      INFO(to_string(all_host_states[from]) << " to " << to_string(all_host_states[to]));
      CHECK(is_legal_transition(all_host_states[from], all_host_states[to]) ==
            (legal[from][2 + 4 * to] == 'x'));
    }
}

TEST_CASE("the numbers and names of states never change") {
  using enum host_state;
  struct pinned {
    host_state state;
    int number;
    std::string_view name;
  };
  static constexpr std::array pins{
      pinned{Stopped, 0, "Stopped"},       pinned{Starting, 1, "Starting"},
      pinned{Running, 2, "Running"},       pinned{Unhealthy, 3, "Unhealthy"},
      pinned{Restarting, 4, "Restarting"}, pinned{Stopping, 5, "Stopping"},
      pinned{Crashed, 6, "Crashed"},
  };
  REQUIRE(all_host_states.size() == pins.size());
  for (std::size_t i = 0; i < pins.size(); ++i) {
    CHECK(all_host_states[i] == pins[i].state);
    CHECK(static_cast<int>(pins[i].state) == pins[i].number);
    CHECK(to_string(pins[i].state) == pins[i].name);
    CHECK(host_state_from_string(pins[i].name) == pins[i].state);
  }
}

TEST_CASE("what is no state has no name, and what is no name has no state") {
  CHECK(to_string(static_cast<host_state>(7)) == "?");
  CHECK(to_string(static_cast<host_state>(255)) == "?");
  for (auto const* name : {"", "?", "running", "RUNNING", "Running ", "Run"})
    CHECK_FALSE(host_state_from_string(name).has_value());
}
