#include <bulkhead/testing.hpp>
#include <bulkhead/typed_actors.hpp>
#include <iostream>

int main() {
  bulkhead::testing::temporary_directory folder;
  std::cout << "a folder of its own: " << !folder.path().empty() << '\n';
  auto const rules =
      bulkhead::testing::policy_of({bulkhead::testing::node_host("one", folder.path())});
  auto const report = bulkhead::testing::attack(rules, "one");
  std::cout << "attacks get through without containment: " << !report.got_through().empty() << '\n';
}
