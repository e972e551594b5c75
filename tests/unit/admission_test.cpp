#include <bulkhead/actors/ipc_connection.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/permission_guard.hpp>
#include <bulkhead/actors/rate_limiter.hpp>
#include <bulkhead/actors/request_router.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <boost/asio/io_context.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/logger.h>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

audit_log_actor::behavior_type forgetful(audit_log_actor::pointer) {
  return {[](record_atom, audit_records const&) {},
          [](admit_atom, inbound_batch_ptr const&, audit_records const&,
             ipc_connection_actor const&) {}};
}

/// A connection with its limiter and guard, and the host's end of its socket. Its host may ask for
/// "work", which nobody handles: what is admitted is answered with unsupported_request.
struct admission {
  admission() {
    link = std::make_shared<host_link>(
        host_link::surroundings{on, rules.hosts.front(), record, router, scratch});
    link->set_supervisor([](host_signal const&) {});
    connection = on.system().spawn(ipc_connection, link, limiter, guard);
    caf::anon_send(guard, grant_atom::value, std::string{"x"}, ~std::uint64_t{0});
    link->attach(1, {std::move(sockets.ours), {}});
    tell("1", "extension-host-ready", R"({"ready":true})");
    REQUIRE(run_until([&] { return heard.find("response") != std::string::npos; }));
    link->open();
    heard.clear();
  }
  ~admission() {
    link->detach(reason::requested, {});
    on.stop(); // the actors use what is declared behind it
  }

  void tell(std::string_view id, std::string_view type, std::string_view payload) const {
    wire::outbound_buffer out;
    auto const body = R"({"id":")" + std::string{id} + R"(","type":")" + std::string{type} +
                      R"(","payload":)" + std::string{payload} + "}";
    std::array const prefix{'\0', '\0', '\0', static_cast<char>(body.size())};
    out.append({prefix.data(), prefix.size()});
    out.append(body);
    auto const bytes = out.view();
    auto const sent = platform::write_some(sockets.theirs.get(), std::span{&bytes, 1});
    REQUIRE(sent.bytes == out.size());
  }

  /// The answer to one request for "work".
  std::string ask() {
    heard.clear();
    tell("7", "work", "{}");
    REQUIRE(run_until([&] { return heard.find("work-error") != std::string::npos; }));
    return heard;
  }

  /// Runs the loop until it is so. False: it was not within ten seconds.
  bool run_until(std::function<bool()> const& so) {
    for (deadline const by{10s}; !so(); hear()) {
      if (by.has_passed(deadline::clock::now()))
        return false;
      context.restart();
      context.run_one_for(10ms);
    }
    return true;
  }
  void hear() {
    std::array<char, 4096> bytes;
    auto const got =
        platform::read_some(sockets.theirs.get(), std::as_writable_bytes(std::span{bytes}));
    if (got.status == platform::io_status::done)
      heard.append(bytes.data(), got.bytes);
  }

  /// Ends an actor, and asks until the answer is a denial. False: none was within ten seconds.
  template <class Actor>
  bool is_denied_after_the_end_of(Actor const& one) {
    caf::anon_send_exit(one, caf::exit_reason::kill);
    auto id = 100;
    return run_until([&] {
      tell(std::to_string(++id), "work", "{}");
      return heard.find("permission_denied") != std::string::npos;
    });
  }

  policy rules = parse_policy("[hosts.x]\ncommand = [\"x\"]\nruntime = \"command\"\n"
                              "permissions = [\"ui.dialogs\"]\nsandbox.require = \"none\"\n"
                              "[requests]\nwork = \"ui.dialogs\"",
                              "/base");
  boost::asio::io_context context{1};
  loop on{context};
  std::shared_ptr<access_rules const> access = access_rules::compile(rules, "/run/x").value();
  std::vector<char> scratch = std::vector<char>(65536);
  host_record record{"x"};
  request_router router{on, std::make_shared<spdlog::logger>("quiet")};
  platform::socket_pair sockets = platform::make_socketpair().value();
  audit_log_actor audit = on.system().spawn(forgetful);
  permission_guard_actor guard =
      on.system().spawn(permission_guard, access, guard_auditing{audit, {}, false});
  rate_limiter_actor limiter = on.system().spawn(rate_limiter, guard, access);
  std::shared_ptr<host_link> link;
  ipc_connection_actor connection;
  std::string heard;
};

} // namespace

TEST_CASE("a request that limiter and guard let pass reaches who handles it") {
  admission x;
  CHECK(x.ask().find("unsupported_request") != std::string::npos);
}

TEST_CASE("without the guard everything is denied") {
  admission x;
  CHECK(x.is_denied_after_the_end_of(x.guard));
}

TEST_CASE("without the limiter everything is denied") {
  admission x;
  CHECK(x.is_denied_after_the_end_of(x.limiter));
}
