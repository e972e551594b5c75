#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/vault_key.hpp>

#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using bulkhead::errc;
using bulkhead::platform::max_vault_passphrase;
using bulkhead::platform::read_vault_passphrase;
using bulkhead::platform::vault_key_source;
using bulkhead::testing::temporary_directory;
using kind = vault_key_source::kind;

constexpr auto passphrase = "correct horse";

/// A folder with files of a mode, and the variables that point to it.
struct key_folder : temporary_directory {
  ~key_folder() {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    ::unsetenv("BULKHEAD_TEST_KEY");
  }
  std::string file(char const* name, std::string_view content, mode_t mode = 0600) const {
    auto const made = write(name, content);
    ::chmod(made.c_str(), mode);
    return made;
  }
};

std::string read(kind from, std::string const& name) {
  return std::string{read_vault_passphrase({from, name}).value().view()};
}

/// Refused with the right code and a remedy, and without path or passphrase.
void require_refused(kind from, std::string const& name) {
  INFO(name);
  auto const refused = read_vault_passphrase({from, name});
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::secrets_unavailable);
  CHECK_FALSE(refused.error().remedy().empty());
  auto const text = std::string{refused.error().what()};
  CHECK(text.find(passphrase) == text.npos);
  CHECK((name.empty() || text.find(name) == text.npos));
}

} // namespace

TEST_CASE("a key file gives its bytes without the newline at its end") {
  key_folder const folder;
  CHECK(read(kind::file, folder.file("a", "correct horse\n")) == passphrase);
  CHECK(read(kind::file, folder.file("b", "correct horse", 0400)) == passphrase);
  CHECK(read(kind::file, folder.file("c", "two\n\n")) == "two\n");
  using namespace std::string_view_literals;
  CHECK(read(kind::file, folder.file("d", "\0\xff"sv)) == "\0\xff"sv);
  auto const longest = std::string(max_vault_passphrase, 'x');
  CHECK(read(kind::file, folder.file("e", longest + '\n')) == longest);
}

TEST_CASE("a key file that is linked to serves") {
  key_folder const folder;
  auto const link = folder.path() / "link";
  std::filesystem::create_symlink(folder.file("a", passphrase), link);
  CHECK(read(kind::file, link) == passphrase);
}

TEST_CASE("a key file that others can use, or that is none, is refused") {
  key_folder const folder;
  for (auto const mode : {mode_t{0640}, mode_t{0604}, mode_t{0620}, mode_t{0601}, mode_t{0644}})
    require_refused(kind::file, folder.file("open", passphrase, mode));
  require_refused(kind::file, folder.file("empty", ""));
  require_refused(kind::file, folder.file("newline", "\n"));
  require_refused(kind::file, folder.file("long", std::string(max_vault_passphrase + 1, 'x')));
  require_refused(kind::file, folder.file("huge", std::string(1024 * 1024, 'x')));
  require_refused(kind::file, folder.path() / "missing");
  require_refused(kind::file, folder.path());
  require_refused(kind::file, "");
  require_refused(kind::file, "/dev/zero");
  auto const fifo = folder.path() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  require_refused(kind::file, fifo);
  using namespace std::string_literals;
  require_refused(kind::file, folder.file("a", passphrase) + "\0b"s);
}

TEST_CASE("a key file of another user is refused") {
  key_folder const folder;
  auto const file = folder.file("a", passphrase);
  // Only root can give one away, and nobody else can be given one by this test.
  if (::chown(file.c_str(), 54321, 54321) == 0)
    require_refused(kind::file, file);
  else
    CHECK(::geteuid() != 0);
}

TEST_CASE("a credential comes from the folder that systemd made") {
  key_folder const folder;
  require_refused(kind::credential, "vault-key");
  ::setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  folder.file("vault-key", "correct horse\n", 0400);
  CHECK(read(kind::credential, "vault-key") == passphrase);
  folder.file("listed", passphrase, 0440); // as an access list looks
  CHECK(read(kind::credential, "listed") == passphrase);
  folder.file("widely", passphrase, 0444);
  require_refused(kind::credential, "widely");
  require_refused(kind::credential, "missing");
  folder.write("below/key", passphrase);
  for (auto const* const name : {"below/key", "../key", "..", ".", "", "/etc/hostname"})
    require_refused(kind::credential, name);
  ::setenv("CREDENTIALS_DIRECTORY", "relative", 1);
  require_refused(kind::credential, "vault-key");
}

TEST_CASE("an environment variable gives its value, and its refusal names better places") {
  key_folder const cleaner;
  ::setenv("BULKHEAD_TEST_KEY", passphrase, 1);
  CHECK(read(kind::environment, "BULKHEAD_TEST_KEY") == passphrase);
  ::setenv("BULKHEAD_TEST_KEY", "", 1);
  require_refused(kind::environment, "BULKHEAD_TEST_KEY");
  ::unsetenv("BULKHEAD_TEST_KEY");
  require_refused(kind::environment, "BULKHEAD_TEST_KEY");
  require_refused(kind::environment, "");
  auto const refused = read_vault_passphrase({kind::environment, "BULKHEAD_TEST_KEY"});
  CHECK(refused.error().remedy().find("credential") != std::string::npos);
}
