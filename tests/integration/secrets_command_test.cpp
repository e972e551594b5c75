// `bulkhead secrets` on a vault: what it stores, and that it never shows it.

#include "run_command.hpp"
#include "served_process.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/audit_file.hpp>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using bulkhead::platform::audit_file;
using bulkhead::testing::contains;
using bulkhead::testing::content_of;
using bulkhead::testing::ran_command;
using bulkhead::testing::run_bulkhead;
using bulkhead::testing::run_command;
using bulkhead::testing::served_process;
using bulkhead::testing::temporary_directory;

namespace {

namespace fs = std::filesystem;

constexpr auto value = "correct-horse-battery-staple";

/// A policy of two hosts whose secrets are where `store` says.
class kept_secrets {
public:
  explicit kept_secrets(std::string const& store = "passphrase_file = \"passphrase\"\n") {
    set_passphrase("open sesame\n");
    policy_ = folder_.write("policy.toml", "[runtime]\nstate_dir = \"state\"\n[secrets]\n" + store +
                                               "[defaults]\nextension = \"e.js\"\n"
                                               "[defaults.sandbox]\nrequire = \"none\"\n"
                                               "[hosts.one]\n[hosts.two]\n");
  }

  void set_passphrase(std::string_view text) {
    auto const file = folder_.path() / "passphrase";
    fs::remove(file);
    folder_.write("passphrase", text);
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  }

  fs::path vault() const { return folder_.path() / "state/vault"; }
  fs::path audit_log() const { return folder_.path() / "state/audit.jsonl"; }

  void replace_vault(std::string_view text) const {
    std::ofstream{vault(), std::ios::binary | std::ios::trunc} << text;
  }

  std::vector<std::string> words(std::string const& host,
                                 std::vector<std::string> const& given) const {
    std::vector<std::string> all{BULKHEAD_TEST_COMMAND, "secrets", policy_.string(), host};
    all.insert(all.end(), given.begin(), given.end());
    return all;
  }

  ran_command on(std::string const& host, std::vector<std::string> const& given,
                 std::string_view input = {}) const {
    return run_command(words(host, given), input);
  }
  ran_command on_one(std::vector<std::string> const& given, std::string_view input = {}) const {
    return on("one", given, input);
  }

private:
  temporary_directory folder_;
  fs::path policy_;
};

/// `bulkhead secrets one set token` on a terminal that shows its standard error as well.
std::vector<std::string> set_on_terminal(kept_secrets const& kept) {
  auto words = kept.words("one", {"set", "token"});
  words.insert(words.begin(), {"/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1"});
  return words;
}

} // namespace

TEST_CASE("a secret that was set is listed by its key, and its value shows nowhere", "[command]") {
  kept_secrets const kept;
  auto const set = kept.on_one({"set", "token"}, std::string{value} + '\n');
  CAPTURE(set.output, set.errors);
  CHECK(set.exit_code == 0);
  CHECK(set.output == "one: set \"token\" (vault)\n");

  auto const listed = kept.on_one({"list"});
  CHECK(listed.exit_code == 0);
  CHECK(listed.output == "token\n");
  for (auto const& shown : {set.output, set.errors, listed.output, listed.errors})
    CHECK_FALSE(contains(shown, value));
  auto const stored = content_of(kept.vault());
  CHECK(stored.size() > 0);
  CHECK_FALSE(contains(stored, value));
  CHECK_FALSE(contains(stored, "token"));
}

TEST_CASE("the secrets of one host are not those of another", "[command]") {
  kept_secrets const kept;
  REQUIRE(kept.on_one({"set", "token"}, value).exit_code == 0);
  auto const other = kept.on("two", {"list"});
  CHECK(other.exit_code == 0);
  CHECK(other.output.empty());
  CHECK(kept.on("two", {"delete", "token"}).exit_code == 1);
  CHECK(kept.on("two", {"delete", "--all"}).output == "two: deleted 0 secrets (vault)\n");
  CHECK(kept.on_one({"list"}).output == "token\n");
}

TEST_CASE("a secret is deleted by its key, and all of a host at once", "[command]") {
  kept_secrets const kept;
  for (auto const* const key : {"a", "token", "z"})
    REQUIRE(kept.on_one({"set", key}, value).exit_code == 0);

  auto const missing = kept.on_one({"delete", "tokn"});
  CHECK(missing.exit_code == 1);
  CHECK(missing.errors.starts_with(
      "one: no secret \"tokn\" - did you mean \"token\"? (file_not_found, 4017) - "));
  CHECK(kept.on_one({"delete", "token"}).output == "one: deleted \"token\" (vault)\n");
  CHECK(kept.on_one({"list"}).output == "a\nz\n");
  CHECK(kept.on_one({"delete", "--all"}).output == "one: deleted 2 secrets (vault)\n");
  CHECK(kept.on_one({"list"}).output.empty());
}

TEST_CASE("what is set or deleted is in the audit log, without its value", "[command]") {
  kept_secrets const kept;
  REQUIRE(kept.on_one({"set", "token"}, value).exit_code == 0);
  REQUIRE(kept.on_one({"list"}).exit_code == 0);
  REQUIRE(kept.on_one({"delete", "token"}).exit_code == 0);
  REQUIRE(kept.on("two", {"delete", "--all"}).exit_code == 0);
  kept.replace_vault("no vault");
  REQUIRE(kept.on_one({"set", "other"}, value).exit_code == 1);

  auto const log = content_of(kept.audit_log());
  CAPTURE(log);
  std::string_view rest = log;
  struct expected {
    std::string host, what, object, outcome;
  };
  for (auto const& each : std::vector<expected>{{"one", "secrets.set", "token", "allowed"},
                                                {"one", "secrets.delete", "token", "allowed"},
                                                {"two", "secrets.delete-all", "", "allowed"},
                                                {"one", "secrets.set", "other", "allowed"},
                                                {"one", "secrets.set", "other", "failed"}}) {
    auto const line = "\"host\":\"" + each.host + "\",\"what\":\"" + each.what +
                      "\",\"object\":\"" + each.object +
                      "\",\"rule\":\"the operator (bulkhead secrets)\",\"outcome\":\"" +
                      each.outcome + '"';
    INFO(line);
    auto const at = rest.find(line);
    REQUIRE(at != std::string_view::npos);
    rest.remove_prefix(at + line.size());
  }
  CHECK_FALSE(contains(rest, "the operator"));
  CHECK(contains(rest, "vault_unusable"));
  CHECK_FALSE(contains(log, value));
  CHECK(run_bulkhead({"audit", "verify", kept.audit_log().string()}).exit_code == 0);
}

TEST_CASE("a backend that writes to the same audit log goes on behind what secrets recorded",
          "[command]") {
  kept_secrets const kept;
  fs::create_directory(kept.audit_log().parent_path());
  fs::permissions(kept.audit_log().parent_path(), fs::perms::owner_all);
  auto backend = audit_file::open({kept.audit_log(), 1 << 30, 1}).value();
  bulkhead::audit_record record;
  record.what = "host.started";
  backend.append(std::array{record}).value();
  REQUIRE(kept.on_one({"set", "token"}, value).exit_code == 0);
  record.what = "host.stopped";
  backend.append(std::array{record}).value();

  auto const log = content_of(kept.audit_log());
  CHECK(log.find("host.started") < log.find("secrets.set"));
  CHECK(log.find("secrets.set") < log.find("host.stopped"));
  CHECK(run_bulkhead({"audit", "verify", kept.audit_log().string()}).exit_code == 0);
}

TEST_CASE("what can't be recorded is not changed where the policy requires the record",
          "[command]") {
  auto const required = GENERATE(true, false);
  kept_secrets const kept{"passphrase_file = \"passphrase\"\n[audit]\nfile = \"none/log\"\n" +
                          std::string{required ? "required = true\n" : ""}};
  auto const set = kept.on_one({"set", "token"}, value);
  CAPTURE(required, set.errors);
  CHECK(contains(set.errors, "audit_file_unusable, 4610"));
  CHECK(contains(set.errors, " - "));
  CHECK(set.exit_code == (required ? 1 : 0));
  CHECK(fs::exists(kept.vault()) != required);
  CHECK(contains(set.errors, required ? "nothing was changed" : "warning: this is not in"));
}

TEST_CASE("secrets --json prints one object", "[command]") {
  kept_secrets const kept;
  auto const set = boost::json::parse(kept.on_one({"set", "token", "--json"}, value).output);
  CHECK(set ==
        boost::json::value{{"host", "one"}, {"backend", "vault"}, {"key", "token"}, {"set", true}});
  auto const listed = boost::json::parse(kept.on_one({"list", "--json"}).output);
  CHECK(listed.at("keys") == boost::json::array{"token"});
  auto const deleted = boost::json::parse(kept.on_one({"delete", "--all", "--json"}).output);
  CHECK(deleted.at("deleted") == 1);
}

TEST_CASE("another passphrase opens nothing and leaves the vault as it is", "[command]") {
  kept_secrets kept;
  REQUIRE(kept.on_one({"set", "token"}, value).exit_code == 0);
  auto const before = content_of(kept.vault());
  kept.set_passphrase("open barley\n");
  for (auto const& use : {std::vector<std::string>{"list"}, {"set", "x"}, {"delete", "--all"}}) {
    auto const refused = kept.on_one(use, value);
    CAPTURE(refused.errors);
    CHECK(refused.exit_code == 1);
    CHECK(refused.output.empty());
    CHECK(contains(refused.errors, "vault_unusable, 4608"));
    CHECK(contains(refused.errors, "passphrase"));
    CHECK_FALSE(contains(refused.errors, value));
  }
  CHECK(content_of(kept.vault()) == before);
}

TEST_CASE("without a store nothing is kept, and the remedy is told", "[command]") {
  struct missing {
    std::string store;
    std::string told;
  };
  std::vector<missing> const stores = {
      {"passphrase_file = \"none\"\n", "secrets_unavailable, 4025"},
      {"passphrase_variable = \"BULKHEAD_TEST_NO_SUCH_VARIABLE\"\n", "secrets_unavailable, 4025"},
      {"backend = \"memory\"\n", "write  secrets.backend = \"vault\""},
  };
  for (auto const& [store, told] : stores) {
    kept_secrets const kept{store};
    auto const refused = kept.on_one({"set", "token"}, value);
    CAPTURE(store, refused.errors);
    CHECK(refused.exit_code == 1);
    CHECK(contains(refused.errors, told));
    CHECK(contains(refused.errors, " - "));
    CHECK_FALSE(fs::exists(kept.vault()));
  }
}

TEST_CASE("a value that is empty, too long or no text is refused before it is stored",
          "[command]") {
  kept_secrets const kept;
  CHECK(contains(kept.on_one({"set", "k"}, "\n").errors, "the value is empty"));
  CHECK(contains(kept.on_one({"set", "k"}, "a\xff").errors, "not UTF-8"));
  CHECK(contains(kept.on_one({"set", "k"}, std::string(64 * 1024 + 1, 'x')).errors,
                 "secret_too_large, 4026"));
  // The key comes first, before anybody types a value for nothing.
  CHECK(contains(kept.on_one({"set", ""}, "").errors, "the key of a secret"));
  CHECK_FALSE(fs::exists(kept.vault()));
  CHECK(kept.on_one({"set", "k"}, std::string(64 * 1024, 'x') + '\n').exit_code == 0);
}

TEST_CASE("a mistake in calling secrets is told, and ends with 2", "[command]") {
  kept_secrets const kept;
  struct mistake {
    std::vector<std::string> given;
    std::string told;
  };
  std::vector<mistake> const mistakes = {
      {{}, "list|set|delete is missing"},
      {{"lst"}, "did you mean \"list\"?"},
      {{"list", "x"}, "\"x\" is one argument too many"},
      {{"set"}, "KEY is missing"},
      {{"delete"}, "KEY or --all is missing"},
      {{"delete", "x", "--all"}, "leave out \"x\""},
      {{"list", "--all"}, "--all goes with delete only"},
      {{"set", "x", "y"}, "\"y\" is one argument too many"},
  };
  for (auto const& [given, told] : mistakes) {
    auto const refused = kept.on_one(given);
    CAPTURE(given, refused.errors);
    CHECK(refused.exit_code == 2);
    CHECK(contains(refused.errors, told));
  }
  auto const host = kept.on("onne", {"list"});
  CHECK(host.exit_code == 1);
  CHECK(contains(host.errors, "did you mean \"one\"?"));
}

TEST_CASE("a terminal does not show a value that is typed", "[command]") {
  kept_secrets const kept;
  served_process typing{set_on_terminal(kept), served_process::output_to::terminal};
  typing.wait_for_output("it is not shown): ");
  CHECK_FALSE(typing.shows_typing());
  typing.type(std::string{value} + '\n');
  auto const set = typing.wait();
  CAPTURE(set.output);
  CHECK(set.exit_code == 0);
  CHECK(contains(set.output, "one: set \"token\""));
  CHECK_FALSE(contains(set.output, value));
  CHECK(typing.shows_typing());
  CHECK(kept.on_one({"list"}).output == "token\n");
}

TEST_CASE("a signal while a value is typed leaves the terminal as it was", "[command]") {
  kept_secrets const kept;
  served_process typing{set_on_terminal(kept), served_process::output_to::terminal};
  typing.wait_for_output("it is not shown): ");
  typing.signal(SIGINT);
  CHECK(typing.wait().exit_code == 128 + SIGINT);
  CHECK(typing.shows_typing());
  CHECK_FALSE(fs::exists(kept.vault()));
}
