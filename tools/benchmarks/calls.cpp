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
  // Asks `count` times, `inFlight` of them at a time, and counts what is refused with that code.
  // Whatever else goes wrong ends it.
  const askOften = (count, inFlight, refusal, ask) => {
    let sent = 0;
    let ended = 0;
    let refused = 0;
    return new Promise((resolve, reject) => {
      const next = () => {
        if (sent === count) return;
        const end = () => (++ended === count ? resolve({ refused }) : next());
        ask(sent++).then(end, error => {
          if (error.code !== refusal) return reject(error);
          refused++;
          end();
        });
      };
      for (let i = 0; i < inFlight; i++) next();
    });
  };

  const readings = {
    attachments: path => context.fs.readFile(path),
    // As context.fs does where no attachments were agreed on.
    base64: async path => {
      const { content } = await context.request('fs.readFile', { path, encoding: 'base64' });
      return Buffer.from(content, 'base64');
    },
  };

  context.commands.register('echo', args => args);
  context.commands.register('ask', ([{ requests, refusal, count, inFlight }]) =>
    askOften(count, inFlight, refusal, i => context.request(...requests[i % requests.length])));
  context.commands.register('read', ([{ path, bytes, how, count, inFlight }]) =>
    askOften(count, inFlight, null, async () => {
      const { length } = await readings[how](path);
      if (length !== bytes) throw new Error('these are not the bytes');
    }));
};
)";

/// Writes what a host needs to run that extension.
void write_files(scratch_folder const& folder) {
  folder.write("extension/package.json",
               R"({"name": "bench", "version": "1.0.0", "main": "main.js",
                   "bulkhead": {"permissions": ["fileSystem.read", "project.metadata"]}})");
  folder.write("extension/main.js", extension);
  folder.write("extension/data/file.txt", "x");
  folder.write("other/file.txt", "x");
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

/// How long the extension's command takes that asks the backend as often as the load says. The
/// times of the single calls are not taken.
outcome let_extension_ask(bench_runtime& on, load const& what, std::string const& command,
                          boost::json::object argument, std::size_t to_be_refused) {
  argument["count"] = what.calls;
  argument["inFlight"] = what.in_flight;
  boost::json::array arguments{std::move(argument)};
  auto const begin = round_clock::now();
  auto const told = on.host().async_command(command, std::move(arguments), 60s, use_future).get();
  auto const took = round_clock::now() - begin;
  auto const refused = told.at("refused").to_number<std::size_t>();
  if (refused != to_be_refused)
    throw std::runtime_error{std::to_string(refused) + " of " + std::to_string(what.calls) +
                             " requests were refused"};
  return {std::chrono::duration<double>{took}.count(), {}, {}};
}

/// Nine of one request and one of another, which is refused with that code.
void serve_requests(scratch_folder const& folder, json const& allowed, json const& refused,
                    std::string_view refusal) {
  bench_runtime on{folder};
  boost::json::array requests(9, allowed);
  requests.push_back(refused);
  serve_rounds(on.pid(), [&](load const& what) {
    return let_extension_ask(on, what, "ask", {{"requests", requests}, {"refusal", refusal}},
                             what.calls / requests.size());
  });
}

/// The content of a file, which is in the page cache.
void serve_readings(scratch_folder const& folder, std::string_view how) {
  bench_runtime on{folder};
  serve_rounds(on.pid(), [&](load const& what) {
    auto const file = folder.write("extension/data/bytes", std::string(what.bytes, '\xb5'));
    return let_extension_ask(on, what, "read",
                             {{"path", file.string()}, {"bytes", what.bytes}, {"how", how}}, 0);
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
    return serve_requests(folder, stat("extension/data/file.txt"), stat("other/file.txt"),
                          "path_denied");
  if (contender == "lookups")
    return serve_requests(folder, {"bench.lookup", nullptr}, {"bench.forbidden", nullptr},
                          "permission_denied");
  if (contender == "attachments" || contender == "base64")
    return serve_readings(folder, contender);
  throw std::invalid_argument{
      "usage: bench_calls floor|bare|files|lookups|attachments|base64|bulkhead [HOSTS]"};
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
