#include <bulkhead/runtime.hpp>
#include <iostream>

int main(int, char** argv) {
  try {
    bulkhead::runtime runtime{bulkhead::load_policy(argv[1])};
    std::cout << runtime.hosts().size() << " host\n";
  } catch (std::exception const& failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
