// One of those that tools/bench compares: calls of an extension's command in the same Node process
// through Bulkhead, through a client that one would write in an afternoon, or through Bulkhead's
// codec alone; and what the extension itself asks of Bulkhead.
//
//   echo '{"bytes": 100, "in_flight": 64, "calls": 50000}' | build/release/bin/bench_calls bulkhead

#include "bare_client.hpp"
#include "floor_client.hpp"
#include "node_host.hpp"
#include "rounds.hpp"
#include "scratch_folder.hpp"

#include <bulkhead/platform/embedded_file.hpp>
#include <bulkhead/runtime.hpp>

#include <boost/asio/use_future.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace bulkhead;
using namespace bulkhead::bench;
using namespace std::chrono_literals;
using boost::asio::use_future;

constexpr std::string_view extension = R"(
exports.activate = context => {
  context.commands.register('echo', args => args);

  // Makes `count` requests, `inFlight` of them open at a time, and counts the refused ones.
  context.commands.register('ask', ([{ requests, count, inFlight }]) => {
    let sent = 0;
    let ended = 0;
    let refused = 0;
    return new Promise(resolve => {
      const next = () => {
        if (sent === count) return;
        const [type, payload] = requests[sent++ % requests.length];
        const end = () => (++ended === count ? resolve({ refused }) : next());
        context.request(type, payload).then(end, () => {
          refused++;
          end();
        });
      };
      for (let i = 0; i < inFlight; i++) next();
    });
  });
};
)";

/// Writes what a host needs to run that extension.
void write_files(scratch_folder const& folder) {
  folder.write("extension/package.json",
               R"({"name": "bench", "version": "1.0.0", "main": "main.js",
                   "bulkhead": {"permissions": ["fileSystem.read", "project.metadata"]}})");
  folder.write("extension/main.js", extension);
  folder.write("extension/data/file.txt", "x");
  for (auto const& file : platform::node_runtime_files())
    folder.write("node/" + std::string{file.name}, file.content);
}

json echo_call(std::string const& text) {
  return {{"command", "echo"}, {"args", boost::json::array{text}}};
}

/// Runs the loop on this thread until the future is ready.
template <class T>
T run_until(boost::asio::io_context& loop, std::future<T> done) {
  while (done.wait_for(0s) != std::future_status::ready)
    if (loop.run_one() == 0)
      throw std::runtime_error{"the extension host ended"};
  return done.get();
}

/// A bare client's rounds; `send(client, type, payload, ended)` makes a request with it.
template <class Client, class Send>
void serve_client(scratch_folder const& folder, Send send) {
  boost::asio::io_context loop{1};
  auto host = start_node_host(folder.path());
  Client client{loop, std::move(host.socket)};
  std::promise<void> active;
  send(client, "activate-extension", boost::json::object{}, [&] { active.set_value(); });
  run_until(loop, active.get_future());
  serve_rounds(host.process.pid(), [&](load const& what) {
    std::string const text(what.bytes, 'x');
    driver calls{what, [&](auto ended) { send(client, "executeCommand", echo_call(text), ended); }};
    return run_until(loop, calls.start());
  });
  host.process.kill_tree();
}

void serve_floor(scratch_folder const& folder) {
  serve_client<floor_client>(
      folder, [](floor_client& client, std::string_view type, json asked, auto ended) {
        client.request(type, std::move(asked), [ended](json const&) { ended(); });
      });
}

void serve_bare(scratch_folder const& folder) {
  serve_client<bare_client>(
      folder, [](bare_client& client, std::string_view type, json const& asked, auto ended) {
        client.request(type, boost::json::serialize(asked), [ended](std::string_view) { ended(); });
      });
}

policy bench_policy(scratch_folder const& folder, int hosts) {
  std::string text = R"(
[runtime]
state_dir = "state"
log_level = "error"
[requests]
"bench.lookup" = "project.metadata"
)";
  for (int i = 0; i < hosts; ++i)
    text += "[hosts.bench" + std::to_string(i) + "]" + R"(
extension = "extension"
permissions = ["fileSystem.read", "project.metadata"]
filesystem.read = ["extension/data"]
limits.in_flight = 4096
rate_limit = { requests_per_second = 10_000_000, burst = 10_000_000 }
sandbox.require = "none"
)";
  return parse_policy(text, folder.path());
}

/// A runtime with so many of these hosts running.
class bench_runtime {
public:
  explicit bench_runtime(scratch_folder const& folder, int hosts = 1)
      : runtime_{bench_policy(folder, hosts)} {
    runtime_.on_request("bench.lookup", [](request const&) { return json(nullptr); });
    runtime_.start();
    for (auto& each : runtime_.hosts())
      each.async_start(use_future).get();
  }

  std::vector<host_handle> hosts() { return runtime_.hosts(); }
  host_handle host() { return runtime_.host("bench0"); }
  pid_t pid() { return host().status().pid; }
  boost::asio::io_context::executor_type executor() { return runtime_.loop_executor(); }

private:
  runtime runtime_;
};

/// The backend asks the extensions in turn; its callbacks run on the loop's thread.
void serve_bulkhead(scratch_folder const& folder, int count) {
  bench_runtime on{folder, count};
  auto hosts = on.hosts();
  serve_rounds(on.pid(), [&](load const& what) {
    std::string const text(what.bytes, 'x');
    std::size_t next = 0;
    driver calls{what, [&](auto ended) {
                   hosts[next++ % hosts.size()].async_request(
                       "executeCommand", echo_call(text), 30s,
                       [ended](std::exception_ptr const& failed, payload const&) {
                         if (failed)
                           std::rethrow_exception(failed);
                         ended();
                       });
                 }};
    std::promise<std::future<outcome>> started;
    boost::asio::post(on.executor(), [&] { started.set_value(calls.start()); });
    return started.get_future().get().get();
  });
}

/// The extension asks the backend for nine of one request and one of another, which is refused.
/// The times of the single calls are not taken.
void serve_extension(scratch_folder const& folder, json const& allowed, json const& refused) {
  bench_runtime on{folder};
  boost::json::array requests(9, allowed);
  requests.push_back(refused);
  serve_rounds(on.pid(), [&](load const& what) {
    boost::json::array arguments;
    arguments.emplace_back(boost::json::object{
        {"requests", requests}, {"count", what.calls}, {"inFlight", what.in_flight}});
    auto const begin = round_clock::now();
    auto const told = on.host().async_command("ask", std::move(arguments), 60s, use_future).get();
    auto const took = round_clock::now() - begin;
    auto const count = told.at("refused").to_number<std::size_t>();
    if (count != what.calls / requests.size())
      throw std::runtime_error{std::to_string(count) + " of " + std::to_string(what.calls) +
                               " requests were refused"};
    return outcome{std::chrono::duration<double>{took}.count(), 0, 0};
  });
}

void serve(std::string_view contender, int hosts) {
  scratch_folder const folder;
  write_files(folder);
  auto const stat = [&](char const* name) {
    return boost::json::array{"fs.stat", json{{"path", (folder.path() / name).string()}}};
  };
  if (contender == "floor")
    return serve_floor(folder);
  if (contender == "bare")
    return serve_bare(folder);
  if (contender == "bulkhead")
    return serve_bulkhead(folder, hosts);
  if (contender == "files")
    return serve_extension(folder, stat("extension/data/file.txt"), stat("other/file.txt"));
  if (contender == "lookups")
    return serve_extension(folder, {"bench.lookup", nullptr}, {"bench.forbidden", nullptr});
  throw std::invalid_argument{"usage: bench_calls floor|bare|files|lookups|bulkhead [HOSTS]"};
}

} // namespace

int main(int argc, char** argv) {
  try {
    serve(argc > 1 ? argv[1] : "", argc > 2 ? std::max(1, std::atoi(argv[2])) : 1);
    return EXIT_SUCCESS;
  } catch (std::exception const& failed) { // bulkhead::error: what happened, its code, what to do
    std::cerr << failed.what() << '\n';
    return EXIT_FAILURE;
  }
}
