#include "keyring_session.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/secret_service.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iterator>
#include <optional>

namespace {

using namespace std::chrono_literals;
using bulkhead::errc;
using bulkhead::error;
using bulkhead::platform::secret_name;
using bulkhead::platform::secret_scope;
using bulkhead::platform::secret_service;
using bulkhead::platform::secret_service_options;
using bulkhead::testing::keyring_session;

secret_scope const formatter{"demo", "formatter"};
secret_scope const linter{"demo", "linter"};
secret_name const token{formatter, "token"};

constexpr auto password = "pass";
constexpr auto value = "s3cr3t-value";

struct started_session : keyring_session {
  started_session() { start_keyring(password); }
};

std::optional<std::string> read(secret_service& secrets, secret_name const& name) {
  auto const found = secrets.get(name).value();
  return found ? std::optional{std::string{found->view()}} : std::nullopt;
}

std::size_t open_descriptors() {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{}));
}

/// Every operation fails with that code, with a remedy and without a word of what is secret.
void require_all_fail(secret_service& secrets, errc code) {
  auto const require_failure = [&](auto const& result) {
    REQUIRE(result.has_error());
    error const failed = result.error();
    CHECK(failed.code() == code);
    CHECK_FALSE(failed.remedy().empty());
    auto const text = std::string{failed.what()} + failed.detail() + failed.remedy();
    CHECK(text.find(value) == text.npos);
    CHECK(text.find(token.key) == text.npos);
  };
  require_failure(secrets.get(token));
  require_failure(secrets.set(token, value));
  require_failure(secrets.remove(token));
  require_failure(secrets.list(formatter));
  require_failure(secrets.remove_all(formatter));
  auto const usable = secrets.probe();
  REQUIRE(usable.has_error());
  CHECK(usable.error().code() == errc::keyring_unusable);
}

} // namespace

TEST_CASE("a keyring keeps secrets, replaces them and lists their keys in order") {
  started_session session;
  secret_service secrets{session.bus_address()};
  REQUIRE(secrets.probe().has_value());
  CHECK(read(secrets, token) == std::nullopt);
  REQUIRE(secrets.set(token, value).has_value());
  REQUIRE(secrets.set({formatter, "a key of ours"}, "other").has_value());
  CHECK(read(secrets, token) == value);
  REQUIRE(secrets.set(token, "new").has_value());
  CHECK(read(secrets, token) == "new");
  CHECK(secrets.list(formatter).value() == std::vector<std::string>{"a key of ours", "token"});
  CHECK(session.count_items({{"xdg:schema", "org.bulkhead.Secret"},
                             {"runtime", "demo"},
                             {"host", "formatter"},
                             {"key", "token"}}) == 1);
}

TEST_CASE("a keyring gives back any bytes up to the longest value") {
  started_session session;
  secret_service secrets{session.bus_address()};
  using namespace std::string_literals;
  auto longest = std::string(bulkhead::platform::max_secret_value, '\0');
  for (std::size_t i = 0; i != longest.size(); ++i)
    longest[i] = static_cast<char>(i * 7);
  for (auto const& any : {""s, "a\0b"s, "\xff\xfe line\n"s, longest}) {
    REQUIRE(secrets.set(token, any).has_value());
    CHECK(read(secrets, token) == any);
  }
  auto const refused = secrets.set(token, longest + "x");
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::secret_too_large);
}

TEST_CASE("what is removed from a keyring is gone from the service itself") {
  started_session session;
  secret_service secrets{session.bus_address()};
  REQUIRE(secrets.set(token, value).has_value());
  REQUIRE(secrets.set({formatter, "second"}, value).has_value());
  REQUIRE(secrets.set({linter, "token"}, "linter's").has_value());
  CHECK(secrets.remove(token).value());
  CHECK_FALSE(secrets.remove(token).value());
  CHECK(session.count_items({{"host", "formatter"}, {"key", "token"}}) == 0);
  CHECK(secrets.remove_all(formatter).value() == 1);
  CHECK(session.count_items({{"host", "formatter"}}) == 0);
  CHECK(secrets.list(formatter).value().empty());
  CHECK(read(secrets, {linter, "token"}) == "linter's");
}

TEST_CASE("no choice of host and key reaches another host's secrets in a keyring") {
  started_session session;
  secret_service secrets{session.bus_address()};
  REQUIRE(secrets.set({{"r", "a"}, "b/c"}, "1").has_value());
  REQUIRE(secrets.set({{"r", "a/b"}, "c"}, "2").has_value());
  REQUIRE(secrets.set({{"r", "a.b"}, "*"}, "3").has_value());
  CHECK(read(secrets, {{"r", "a"}, "b/c"}) == "1");
  CHECK(read(secrets, {{"r", "a/b"}, "c"}) == "2");
  CHECK(secrets.list({"r", "a"}).value() == std::vector<std::string>{"b/c"});
  CHECK(secrets.list({"r", "*"}).value().empty());
  CHECK(secrets.list({"other", "a"}).value().empty());
}

TEST_CASE("a keyring's scope holds no more keys than its limit, and old ones can be replaced") {
  started_session session;
  secret_service_options options;
  options.limits.keys = 2;
  secret_service secrets{session.bus_address(), options};
  REQUIRE(secrets.set({formatter, "1"}, value).has_value());
  REQUIRE(secrets.set({formatter, "2"}, value).has_value());
  auto const refused = secrets.set({formatter, "3"}, value);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::limit_exceeded);
  CHECK(secrets.set({formatter, "2"}, "new").has_value());
  CHECK(secrets.set({linter, "3"}, value).has_value());
}

TEST_CASE("a keyring that is killed is unavailable, and its secrets are there when it is back") {
  started_session session;
  secret_service secrets{session.bus_address()};
  REQUIRE(secrets.set(token, value).has_value());
  session.kill_keyring();
  require_all_fail(secrets, errc::secrets_unavailable);
  session.start_keyring(password);
  CHECK(read(secrets, token) == value);
}

TEST_CASE("a locked keyring is unavailable, and nobody is asked to unlock it") {
  started_session session;
  secret_service secrets{session.bus_address()};
  REQUIRE(secrets.set(token, value).has_value());
  session.lock_keyring();
  require_all_fail(secrets, errc::secrets_unavailable);
  CHECK(secrets.get(token).error().detail() == "the keyring is locked");
}

TEST_CASE("a keyring started with another password shows no secret") {
  started_session session;
  secret_service secrets{session.bus_address()};
  REQUIRE(secrets.set(token, value).has_value());
  session.kill_keyring();
  session.start_keyring("not the password");
  require_all_fail(secrets, errc::secrets_unavailable);
}

TEST_CASE("a bus without a secret service, and no bus at all, are unavailable") {
  std::string left;
  {
    keyring_session session;
    secret_service secrets{session.bus_address()};
    require_all_fail(secrets, errc::secrets_unavailable);
    left = session.bus_address();
  }
  secret_service gone{left};
  require_all_fail(gone, errc::secrets_unavailable);
  secret_service none{""};
  require_all_fail(none, errc::secrets_unavailable);
}

TEST_CASE("a keyring or a bus that hangs costs a bounded time, and serves when it goes on") {
  started_session session;
  secret_service patient{session.bus_address()};
  REQUIRE(patient.set(token, value).has_value());
  secret_service_options hasty_options;
  hasty_options.patience = 50ms;
  secret_service hasty{session.bus_address(), hasty_options};

  session.signal_keyring(SIGSTOP);
  require_all_fail(hasty, errc::secrets_unavailable);
  session.signal_keyring(SIGCONT);
  CHECK(read(patient, token) == value);

  session.signal_bus(SIGSTOP);
  require_all_fail(hasty, errc::secrets_unavailable);
  session.signal_bus(SIGCONT);
  CHECK(read(patient, token) == value);
}

TEST_CASE("several threads use a keyring at once") {
  started_session session;
  secret_service secrets{session.bus_address()};
  auto const work = [&](int number) {
    secret_name const own{formatter, "key " + std::to_string(number)};
    for (auto round = 0; round != 5; ++round) {
      auto const written = std::to_string(number) + ':' + std::to_string(round);
      if (!secrets.set(own, written) || read(secrets, own) != written)
        return false;
    }
    return true;
  };
  std::array<std::future<bool>, 4> threads;
  for (auto i = 0; i != 4; ++i)
    threads[static_cast<std::size_t>(i)] = std::async(std::launch::async, work, i);
  for (auto& thread : threads)
    CHECK(thread.get());
  CHECK(secrets.list(formatter).value().size() == 4);
}

TEST_CASE("operations on a keyring leave no descriptor open") {
  started_session session;
  secret_service secrets{session.bus_address()};
  REQUIRE(secrets.set(token, value).has_value());
  auto const before = open_descriptors();
  for (auto i = 0; i != 20; ++i)
    REQUIRE(read(secrets, token) == value);
  // GLib closes a connection on its own thread, soon after its last use.
  CHECK(open_descriptors() <= before + 10);
}

TEST_CASE("the session's bus is the one that the environment names") {
  struct variable {
    variable(char const* called, std::optional<std::string> const& wanted)
        : name{called} {
      if (auto const* const set = std::getenv(called))
        before = set;
      become(wanted);
    }
    ~variable() { become(before); }
    void become(std::optional<std::string> const& wanted) const {
      if (wanted)
        ::setenv(name, wanted->c_str(), 1);
      else
        ::unsetenv(name);
    }
    char const* name;
    std::optional<std::string> before;
  };
  using bulkhead::platform::session_bus_address;
  variable const address{"DBUS_SESSION_BUS_ADDRESS", "unix:path=/some/bus"};
  variable const runtime{"XDG_RUNTIME_DIR", "/run/user/7,8"};
  CHECK(session_bus_address() == "unix:path=/some/bus");
  address.become(std::nullopt);
  CHECK(session_bus_address() == "unix:path=/run/user/7%2C8/bus");
  runtime.become(std::nullopt);
  CHECK(session_bus_address().empty());
}
