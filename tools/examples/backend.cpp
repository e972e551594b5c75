// A backend that embeds Bulkhead: it runs the hosts of a policy, answers what their extensions ask,
// watches their events, and calls a command.
//
//   example_backend [POLICY]

#include <bulkhead/runtime.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <iostream>

namespace {

using namespace std::chrono_literals;

/// A handler is a coroutine of Asio's (or a plain function) and runs on the runtime's loop.
boost::asio::awaitable<bulkhead::json> show_message(bulkhead::request asked) {
  std::cout << asked.host() << " says: " << asked.payload().at("message").as_string().c_str()
            << std::endl;
  co_return bulkhead::json{{"shown", true}};
}

void greet(std::string const& policy_path) {
  bulkhead::runtime hosts{bulkhead::load_policy(policy_path)};

  // Which permission a request needs stands in the policy's [requests].
  hosts.on_request("window-show-message", show_message);
  hosts.on_event([](bulkhead::host_event const& event) { std::clog << to_string(event) << '\n'; });
  hosts.start();

  // Any completion token will do: use_future here, use_awaitable in a coroutine, or a callback.
  auto greeter = hosts.host("greeter");
  auto answer = greeter.async_command("greet", {"world"}, 10s, boost::asio::use_future).get();
  std::cout << "greeter answers: " << answer << std::endl;

  hosts.async_shutdown(boost::asio::use_future).get();
}

} // namespace

int main(int argc, char** argv) {
  try {
    greet(argc > 1 ? argv[1] : "tools/examples/greeter.toml");
    return 0;
  } catch (std::exception const& failed) { // bulkhead::error: what happened, its code, what to do
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
