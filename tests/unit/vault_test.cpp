#include "vault_folder.hpp"

#include <bulkhead/platform/memory_secrets.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace bulkhead::platform;
using namespace bulkhead::testing;
using bulkhead::errc;

/// Every operation fails with that code, with a remedy and without a word of what is secret.
void require_all_fail(vault& secrets, errc code) {
  auto const require_failure = [&](auto const& result) {
    REQUIRE(code_of(result) == code);
    auto const text = std::string{result.error().what()};
    CHECK_FALSE(result.error().remedy().empty());
    for (auto const* const secret : {value, passphrase, "token", "/tmp"})
      CHECK(text.find(secret) == text.npos);
  };
  require_failure(secrets.get(token));
  require_failure(secrets.set(token, value));
  require_failure(secrets.remove(token));
  require_failure(secrets.list(formatter));
  require_failure(secrets.remove_all(formatter));
  require_failure(secrets.probe());
}

/// The limits and the names hold for each backend.
template <class Make>
void require_names_and_limits(Make const& make) {
  secret_limits limits;
  limits.keys = 3;
  limits.bytes = 2 * max_secret_value;
  auto const secrets = make(limits);
  using namespace std::string_literals;
  auto const longest = std::string(max_secret_name, 'k');
  for (auto const& key : {"a b/c"s, "ключ"s, longest}) {
    keep(*secrets, {formatter, key}, value);
    CHECK(read(*secrets, {formatter, key}) == value);
  }
  CHECK(code_of(secrets->set({formatter, "fourth"}, value)) == errc::limit_exceeded);
  CHECK(read(*secrets, {formatter, "fourth"}) == std::nullopt);
  keep(*secrets, {formatter, longest}, "replaced");
  keep(*secrets, {linter, "fourth"}, std::string(max_secret_value, 'x'));
  CHECK(code_of(secrets->set({linter, "fifth"}, std::string(max_secret_value, 'x'))) ==
        errc::limit_exceeded);
  CHECK(code_of(secrets->set({linter, "fourth"}, std::string(max_secret_value + 1, 'x'))) ==
        errc::secret_too_large);

  for (auto const& bad : {""s, longest + "k", "a\0b"s, "line\n"s, "\x7f"s, "\xc2\x85"s, "\xff"s,
                          "\xc0\x80"s, "\xed\xa0\x80"s}) {
    CHECK(code_of(secrets->get({formatter, bad})) == errc::invalid_payload);
    CHECK(code_of(secrets->set({formatter, bad}, value)) == errc::invalid_payload);
    CHECK(code_of(secrets->remove({formatter, bad})) == errc::invalid_payload);
    CHECK(code_of(secrets->list({"demo", bad})) == errc::invalid_payload);
    CHECK(code_of(secrets->remove_all({bad, "formatter"})) == errc::invalid_payload);
  }
}

} // namespace

TEST_CASE("a vault is made by its first secret, for its owner only, and keeps it") {
  vault_folder const folder;
  auto const secrets = folder.open();
  CHECK(secrets->probe().has_value());
  CHECK(read(*secrets, token) == std::nullopt);
  CHECK(secrets->list(formatter).value().empty());
  CHECK_FALSE(secrets->remove(token).value());
  CHECK_FALSE(fs::exists(folder.file()));
  keep(*secrets, token, value);
  CHECK(read(*secrets, token) == value);
  CHECK(read(*folder.open(), token) == value);
  struct stat seen {};
  REQUIRE(::stat(folder.file().c_str(), &seen) == 0);
  CHECK((seen.st_mode & 07777) == 0600);
}

TEST_CASE("a vault gives back any bytes, replaces values and lists keys in order") {
  vault_folder const folder;
  auto const secrets = folder.open();
  using namespace std::string_literals;
  for (auto const& any : {""s, "a\0b"s, "\xff\n"s, std::string(max_secret_value, '\x7f')}) {
    keep(*secrets, token, any);
    CHECK(read(*secrets, token) == any);
  }
  keep(*secrets, {formatter, "a key"}, value);
  keep(*secrets, {linter, "of another"}, value);
  CHECK(secrets->list(formatter).value() == std::vector<std::string>{"a key", "token"});
}

TEST_CASE("what is removed from a vault is in it no more") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  keep(*folder.open(), {formatter, "second"}, value);
  keep(*folder.open(), {linter, "token"}, "linter's");
  CHECK(folder.open()->remove(token).value());
  CHECK(read(*folder.open(), token) == std::nullopt);
  CHECK_FALSE(folder.open()->remove(token).value());
  auto const before = folder.content().size();
  CHECK(folder.open()->remove_all(formatter).value() == 1);
  CHECK(folder.content().size() < before);
  CHECK(folder.open()->list(formatter).value().empty());
  CHECK(read(*folder.open(), {linter, "token"}) == "linter's");
  CHECK(folder.open()->remove_all(linter).value() == 1);
  CHECK(folder.content().size() == vault_header_size + cipher_tag_size);
  CHECK(folder.open()->list(linter).value().empty());
}

TEST_CASE("no choice of runtime, host and key reaches another's secrets in a vault") {
  vault_folder const folder;
  auto const secrets = folder.open();
  std::vector<secret_name> const names{{{"a", "b"}, "c"},   {{"a", "bc"}, "d"},
                                       {{"ab", "c"}, "d"},  {{"a", "b/c"}, "d"},
                                       {{"a/b", "c"}, "d"}, {{"a", "b"}, "c/d"}};
  for (std::size_t i = 0; i != names.size(); ++i)
    keep(*secrets, names[i], std::to_string(i));
  for (std::size_t i = 0; i != names.size(); ++i)
    CHECK(read(*folder.open(), names[i]) == std::to_string(i));
  CHECK(secrets->list({"a", "b"}).value() == std::vector<std::string>{"c", "c/d"});
  CHECK(secrets->remove_all({"a", "b"}).value() == 2);
  CHECK(read(*secrets, {{"a", "b/c"}, "d"}) == "3");
}

TEST_CASE("names and limits hold in a vault") {
  vault_folder const folder;
  require_names_and_limits([&](secret_limits limits) { return folder.open(passphrase, limits); });
}

TEST_CASE("names and limits hold in memory") {
  require_names_and_limits(
      [](secret_limits limits) { return std::make_unique<memory_secrets>(limits); });
}

TEST_CASE("secrets in memory are kept, listed and removed by scope") {
  memory_secrets secrets;
  keep(secrets, token, value);
  keep(secrets, {formatter, "a"}, "1");
  keep(secrets, {linter, "token"}, "2");
  CHECK(secrets.list(formatter).value() == std::vector<std::string>{"a", "token"});
  CHECK(secrets.remove(token).value());
  CHECK_FALSE(secrets.remove(token).value());
  CHECK(secrets.remove_all(formatter).value() == 1);
  CHECK(secrets.remove_all(formatter).value() == 0);
  CHECK(read(secrets, token) == std::nullopt);
  CHECK(read(secrets, {linter, "token"}) == "2");
}

TEST_CASE("a vault's file shows no name and no value, and nothing twice") {
  vault_folder const folder;
  auto const secrets = folder.open();
  keep(*secrets, token, value);
  auto const first = folder.content();
  for (auto const* const secret : {value, passphrase, "token", "formatter", "demo"})
    CHECK(first.find(secret) == first.npos);
  keep(*secrets, token, value);
  auto const second = folder.content();
  CHECK(second.size() == first.size());
  CHECK(second.substr(vault_header_size) != first.substr(vault_header_size));
}

TEST_CASE("a vault opens with no other passphrase, and is not touched by one") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  auto const before = folder.content();
  for (auto const* const other : {"wrong horse", "correct hors", "correct horse ", "\n"})
    require_all_fail(*folder.open(other), errc::vault_unusable);
  CHECK(folder.content() == before);
  CHECK(read(*folder.open(), token) == value);
}

TEST_CASE("a vault cut at any byte is refused and not touched") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  auto const whole = folder.content();
  auto const secrets = folder.open();
  for (std::size_t size = 0; size != whole.size(); ++size) {
    folder.overwrite(whole.substr(0, size));
    require_all_fail(*secrets, errc::vault_unusable);
    REQUIRE(folder.content() == whole.substr(0, size));
  }
  folder.overwrite(whole + '\0');
  require_all_fail(*secrets, errc::vault_unusable);
  folder.overwrite(whole);
  CHECK(read(*secrets, token) == value);
}

TEST_CASE("a vault with any byte changed is refused and not touched") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  auto const whole = folder.content();
  auto const secrets = folder.open();
  for (std::size_t i = 0; i != whole.size(); ++i)
    for (auto const flipped : {1U << (i % 8), 0xffU}) {
      auto changed = whole;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ flipped);
      folder.overwrite(changed);
      INFO("byte " << i << " xor " << flipped);
      REQUIRE(code_of(secrets->get(token)) == errc::vault_unusable);
      REQUIRE(code_of(secrets->set(token, "new")) == errc::vault_unusable);
      REQUIRE(folder.content() == changed);
    }
}

TEST_CASE("a vault's header can't demand more memory or time than is bearable") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  auto const whole = folder.content();
  for (auto const& cost :
       {scrypt_cost{std::uint64_t{1} << 40, 8, 1}, scrypt_cost{1 << 15, 8, 1'000'000},
        scrypt_cost{0, 0, 0}, scrypt_cost{1 << 20, 0xffff'ffff, 0xffff'ffff}}) {
    vault_header header;
    header.cost = cost;
    auto const forged = encode(header);
    folder.overwrite(std::string{forged.begin(), forged.end()} + whole.substr(vault_header_size));
    require_all_fail(*folder.open(), errc::vault_unusable);
  }
}

TEST_CASE("a vault that others could read or swap is refused, and one that is no file") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  auto const whole = folder.content();
  auto const secrets = folder.open();
  for (auto const mode : {mode_t{0640}, mode_t{0604}, mode_t{0620}, mode_t{0666}}) {
    REQUIRE(::chmod(folder.file().c_str(), mode) == 0);
    require_all_fail(*secrets, errc::vault_unusable);
  }
  REQUIRE(::chmod(folder.file().c_str(), 0600) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  require_all_fail(*secrets, errc::vault_unusable);
  REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
  CHECK(read(*secrets, token) == value);

  fs::rename(folder.file(), folder.path() / "elsewhere");
  fs::create_symlink("elsewhere", folder.file());
  require_all_fail(*secrets, errc::vault_unusable);
  fs::remove(folder.file());
  REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
  require_all_fail(*secrets, errc::vault_unusable);
  fs::remove(folder.file());
  fs::create_directory(folder.file());
  require_all_fail(*secrets, errc::vault_unusable);
}

TEST_CASE("a vault of another user is refused") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  // Only root can give one away, and nobody else can be given one by this test.
  if (::chown(folder.file().c_str(), 54321, 54321) == 0)
    require_all_fail(*folder.open(), errc::vault_unusable);
  else
    CHECK(::geteuid() != 0);
}

TEST_CASE("a vault in a folder that is gone is unavailable") {
  vault_folder const folder;
  vault secrets{folder.path() / "missing" / "vault",
                secret_bytes{passphrase},
                {cheap, {}, default_vault_patience}};
  CHECK(code_of(secrets.get(token)) == errc::secrets_unavailable);
  CHECK(code_of(secrets.set(token, value)) == errc::secrets_unavailable);
}

TEST_CASE("a full vault takes no more, and a file larger than any vault is none") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  auto const whole = folder.content();
  auto const header =
      decode_vault_header({reinterpret_cast<unsigned char const*>(whole.data()), whole.size()});
  REQUIRE(header);
  auto const large = std::string(max_secret_value, 'x');
  std::vector<std::string> keys;
  for (std::size_t i = 100; keys.size() != max_vault_size / max_secret_value - 1; ++i)
    keys.push_back("key " + std::to_string(10'000 + i));
  std::vector<vault_entry> entries;
  for (auto const& key : keys)
    entries.push_back({"another", "host", key, large});
  auto const clear = encode(*header);
  auto const key = derive_key(passphrase, header->salt, header->cost).value();
  auto const sealed = seal(key, header->nonce, clear, encode(entries).bytes()).value();
  folder.overwrite(std::string{clear.begin(), clear.end()} +
                   std::string{sealed.begin(), sealed.end()});

  auto const secrets = folder.open();
  CHECK(code_of(secrets->set({formatter, "large"}, large)) == errc::limit_exceeded);
  CHECK(secrets->list({"another", "host"}).value().size() == keys.size());
  fs::resize_file(folder.file(), max_vault_size + 1);
  require_all_fail(*secrets, errc::vault_unusable);
}

TEST_CASE("a vault's entries decode to what they were, and to nothing when they are out of order") {
  std::vector<vault_entry> const entries{
      {"a", "b", "c", "1"}, {"a", "b", "d", ""}, {"a", "c", "", "3"}};
  auto const body = encode(entries);
  auto const decoded = decode_vault_entries(body.view());
  REQUIRE(decoded);
  REQUIRE(decoded->size() == 3);
  CHECK(decoded->at(1).name() == entries[1].name());
  CHECK(decoded->at(2).value == "3");
  auto const refuses = [](std::vector<vault_entry> const& wrong) {
    return !decode_vault_entries(encode(wrong).view());
  };
  CHECK(refuses({entries[1], entries[0]}));
  CHECK(refuses({entries[0], entries[0]}));
  for (std::size_t size = 1; size != body.size(); ++size) {
    auto const cut = decode_vault_entries(body.view().substr(0, size));
    CHECK((!cut || cut->size() < 3));
  }
  CHECK_FALSE(decode_vault_entries(std::string_view{"\xff\xff\xff\xff....", 8}));
}

TEST_CASE("a vault made at its real cost opens again") {
  vault_folder const folder;
  {
    vault made{folder.file(), secret_bytes{passphrase}};
    keep(made, token, value);
  }
  vault again{folder.file(), secret_bytes{passphrase}};
  CHECK(read(again, token) == value);
  vault wrong{folder.file(), secret_bytes{"wrong"}};
  CHECK(code_of(wrong.get(token)) == errc::vault_unusable);
}
