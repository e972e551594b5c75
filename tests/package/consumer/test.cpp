#include <bulkhead/testing.hpp>
#include <bulkhead/typed_actors.hpp>
#include <iostream>

int main() {
  bulkhead::testing::temporary_directory folder;
  std::cout << "a folder of its own: " << !folder.path().empty() << '\n';
}
