#include "vault_folder.hpp"

#include <bulkhead/platform/unique_fd.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using namespace bulkhead::platform;
using namespace bulkhead::testing;
using bulkhead::errc;

/// A process that runs `work` and is killed by the destructor.
class child_process_of {
public:
  template <class Work>
  explicit child_process_of(Work work)
      : pid_{::fork()} {
    if (pid_ == 0)
      ::_exit(work() ? 0 : 1);
  }
  child_process_of(child_process_of const&) = delete;
  ~child_process_of() { kill(); }
  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(std::exchange(pid_, 0), nullptr, 0);
    }
  }
  bool succeeds() {
    int status = -1;
    return ::waitpid(std::exchange(pid_, 0), &status, 0) > 0 && status == 0;
  }

private:
  pid_t pid_;
};

} // namespace

TEST_CASE("a vault that can't be written keeps what it had") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  auto const before = folder.content();
  // As a full disk does: the file can't grow past the limit.
  child_process_of writer{[&] {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit const small{150, 150};
    ::setrlimit(RLIMIT_FSIZE, &small);
    return code_of(folder.open()->set(token, std::string(1000, 'x'))) == errc::secrets_unavailable;
  }};
  CHECK(writer.succeeds());
  CHECK(folder.content() == before);
  CHECK_FALSE(fs::exists(folder.path() / "vault.new"));
  CHECK(read(*folder.open(), token) == value);
}

TEST_CASE("a vault sees what another one wrote, and one made anew with another salt") {
  vault_folder const folder;
  auto const first = folder.open();
  auto const second = folder.open();
  keep(*first, token, "1");
  CHECK(read(*second, token) == "1");
  keep(*second, token, "2");
  CHECK(read(*first, token) == "2");
  fs::remove(folder.file());
  CHECK(read(*first, token) == std::nullopt);
  keep(*second, token, "3");
  CHECK(read(*first, token) == "3");
  CHECK(read(*folder.open(), token) == "3");
}

TEST_CASE("processes and threads that write to one vault at once lose nothing") {
  constexpr auto keys_each = 15;
  vault_folder const folder;
  auto const work = [&](vault& secrets, std::string const& who) {
    for (auto i = 0; i != keys_each; ++i)
      if (!secrets.set({formatter, who + std::to_string(i)}, who + "'s " + std::to_string(i)))
        return false;
    return true;
  };
  child_process_of first{[&] { return work(*folder.open(), "a"); }};
  child_process_of second{[&] { return work(*folder.open(), "b"); }};
  auto const own = folder.open();
  {
    std::jthread const third{[&] { work(*own, "c"); }};
    std::jthread const fourth{[&] { work(*own, "d"); }};
  }
  REQUIRE(first.succeeds());
  REQUIRE(second.succeeds());
  CHECK(own->list(formatter).value().size() == 4 * keys_each);
  for (auto const* const who : {"a", "b", "c", "d"})
    for (auto i = 0; i != keys_each; ++i)
      CHECK(read(*own, {formatter, who + std::to_string(i)}) == who + ("'s " + std::to_string(i)));
}

TEST_CASE("a vault whose writer is killed at any time holds what was stored last, or next") {
  constexpr auto rounds = 40;
  vault_folder const folder;
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  // Long enough that a write is seen half done.
  auto const text_of = [](int number) { return std::string(20'000, static_cast<char>(number)); };
  auto stored = 0;
  for (auto round = 0; round != rounds; ++round) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    unique_fd const acknowledged{ends[0]};
    unique_fd acknowledge{ends[1]};
    child_process_of writer{[&] {
      auto const secrets = folder.open();
      for (auto number = stored + 1;; ++number)
        if (!secrets->set(token, text_of(number % 100)) ||
            ::write(acknowledge.get(), &number, sizeof number) != sizeof number)
          return false;
    }};
    acknowledge.reset();
    // Some writes are waited for, then it ends at any moment of the next ones.
    REQUIRE(::read(acknowledged.get(), &stored, sizeof stored) == sizeof stored);
    std::this_thread::sleep_for(random() % 3000 * 1us);
    writer.kill();
    while (::read(acknowledged.get(), &stored, sizeof stored) == sizeof stored) {
    }
    auto const found = read(*folder.open(), token);
    auto const last = text_of(stored % 100);
    auto const next = text_of((stored + 1) % 100);
    REQUIRE((found == last || found == next));
    if (found == next)
      ++stored;
  }
  keep(*folder.open(), token, value);
  CHECK_FALSE(fs::exists(folder.path() / "vault.new"));
}

TEST_CASE("a writer that never lets go of a vault costs a bounded time") {
  vault_folder const folder;
  vault secrets{folder.file(), secret_bytes{passphrase}, {cheap, {}, 20ms}};
  keep(secrets, token, value);
  {
    auto const held = vault_file{folder.file()}.lock().value();
    auto const refused = secrets.set(token, "new");
    CHECK(code_of(refused) == errc::secrets_unavailable);
    CHECK_FALSE(refused.error().remedy().empty());
    CHECK(read(secrets, token) == value); // reading needs no lock
  }
  keep(secrets, token, "new");
  CHECK(read(secrets, token) == "new");
}

TEST_CASE("the lock of a writer that was killed is free") {
  vault_folder const folder;
  keep(*folder.open(), token, value);
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  unique_fd const locked{ends[0]};
  unique_fd report{ends[1]};
  child_process_of holder{[&] {
    auto const lock = vault_file{folder.file()}.lock();
    auto const done = lock && ::write(report.get(), "x", 1) == 1;
    ::pause();
    return done;
  }};
  char byte = 0;
  REQUIRE(::read(locked.get(), &byte, 1) == 1);
  holder.kill();
  keep(*folder.open(), token, "new");
  CHECK(read(*folder.open(), token) == "new");
}
