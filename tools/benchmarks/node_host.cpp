#include "node_host.hpp"

#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/process.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <string>
#include <utility>

namespace bulkhead::bench {

node_host start_node_host(std::filesystem::path const& folder) {
  constexpr int child_number = 3;
  auto ends = platform::make_socketpair().value();
  platform::process_spec spec;
  spec.program = platform::find_node(platform::environment_search_path()).value();
  spec.arguments = {(folder / "node/bootstrap.js").string(), (folder / "extension").string()};
  spec.environment = {{"BULKHEAD_IPC_FD", std::to_string(child_number)}};
  spec.inherited = {{child_number, ends.theirs.get()}};
  auto process = platform::spawn(spec).value();
  return {std::move(process), std::move(ends.ours)};
}

} // namespace bulkhead::bench
