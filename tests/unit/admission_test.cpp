#include <bulkhead/actors/ipc_connection.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/permission_guard.hpp>
#include <bulkhead/actors/rate_limiter.hpp>
#include <bulkhead/actors/request_router.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/harness/catch2.hpp>
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

/// Stands before a limiter: counts what comes to be decided on, and ends with it.
rate_limiter_actor::behavior_type before_limiter(rate_limiter_actor::pointer self,
                                                 rate_limiter_actor const& limiter,
                                                 std::size_t* messages) {
  self->link_to(limiter);
  return {[](rules_atom, access_rules_ptr const&) {}, [](revoke_atom, std::string const&) {},
          [=](admit_atom, inbound_batch_ptr& batch, ipc_connection_actor const& connection) {
            ++*messages;
            self->send(limiter, admit_atom::value, std::move(batch), connection);
          }};
}

/// The same for a guard.
permission_guard_actor::behavior_type before_guard(permission_guard_actor::pointer self,
                                                   permission_guard_actor const& guard,
                                                   std::size_t* messages) {
  self->link_to(guard);
  return {[](rules_atom, access_rules_ptr const&) {},
          [](grant_atom, std::string const&, std::uint64_t) {},
          [](revoke_atom, std::string const&) {},
          [=](admit_atom, inbound_batch_ptr& batch, ipc_connection_actor const& connection) {
            ++*messages;
            self->send(guard, admit_atom::value, std::move(batch), connection);
          }};
}

/// A connection with its limiter and guard, and the host's end of its socket. Its host may ask for
/// "work", which nobody handles: what is admitted is answered with unsupported_request.
struct admission {
  admission() {
    link = std::make_shared<host_link>(
        host_link::surroundings{on, rules.hosts.front(), record, router, scratch});
    link->set_supervisor([](host_signal const&) {});
    connection = on.system().spawn(ipc_connection, link,
                                   on.system().spawn(before_limiter, limiter, &to_limiter), guard);
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

  static std::string frame_of(std::string_view id, std::string_view type,
                              std::string_view payload) {
    auto const body = R"({"id":")" + std::string{id} + R"(","type":")" + std::string{type} +
                      R"(","payload":)" + std::string{payload} + "}";
    return std::string{{'\0', '\0', '\0', static_cast<char>(body.size())}} + body;
  }
  void write(std::string_view bytes) const {
    auto const sent = platform::write_some(sockets.theirs.get(), std::span{&bytes, 1});
    REQUIRE(sent.bytes == bytes.size());
  }
  void tell(std::string_view id, std::string_view type, std::string_view payload) const {
    write(frame_of(id, type, payload));
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

  // Messages with what is to be decided on.
  std::size_t to_limiter = 0;
  std::size_t to_guard = 0;
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
  rate_limiter_actor limiter =
      on.system().spawn(rate_limiter, on.system().spawn(before_guard, guard, &to_guard), access);
  std::shared_ptr<host_link> link;
  ipc_connection_actor connection;
  std::string heard;
};

} // namespace

TEST_CASE("a request that limiter and guard let pass reaches who handles it") {
  admission x;
  CHECK(x.ask().find("unsupported_request") != std::string::npos);
}

TEST_CASE("limiter and guard get one message for all requests of one read") {
  admission x;
  std::string stream;
  for (int id = 1; id <= 64; ++id)
    stream += admission::frame_of(std::to_string(id), "work", "{}");
  x.write(stream);
  CHECK(x.run_until([&] { return x.heard.find(R"("id":"64")") != std::string::npos; }));
  CHECK(x.to_limiter == 1);
  CHECK(x.to_guard == 1);
}

TEST_CASE("without the guard everything is denied") {
  admission x;
  CHECK(x.is_denied_after_the_end_of(x.guard));
}

TEST_CASE("without the limiter everything is denied") {
  admission x;
  CHECK(x.is_denied_after_the_end_of(x.limiter));
}
