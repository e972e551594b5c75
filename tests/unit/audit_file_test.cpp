#include "shared/code_of.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/audit_file.hpp>
#include <bulkhead/platform/audit_verify.hpp>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <fstream>
#include <string>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace bulkhead;
using platform::audit_file;
using platform::verify_audit;
using testing::code_of;
using testing::content_of;
using testing::temporary_directory;

constexpr std::uint64_t never = 1 << 30;

audit_record read_of(std::string object) {
  audit_record record;
  record.time = std::chrono::system_clock::now();
  record.host = "formatter";
  record.what = "fs.readFile";
  record.object = std::move(object);
  record.rule = "fileSystem.read";
  return record;
}

std::vector<audit_record> reads(std::size_t count, std::string const& object = "/data/file") {
  return std::vector<audit_record>(count, read_of(object));
}

audit_file open(fs::path const& path, std::uint64_t rotate_at = never, unsigned keep = 3) {
  return audit_file::open({path, rotate_at, keep}).value();
}

void overwrite(fs::path const& path, std::string_view content) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << content;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

std::vector<boost::json::value> lines_of(fs::path const& path) {
  std::vector<boost::json::value> lines;
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);)
    lines.push_back(boost::json::parse(line));
  return lines;
}

std::vector<std::string> whats_of(fs::path const& path) {
  std::vector<std::string> whats;
  for (auto const& line : lines_of(path))
    whats.emplace_back(line.at("what").as_string());
  return whats;
}

/// What is wrong with a log; nothing where it is unbroken.
std::string flaw_of(fs::path const& path) {
  auto const report = verify_audit(path).value();
  return report.finding ? report.finding->as_error().detail() : "";
}

/// Runs in a process of its own, which ends with what `work` returns.
template <class Work>
pid_t start(Work work) {
  auto const child = ::fork();
  if (child == 0)
    ::_exit(work() ? 0 : 1);
  return child;
}

bool succeeded(pid_t child) {
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

} // namespace

TEST_CASE("a new log is its owner's alone and begins with its opening", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const old_mask = ::umask(0);
  auto log = open(path);
  ::umask(old_mask);
  REQUIRE(log.append(reads(2)).has_value());
  CHECK(log.last().seq == 3);

  for (auto const& file : {path, fs::path{path.string() + ".head"}})
    CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  auto const lines = lines_of(path);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].at("what") == "log.opened");
  CHECK(lines[0].at("outcome") == "noted");
  CHECK(lines[0].at("prev").as_string() == std::string(64, '0'));
  CHECK(lines[1].at("prev") == lines[0].at("hash"));
  CHECK(lines[2].at("hash").as_string() == log.last().hash);
  CHECK(flaw_of(path) == "");
}

TEST_CASE("a log that is opened again goes on where it ended", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  REQUIRE(open(path).append(reads(3)).has_value());
  REQUIRE(open(path).append(reads(2)).has_value());
  CHECK(whats_of(path) == std::vector<std::string>{"log.opened", "fs.readFile", "fs.readFile",
                                                   "fs.readFile", "log.opened", "fs.readFile",
                                                   "fs.readFile"});
  CHECK(flaw_of(path) == "");
}

TEST_CASE("nothing is written for no records", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto log = open(path);
  auto const head = path.string() + ".head";
  auto const before = content_of(path) + content_of(head);
  REQUIRE(log.append({}).has_value());
  CHECK(content_of(path) + content_of(head) == before);
}

TEST_CASE("what is not a file of this user alone is refused, and left as it is", "[audit_file]") {
  temporary_directory const folder;
  auto const refused = [&](fs::path const& path) {
    auto const opened = audit_file::open({path, never, 3});
    REQUIRE(opened.has_error());
    CHECK(opened.error().code() == errc::audit_file_unusable);
    CHECK(opened.error().detail().find(path.string()) != std::string::npos);
    CHECK_FALSE(fs::exists(path.string() + ".head"));
  };
  auto const shared = folder.write("shared", "");
  fs::permissions(shared, fs::perms::group_read, fs::perm_options::add);
  refused(shared);
  auto const target = folder.write("target", "");
  fs::permissions(target, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink(target, folder.path() / "link");
  refused(folder.path() / "link");
  REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
  refused(folder.path() / "pipe");
  fs::create_directory(folder.path() / "folder");
  refused(folder.path() / "folder");
  refused(folder.path() / "missing" / "audit.jsonl");
  refused(folder.path() / "..");
  if (::geteuid() == 0) {
    auto const other = folder.write("other", "");
    fs::permissions(other, fs::perms::owner_read | fs::perms::owner_write);
    REQUIRE(::chown(other.c_str(), 65534, 65534) == 0);
    refused(other);
  }
}

TEST_CASE("a file that is no log is not taken for a torn one", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "notes.txt";
  overwrite(path, "precious\n");
  CHECK(code_of(audit_file::open({path, never, 3})) == errc::audit_broken);
  CHECK(content_of(path) == "precious\n");
}

TEST_CASE("a crash at any byte of a write leaves a log that recovers and says so", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const head = fs::path{path.string() + ".head"};
  auto log = open(path);
  REQUIRE(log.append(reads(1)).has_value());
  auto const flushed = content_of(path);
  auto const anchored = content_of(head);
  REQUIRE(log.append(reads(2, "/a/b")).has_value());
  auto const whole = content_of(path);

  // The crash came before the anchor was advanced.
  for (auto size = flushed.size(); size <= whole.size(); ++size) {
    overwrite(path, whole.substr(0, size));
    overwrite(head, anchored);
    auto const is_torn = whole[size - 1] != '\n';
    REQUIRE((flaw_of(path) == "") == !is_torn);
    auto again = open(path);
    REQUIRE(again.append(reads(1)).has_value());
    REQUIRE(flaw_of(path) == "");
    REQUIRE(content_of(path).starts_with(whole.substr(0, whole.rfind('\n', size - 1) + 1)));
    auto const whats = whats_of(path);
    REQUIRE(std::ranges::count(whats, "log.recovered") == (is_torn ? 1 : 0));
  }
}

TEST_CASE("a log recovers from a crash at any byte of its first write", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const head = fs::path{path.string() + ".head"};
  open(path);
  auto const whole = content_of(path);
  auto const first_anchor = content_of(head).substr(0, 512);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    overwrite(path, whole.substr(0, size));
    overwrite(head, first_anchor);
    REQUIRE(open(path).append(reads(1)).has_value());
    REQUIRE(flaw_of(path) == "");
  }
}

TEST_CASE("the record of a torn end says how many bytes it had and their digest", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  REQUIRE(open(path).append(reads(1)).has_value());
  // Longer than the record that takes its place.
  auto const torn = std::string(10'000, 'x') + "\n{\"v\":1,";
  std::ofstream{path, std::ios::app} << torn;
  open(path);
  auto const lines = lines_of(path);
  REQUIRE(lines.size() == 4);
  CHECK(lines[2].at("what") == "log.recovered");
  platform::sha256 hasher;
  CHECK(lines[2].at("object").as_string() == std::to_string(torn.size()) + " bytes, SHA-256 " +
                                                 platform::to_hex(hasher.digest_of(torn)));
  CHECK(verify_audit(path).value().recoveries == 1);
  CHECK(flaw_of(path) == "");
}

TEST_CASE("a torn anchor leaves the one before", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const head = fs::path{path.string() + ".head"};
  REQUIRE(open(path).append(reads(1)).has_value());
  auto const before = content_of(head);
  REQUIRE(open(path).append(reads(1)).has_value());
  auto const whole = content_of(head);
  REQUIRE(whole.size() == 1024);
  auto const newest = whole.substr(0, 512) == before.substr(0, 512) ? 512u : 0u;
  for (std::size_t at = 0; at < 100; at += 7) {
    auto torn = whole;
    std::fill_n(torn.begin() + newest + static_cast<std::ptrdiff_t>(at), 300, '\0');
    overwrite(head, torn);
    REQUIRE(verify_audit(path).value().ahead_of_anchor > 0);
    REQUIRE(flaw_of(path) == "");
  }
}

TEST_CASE("a log whose end, anchor or last record is gone is not continued", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const head = fs::path{path.string() + ".head"};
  REQUIRE(open(path).append(reads(3)).has_value());
  auto const whole = content_of(path);
  auto const anchor = content_of(head);
  auto const refused = [&] {
    auto const before = content_of(path);
    auto const opened = audit_file::open({path, never, 3});
    REQUIRE(code_of(opened) == errc::audit_broken);
    CHECK_FALSE(opened.error().remedy().empty());
    CHECK(content_of(path) == before);
  };
  overwrite(path, whole.substr(0, whole.rfind('\n', whole.size() - 2) + 1));
  refused();
  overwrite(path, whole.substr(0, whole.size() - 1));
  refused();
  overwrite(path, "");
  refused();
  fs::remove(path);
  refused();
  auto edited = whole;
  edited[edited.rfind("/data")] = '\\';
  overwrite(path, edited);
  refused();
  auto forged = whole.substr(0, whole.rfind('\n', whole.size() - 2) + 1);
  overwrite(path, forged);
  auto const before_last = lines_of(path).back();
  std::string line;
  append_audit_body(line, read_of("/data/FILE"),
                    {3, std::string{before_last.at("hash").as_string()}});
  append_audit_hash(line, platform::to_hex(platform::sha256{}.digest_of(line)));
  overwrite(path, forged + line);
  REQUIRE(content_of(path).size() == whole.size());
  refused();
  overwrite(path, whole);
  fs::remove(head);
  refused();
  overwrite(head, "");
  refused();
  overwrite(head, anchor);
  CHECK(audit_file::open({path, never, 3}).has_value());
}

TEST_CASE("a log that is touched while it is open is not continued", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto log = open(path);
  REQUIRE(log.append(reads(2)).has_value());
  auto const whole = content_of(path);
  overwrite(path, whole.substr(0, whole.size() / 2));
  auto const refused = log.append(reads(1));
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::audit_broken);
  CHECK(std::string{refused.error().what()}.find(folder.path().string()) == std::string::npos);
  overwrite(path, whole);
  CHECK(log.append(reads(1)).has_value());
  CHECK(flaw_of(path) == "");
  fs::rename(path, folder.path() / "moved");
  CHECK(log.append(reads(1)).error().code() == errc::audit_broken);
}

TEST_CASE("a log that has reached its size is put aside and the chain goes on", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto log = open(path, 2000, 50);
  for (auto i = 0; i < 20; ++i)
    REQUIRE(log.append(reads(1)).has_value());
  auto const aside = fs::path{path.string() + ".1"};
  REQUIRE(fs::exists(path.string() + ".2"));
  CHECK(fs::file_size(aside) >= 2000);
  CHECK(fs::file_size(aside) < 3000);
  auto const first = lines_of(path).front();
  CHECK(first.at("what") == "log.continued");
  CHECK(first.at("prev") == lines_of(aside).back().at("hash"));
  auto const report = verify_audit(path).value();
  CHECK_FALSE(report.finding);
  CHECK(report.first_seq == 1);
  CHECK(report.last_seq == log.last().seq);
  CHECK(report.records == report.last_seq);
  CHECK(report.files > 2);
}

TEST_CASE("only so many files are kept, and a record says what was removed", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  for (auto const keep : {3u, 2u, 1u}) {
    auto log = open(path, 1000, keep);
    for (auto i = 0; i < 30; ++i) {
      REQUIRE(log.append(reads(1)).has_value());
      REQUIRE(flaw_of(path) == "");
    }
    CHECK(fs::exists(path.string() + '.' + std::to_string(keep)));
    CHECK_FALSE(fs::exists(path.string() + '.' + std::to_string(keep + 1)));
    auto const whats = whats_of(path.string() + ".1");
    CHECK(std::ranges::count(whats, "log.removed") == 1);
  }
  CHECK(verify_audit(path).value().first_seq > 1);
}

TEST_CASE("a crash at any step of a rotation leaves a log that goes on", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const numbered = [&](int n) { return fs::path{path.string() + '.' + std::to_string(n)}; };
  {
    auto log = open(path, 1000, 5);
    for (auto i = 0; i < 8; ++i)
      REQUIRE(log.append(reads(1)).has_value());
  }
  REQUIRE(fs::exists(numbered(2)));
  REQUIRE_FALSE(fs::exists(numbered(4)));

  auto const highest = fs::exists(numbered(3)) ? 3 : 2;
  for (auto n = highest; n >= 0; --n) {
    fs::rename(n == 0 ? path : numbered(n), numbered(n + 1));
    CHECK(flaw_of(path) == "");
  }
  SECTION("before the next file is there") {}
  SECTION("before the next file has a record") {
    overwrite(path, "");
  }
  SECTION("in the middle of the next file's first record") {
    overwrite(path, "{\"v\":1,\"seq");
  }
  auto log = open(path, never, 5);
  REQUIRE(log.append(reads(1)).has_value());
  CHECK(whats_of(path).front() == "log.continued");
  CHECK(flaw_of(path) == "");
}

TEST_CASE("a log that was cut while it was put aside is not continued", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  REQUIRE(open(path).append(reads(2)).has_value());
  auto const aside = fs::path{path.string() + ".1"};
  fs::rename(path, aside);
  auto const whole = content_of(aside);
  overwrite(aside, whole.substr(0, whole.rfind('\n', whole.size() - 2) + 1));
  CHECK(code_of(audit_file::open({path, never, 3})) == errc::audit_broken);
  overwrite(aside, whole);
  CHECK(code_of(audit_file::open({path, never, 3})) == errc{});
}

TEST_CASE("a hole among the files that were put aside is filled", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto log = open(path, 1000, 3);
  for (auto i = 0; i < 4; ++i)
    REQUIRE(log.append(reads(1)).has_value());
  fs::rename(path.string() + ".1", path.string() + ".2");
  for (auto i = 0; i < 12; ++i) {
    REQUIRE(log.append(reads(1)).has_value());
    REQUIRE(flaw_of(path) == "");
  }
  CHECK_FALSE(fs::exists(path.string() + ".4"));
}

TEST_CASE("writers that take turns see what the other has written", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto first = open(path, 1000, 50);
  auto second = open(path, 1000, 50);
  for (auto i = 0; i < 10; ++i) {
    REQUIRE(first.append(reads(1)).has_value());
    REQUIRE(second.append(reads(1)).has_value());
    REQUIRE(flaw_of(path) == "");
  }
  auto const report = verify_audit(path).value();
  CHECK(report.records == 2 + 20 + report.files - 1);
}

TEST_CASE("processes that append to one log at the same time write one chain", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  auto const write_some = [&] {
    ::close(gate[1]);
    auto log = audit_file::open({path, 20'000, 100});
    // Neither begins before the other is there.
    char none = 0;
    if (::read(gate[0], &none, 1) != 0)
      return false;
    for (auto i = 0; log && i < 100; ++i)
      if (!log->append(reads(3)))
        return false;
    return log.has_value();
  };
  auto const first = start(write_some);
  auto const second = start(write_some);
  ::close(gate[0]);
  ::close(gate[1]);
  CHECK(succeeded(first));
  CHECK(succeeded(second));
  auto const report = verify_audit(path).value();
  CHECK_FALSE(report.finding);
  CHECK(report.files > 1);
  CHECK(report.records == 2 * (1 + 100 * 3) + report.files - 1);
}

TEST_CASE("a log that another process holds for too long is unavailable", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto log = audit_file::open({path, never, 3, std::chrono::milliseconds{20}}).value();
  auto const held = ::open((path.string() + ".head").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(held, LOCK_EX) == 0);
  auto const refused = log.append(reads(1));
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::audit_unavailable);
  ::close(held);
  CHECK(log.append(reads(1)).has_value());
}

TEST_CASE("a group that does not fit the disk is taken back, and the next append tries anew",
          "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const write_until_full = [&path] {
    std::signal(SIGXFSZ, SIG_IGN);
    auto log = audit_file::open({path, never, 3});
    if (!log || !log->append(reads(2)))
      return false;
    auto const before = content_of(path);
    rlimit const unlimited{RLIM_INFINITY, RLIM_INFINITY};
    // A group that fits in part, at every size of the part.
    for (rlim_t room = 0; room < 900; room += 13) {
      rlimit const limit{std::max<rlim_t>(before.size() + room, 1024), RLIM_INFINITY};
      if (limit.rlim_cur < before.size() + room)
        continue;
      ::setrlimit(RLIMIT_FSIZE, &limit);
      auto const failed = log->append(reads(3));
      if (!failed.has_error() || failed.error().code() != errc::audit_unavailable ||
          content_of(path) != before || verify_audit(path).value().finding)
        return false;
    }
    rlimit const wide{unlimited.rlim_max, unlimited.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &wide);
    return log->append(reads(3)).has_value() && !verify_audit(path).value().finding;
  };
  CHECK(succeeded(start(write_until_full)));
  CHECK(verify_audit(path).value().records == 6);
}

TEST_CASE("a rotation that fails on a full disk is made up for", "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const rotate_when_full = [&path] {
    std::signal(SIGXFSZ, SIG_IGN);
    auto log = audit_file::open({path, 100, 3});
    if (!log || !log->append(reads(2)))
      return false;
    // More than the anchor needs, less than the next group.
    rlimit const limit{1100, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto const failed = log->append(reads(4));
    if (!failed.has_error() || verify_audit(path).value().finding)
      return false;
    rlimit const wide{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &wide);
    return log->append(reads(4)).has_value();
  };
  CHECK(succeeded(start(rotate_when_full)));
  CHECK(flaw_of(path) == "");
  CHECK(verify_audit(path).value().last_seq >= 8);
}

TEST_CASE("a removal that could not be recorded is recorded once, and done after that",
          "[audit_file]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto const aside = fs::path{path.string() + ".1"};
  auto const rotate_when_full = [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    auto log = audit_file::open({path, 100, 1});
    if (!log || !log->append(reads(2)))
      return false;
    auto const oldest = content_of(aside);
    // The anchor fits, one record more does not.
    rlimit const limit{std::max<rlim_t>(fs::file_size(path) + 100, 1024), RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    for (auto i = 0; i < 3; ++i)
      if (log->append(reads(1)).has_value() || content_of(aside) != oldest)
        return false;
    rlimit const wide{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &wide);
    return log->append(reads(1)).has_value();
  };
  CHECK(succeeded(start(rotate_when_full)));
  auto const whats = whats_of(aside);
  CHECK(std::ranges::count(whats, "log.removed") == 1);
  CHECK(flaw_of(path) == "");
}
