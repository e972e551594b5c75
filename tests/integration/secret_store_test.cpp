#include "service_hosts.hpp"
#include "shared/text.hpp"

#include <bulkhead/platform/vault.hpp>
#include <bulkhead/platform/vault_key.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

using namespace bulkhead;
using namespace bulkhead::testing;
using boost::json::object;
using test_hosts::tell;
using test_hosts::told;
namespace disk = std::filesystem;

namespace {

constexpr std::string_view passphrase = "correct horse battery staple";
/// What must be found nowhere.
constexpr std::string_view value = "s3cr3t-value-of-the-test";

host_policy secrets_host(std::string id) {
  auto host = node_host(std::move(id), test_hosts::folder / "extensions/secrets");
  host.permissions.insert(permission::secrets_read);
  host.permissions.insert(permission::secrets_write);
  host.rate_limit = {100'000, 100'000, {}};
  return host;
}

template <class... Arguments>
told secrets(harness& run, std::string_view host, Arguments&&... arguments) {
  boost::json::array all;
  (all.push_back(json(std::forward<Arguments>(arguments))), ...);
  return tell(run, host, "secrets", std::move(all));
}

/// A folder with a passphrase that only its owner can read, and a policy whose vault is there.
struct vault_place : temporary_directory {
  vault_place() { write_passphrase(passphrase); }

  void write_passphrase(std::string_view text) const {
    disk::permissions(write("passphrase", text),
                      disk::perms::owner_read | disk::perms::owner_write);
  }
  policy rules(std::vector<host_policy> hosts) const {
    auto what = policy_of(std::move(hosts));
    what.secrets.backend = secret_backend_kind::vault;
    what.secrets.vault = file();
    what.secrets.passphrase_file = path() / "passphrase";
    what.audit.file = path() / "audit.jsonl";
    return what;
  }
  disk::path file() const { return path() / "vault"; }
};

policy in_memory(std::vector<host_policy> hosts) {
  auto what = policy_of(std::move(hosts));
  what.secrets.backend = secret_backend_kind::memory;
  return what;
}

void keeps_secrets(harness& run) {
  CHECK(secrets(run, "one", "get", "token").value.is_null());
  CHECK(secrets(run, "one", "list").value == json(boost::json::array{}));
  REQUIRE(secrets(run, "one", "set", "token", value).code.empty());
  REQUIRE(secrets(run, "one", "set", "other", "").code.empty());
  CHECK(secrets(run, "one", "get", "token").value == json(value));
  CHECK(secrets(run, "one", "get", "other").value == json(""));
  CHECK(secrets(run, "one", "set", "token", "second").code.empty());
  CHECK(secrets(run, "one", "get", "token").value == json("second"));
  auto const keys = secrets(run, "one", "list").value.as_array();
  CHECK(std::set<std::string>{std::string{keys.at(0).as_string()},
                              std::string{keys.at(1).as_string()}} ==
        std::set<std::string>{"other", "token"});
  CHECK(secrets(run, "one", "delete", "token").value == json(true));
  CHECK(secrets(run, "one", "delete", "token").value == json(false));
  CHECK(secrets(run, "one", "get", "token").value.is_null());
}

void keeps_hosts_apart(harness& run) {
  // Both run the same extension and use the same key.
  REQUIRE(secrets(run, "one", "set", "token", value).code.empty());
  CHECK(secrets(run, "two", "get", "token").value.is_null());
  CHECK(secrets(run, "two", "list").value == json(boost::json::array{}));
  CHECK(secrets(run, "two", "delete", "token").value == json(false));
  for (auto const* name : {"host", "extensionId", "extension", "runtime", "scope"}) {
    INFO(name);
    object asked{{"key", "token"}};
    asked[name] = "one";
    CHECK(tell(run, "two", "request", {"secretGet", asked}).value == json{{"value", nullptr}});
    asked["value"] = "mine";
    CHECK(tell(run, "two", "request", {"secretStore", asked}).code.empty());
    CHECK(secrets(run, "two", "get", "token").value == json("mine"));
    CHECK(secrets(run, "two", "delete", "token").value == json(true));
  }
  for (auto const* key : {"../one/token", "one/token", "one\\token", "one:token"})
    CHECK(secrets(run, "two", "get", key).value.is_null());
  CHECK(secrets(run, "one", "get", "token").value == json(value));
}

/// The bytes that a text of hexadecimal digits stands for.
std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string{digits.substr(i, 2)}, nullptr, 16));
  return bytes;
}

/// How often a text is in those pages of this process that a core file would hold. The text is
/// given with each byte turned around, so that neither the question nor the search is a place where
/// it is found.
std::size_t found_in_a_core(std::string_view turned) {
  std::size_t found = 0;
  platform::secret_bytes chunk{std::size_t{1} << 20}; // in no core itself
  std::ifstream maps{"/proc/self/smaps"};
  std::ifstream memory{"/proc/self/mem", std::ios::binary};
  std::string line;
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  while (std::getline(maps, line)) {
    if (std::uint64_t begin = 0, behind = 0;
        std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &begin, &behind) == 2) {
      first = begin;
      end = behind;
    }
    if (!line.starts_with("VmFlags:") || line.find(" dd") != std::string::npos ||
        line.find(" wr") == std::string::npos)
      continue;
    auto const step = chunk.size() - turned.size();
    for (auto at = first; at < end; at += step) {
      auto const size = std::min<std::uint64_t>(chunk.size(), end - at);
      memory.clear();
      memory.seekg(static_cast<std::streamoff>(at));
      memory.read(reinterpret_cast<char*>(chunk.bytes().data()),
                  static_cast<std::streamsize>(size));
      for (auto& byte : chunk.bytes())
        byte = static_cast<unsigned char>(~byte);
      auto const text = chunk.view().substr(0, static_cast<std::size_t>(memory.gcount()));
      for (auto hit = text.find(turned); hit != text.npos; hit = text.find(turned, hit + 1))
        ++found;
    }
  }
  return found;
}

} // namespace

TEST_CASE("an extension keeps secrets") {
  SECTION("in memory") {
    harness run{in_memory({secrets_host("one")})};
    REQUIRE(run.start());
    keeps_secrets(run);
  }
  SECTION("in a vault") {
    vault_place place;
    harness run{place.rules({secrets_host("one")})};
    REQUIRE(run.start());
    keeps_secrets(run);
  }
}

TEST_CASE("an extension reaches only the secrets of its own host, whatever it says it is") {
  SECTION("in memory") {
    harness run{in_memory({secrets_host("one"), secrets_host("two")})};
    REQUIRE(run.start());
    keeps_hosts_apart(run);
  }
  SECTION("in a vault") {
    vault_place place;
    harness run{place.rules({secrets_host("one"), secrets_host("two")})};
    REQUIRE(run.start());
    keeps_hosts_apart(run);
  }
}

TEST_CASE("a vault keeps secrets from one run to the next") {
  vault_place place;
  auto const rules = place.rules({secrets_host("one")});
  {
    harness run{rules};
    REQUIRE(run.start());
    REQUIRE(secrets(run, "one", "set", "token", value).code.empty());
  }
  harness run{rules};
  REQUIRE(run.start());
  CHECK(secrets(run, "one", "get", "token").value == json(value));
}

TEST_CASE("a secret without the permission is denied by its name") {
  auto const read = GENERATE(true, false);
  auto const write = !read;
  auto const with = read ? permission::secrets_read : permission::secrets_write;
  auto const without = read ? permission::secrets_write : permission::secrets_read;
  auto host = secrets_host("one");
  host.permissions = {};
  host.permissions.insert(with);
  harness run{in_memory({host})};
  REQUIRE(run.start());
  auto const check = [&, lacking = to_string(without)](told const& ended, bool allowed) {
    CHECK(ended.code == (allowed ? "" : "permission_denied"));
    if (!allowed)
      CHECK(ended.failed.at("permission") == json(lacking));
  };
  check(secrets(run, "one", "get", "token"), read);
  check(secrets(run, "one", "list"), read);
  check(secrets(run, "one", "set", "token", value), write);
  check(secrets(run, "one", "delete", "token"), write);
}

TEST_CASE("a secret has at most 64 KiB, and a key is a text") {
  auto const in_a_vault = GENERATE(false, true);
  INFO("in a vault: " << in_a_vault);
  vault_place place;
  harness run{in_a_vault ? place.rules({secrets_host("one")}) : in_memory({secrets_host("one")})};
  REQUIRE(run.start());
  CHECK(tell(run, "one", "setLong", {"long", 64 * 1024}).code.empty());
  CHECK(secrets(run, "one", "get", "long").value.as_string().size() == 64 * 1024);
  CHECK(tell(run, "one", "setLong", {"long", 64 * 1024 + 1}).code == "secret_too_large");
  CHECK(secrets(run, "one", "get", "long").value.as_string().size() == 64 * 1024);
  for (json const& key : {json(""), json(std::string(257, 'k')), json("a\nb"),
                          json(std::string("a\0b", 3)), json(7), json(nullptr)}) {
    INFO(key);
    CHECK(secrets(run, "one", "set", key, value).code == "invalid_payload");
    CHECK(secrets(run, "one", "get", key).code == "invalid_payload");
  }
  CHECK(secrets(run, "one", "set", "key", 7).code == "invalid_payload");
}

TEST_CASE("a secret that is deleted behind the backend's back is gone") {
  vault_place place;
  harness run{place.rules({secrets_host("one")})};
  REQUIRE(run.start());
  REQUIRE(secrets(run, "one", "set", "token", value).code.empty());
  CHECK(secrets(run, "one", "get", "token").value == json(value));
  platform::vault other{place.file(), platform::secret_bytes{passphrase}};
  REQUIRE(other.remove({{"bulkhead", "one"}, "token"}).value());
  CHECK(secrets(run, "one", "get", "token").value.is_null());
  REQUIRE(other.set({{"bulkhead", "one"}, "token"}, "of another process"));
  CHECK(secrets(run, "one", "get", "token").value == json("of another process"));
}

TEST_CASE("a vault that can't be opened is not worked around") {
  vault_place place;
  auto rules = place.rules({secrets_host("one")});
  std::string code = "secrets_unavailable";
  SECTION("without a passphrase") {
    rules.secrets.passphrase_file.clear();
  }
  SECTION("without the file of the passphrase") {
    disk::remove(place.path() / "passphrase");
  }
  SECTION("with a passphrase that all can read") {
    disk::permissions(place.path() / "passphrase", disk::perms::others_read,
                      disk::perm_options::add);
  }
  SECTION("with another passphrase") {
    platform::vault made{place.file(), platform::secret_bytes{"another"}};
    REQUIRE(made.set({{"bulkhead", "one"}, "token"}, value));
    code = "vault_unusable";
  }
  SECTION("damaged") {
    platform::vault made{place.file(), platform::secret_bytes{passphrase}};
    REQUIRE(made.set({{"bulkhead", "one"}, "token"}, value));
    auto bytes = content_of(place.file());
    bytes.back() ^= 1;
    place.write("vault", bytes);
    code = "vault_unusable";
  }
  auto const before = content_of(place.file());
  harness run{rules};
  REQUIRE(run.start());
  for (auto const& ended :
       {secrets(run, "one", "set", "token", value), secrets(run, "one", "get", "token"),
        secrets(run, "one", "list"), secrets(run, "one", "delete", "token")}) {
    CHECK(ended.code == code);
    auto const said = boost::json::serialize(ended.failed);
    CHECK(said.find(place.path().filename().string()) == std::string::npos);
  }
  CHECK(run.wait_for_log(code)); // the operator learns of it
  CHECK(content_of(place.file()) == before);
  for (auto const& entry : disk::recursive_directory_iterator{place.path()})
    if (entry.is_regular_file())
      CHECK(content_of(entry.path()).find(value) == std::string::npos);
}

TEST_CASE("a keyring that is not there is not worked around") {
  temporary_directory files;
  auto rules = policy_of({secrets_host("one")});
  rules.state_dir = files.path() / "state";
  rules.secrets.backend =
      GENERATE(secret_backend_kind::secret_service, secret_backend_kind::automatic);
  ::setenv("DBUS_SESSION_BUS_ADDRESS", ("unix:path=" + (files.path() / "bus").string()).c_str(), 1);
  harness run{rules};
  REQUIRE(run.start());
  CHECK(secrets(run, "one", "set", "token", value).code == "secrets_unavailable");
  CHECK(secrets(run, "one", "get", "token").code == "secrets_unavailable");
  CHECK(run.wait_for_log("secrets_unavailable"));
  ::unsetenv("DBUS_SESSION_BUS_ADDRESS");
  for (auto const& entry : disk::recursive_directory_iterator{files.path()})
    if (entry.is_regular_file())
      CHECK(content_of(entry.path()).find(value) == std::string::npos);
}

TEST_CASE("a vault whose passphrase comes later is opened then") {
  vault_place place;
  disk::remove(place.path() / "passphrase");
  harness run{place.rules({secrets_host("one")})};
  REQUIRE(run.start());
  CHECK(secrets(run, "one", "set", "token", value).code == "secrets_unavailable");
  place.write_passphrase(passphrase);
  CHECK(secrets(run, "one", "set", "token", value).code.empty());
}

TEST_CASE("the value of a secret is in no log, no error, no event and no file in clear") {
  vault_place place;
  auto host = secrets_host("one");
  auto rules = place.rules({host});
  rules.audit.level = audit_level::everything;
  harness run{rules};
  REQUIRE(run.start());
  REQUIRE(secrets(run, "one", "set", "token", value).code.empty());
  CHECK(secrets(run, "one", "get", "token").value == json(value));
  std::string const key(300, 'k');
  auto const refused = secrets(run, "one", "set", key, value);
  CHECK(refused.code == "invalid_payload");
  CHECK(boost::json::serialize(refused.failed).find(value) == std::string::npos);
  auto bytes = content_of(place.file());
  place.write("vault", bytes.substr(0, bytes.size() - 1));
  auto const failed = secrets(run, "one", "set", "token", value);
  CHECK(failed.code == "vault_unusable");
  CHECK(boost::json::serialize(failed.failed).find(value) == std::string::npos);
  REQUIRE(run.wait_for_log("vault_unusable"));
  CHECK(!run.wait_for_log(value, {}));
  for (auto const& event : run.events("one"))
    CHECK(event.detail.find(value) == std::string::npos);
  REQUIRE(test_hosts::stop(run.host()));
  run.destroy();
  CHECK(content_of(place.path() / "audit.jsonl").find("\"token\"") != std::string::npos);
  for (auto const& entry : disk::recursive_directory_iterator{place.path()})
    if (entry.is_regular_file())
      CHECK(content_of(entry.path()).find(value) == std::string::npos);
}

TEST_CASE("no core file would hold the value of a secret once it has travelled") {
  // A part of one read, and more than one read brings.
  auto const size = GENERATE(3'000, 60'000);
  auto const reads = GENERATE(false, true);
  INFO(size << " bytes, read back: " << reads);
  vault_place place;
  harness run{place.rules({secrets_host("one")})};
  REQUIRE(run.start());
  auto const kept = tell(run, "one", "keepOwn", {size, reads});
  REQUIRE(kept.code.empty());
  CHECK(found_in_a_core(from_hex(std::string_view{kept.value.as_string()})) == 0);

  std::string text = "a text that is in memory, and nowhere else";
  auto turned = text;
  for (auto& byte : turned)
    byte = static_cast<char>(~byte);
  CHECK(found_in_a_core(turned) == 1);
}
