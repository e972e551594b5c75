#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/audit_file.hpp>
#include <bulkhead/platform/audit_verify.hpp>

#include <fstream>
#include <numeric>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace bulkhead;
using platform::audit_file;
using platform::audit_finding;
using platform::audit_flaw;
using platform::verify_audit;
using testing::content_of;
using testing::temporary_directory;
using lines = std::vector<std::string>;

constexpr std::uint64_t never = 1 << 30;

audit_record denied(std::string object, std::string what = "fs.readFile") {
  audit_record record;
  record.time = std::chrono::system_clock::now();
  record.host = "h";
  record.what = std::move(what);
  record.object = std::move(object);
  record.outcome = audit_outcome::denied;
  record.code = errc::path_denied;
  return record;
}

/// A log of six records, and what can be done to it.
class small_log {
public:
  small_log() {
    auto log = audit_file::open({path_, never, 3}).value();
    for (auto const* const object : {"/a", "/b", "/c", "/d", "/e"})
      log.append(std::vector{denied(object)}).value();
    std::ifstream file{path_};
    for (std::string line; std::getline(file, line);)
      written_.push_back(line);
  }

  fs::path const& path() const noexcept { return path_; }
  lines const& written() const noexcept { return written_; }
  std::string text() const {
    return std::accumulate(written_.begin(), written_.end(), std::string{},
                           [](auto all, auto const& line) { return all + line + '\n'; });
  }

  std::optional<audit_finding> finding_in(std::string_view content) const {
    std::ofstream{path_, std::ios::binary | std::ios::trunc} << content;
    return verify_audit(path_).value().finding;
  }

  std::optional<audit_finding> finding_in(lines const& changed) {
    auto const kept = std::exchange(written_, changed);
    auto const content = text();
    written_ = kept;
    return finding_in(content);
  }

private:
  temporary_directory folder_;
  fs::path path_ = folder_.path() / "audit.jsonl";
  lines written_;
};

/// A record with a hash of its own that is right, as somebody writes who knows the format.
std::string forged(audit_position const& last, audit_record const& record) {
  std::string line;
  append_audit_body(line, record, last);
  platform::sha256 hasher;
  append_audit_hash(line, platform::to_hex(hasher.digest_of(line)));
  line.pop_back();
  return line;
}

audit_position position_of(std::string const& line) {
  auto const read = read_audit_line(line).value();
  return {read.seq, std::string{read.hash}};
}

} // namespace

TEST_CASE("a log as it was written is unbroken", "[audit_verify]") {
  small_log const log;
  auto const report = verify_audit(log.path()).value();
  CHECK_FALSE(report.finding);
  CHECK(report.records == 6);
  CHECK(report.first_seq == 1);
  CHECK(report.last_seq == 6);
  CHECK(report.files == 1);
  CHECK(report.ahead_of_anchor == 0);
  CHECK(report.first_time == read_audit_line(log.written().front())->time);
  CHECK(report.last_time == read_audit_line(log.written().back())->time);
}

TEST_CASE("every edit of a single byte is found at its line", "[audit_verify]") {
  small_log const log;
  auto const text = log.text();
  std::uint64_t line = 1;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (auto const bit : {0x01, 0x20}) {
      auto edited = text;
      edited[at] = static_cast<char>(edited[at] ^ bit);
      auto const finding = log.finding_in(edited);
      REQUIRE(finding);
      REQUIRE(finding->line == line);
    }
    line += text[at] == '\n' ? 1u : 0u;
  }
}

TEST_CASE("every record that is removed is found", "[audit_verify]") {
  small_log log;
  for (std::size_t at = 0; at < log.written().size(); ++at) {
    auto changed = log.written();
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(at));
    auto const finding = log.finding_in(changed);
    REQUIRE(finding);
    CHECK(finding->flaw ==
          (at + 1 == log.written().size() ? audit_flaw::truncated : audit_flaw::removed));
  }
}

TEST_CASE("every truncation is found, at a record's end and within one", "[audit_verify]") {
  small_log const log;
  auto const text = log.text();
  for (std::size_t size = 0; size < text.size(); ++size) {
    auto const finding = log.finding_in(text.substr(0, size));
    REQUIRE(finding);
    auto const at_end = size == 0 || text[size - 1] == '\n';
    REQUIRE(finding->flaw == (at_end ? audit_flaw::truncated : audit_flaw::torn));
  }
}

TEST_CASE("records that change places are found", "[audit_verify]") {
  small_log log;
  for (std::size_t a = 0; a < log.written().size(); ++a)
    for (auto b = a + 1; b < log.written().size(); ++b) {
      auto changed = log.written();
      std::swap(changed[a], changed[b]);
      auto const finding = log.finding_in(changed);
      REQUIRE(finding);
      if (a != 0 && b == a + 1)
        CHECK(finding->flaw == audit_flaw::reordered);
    }
}

TEST_CASE("a record that stands there twice is found", "[audit_verify]") {
  small_log log;
  for (std::size_t at = 0; at < log.written().size(); ++at)
    for (std::size_t to = 0; to <= log.written().size(); ++to) {
      auto changed = log.written();
      changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(to), log.written()[at]);
      auto const finding = log.finding_in(changed);
      REQUIRE(finding);
      if (to == at + 1)
        CHECK(finding->flaw == audit_flaw::duplicated);
    }
}

TEST_CASE("a forged record is found where it was put", "[audit_verify]") {
  small_log log;
  for (std::size_t at = 1; at < log.written().size(); ++at) {
    auto changed = log.written();
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(at),
                   forged(position_of(changed[at - 1]), denied("/forged")));
    auto const finding = log.finding_in(changed);
    REQUIRE(finding);
    // One in the last record's place is not the one that is anchored.
    auto const is_last = at + 1 == log.written().size();
    CHECK(finding->flaw == (is_last ? audit_flaw::edited : audit_flaw::inserted));
    CHECK(finding->line == at + (is_last ? 1 : 2));
  }
}

TEST_CASE("a record that was replaced with its hash is found by the next one or the anchor",
          "[audit_verify]") {
  small_log log;
  for (std::size_t at = 0; at < log.written().size(); ++at) {
    auto changed = log.written();
    auto const before = at == 0 ? audit_position{} : position_of(changed[at - 1]);
    changed[at] = forged(before, denied("/forged"));
    auto const finding = log.finding_in(changed);
    REQUIRE(finding);
    CHECK(finding->flaw == audit_flaw::edited);
  }
}

TEST_CASE("a chain that was forged to its end is found by the anchor", "[audit_verify]") {
  small_log log;
  for (auto const length : {5, 6, 7}) {
    lines changed;
    audit_position last;
    for (auto i = 0; i < length; ++i) {
      changed.push_back(forged(last, denied("/forged")));
      last = position_of(changed.back());
    }
    CHECK(log.finding_in(changed));
  }
}

TEST_CASE("what is no record is told from one that was edited", "[audit_verify]") {
  small_log log;
  auto const flaw_of = [&](std::string line) {
    auto changed = log.written();
    changed[2] = std::move(line);
    auto const finding = log.finding_in(changed);
    REQUIRE(finding);
    CHECK(finding->line == 3);
    CHECK(finding->file == log.path());
    return finding->flaw;
  };
  CHECK(flaw_of("") == audit_flaw::not_json);
  CHECK(flaw_of("hello") == audit_flaw::not_json);
  CHECK(flaw_of("[1]") == audit_flaw::not_json);
  CHECK(flaw_of(std::string(100'000, '[')) == audit_flaw::not_json);
  CHECK(flaw_of("{\"v\":2,\"seq\":3}") == audit_flaw::unknown_format);
  CHECK(flaw_of("{\"v\":1,\"seq\":3}") == audit_flaw::edited);
  CHECK(flaw_of(" " + log.written()[2]) == audit_flaw::edited);
  CHECK(flaw_of(log.written()[2] + "\r") == audit_flaw::edited);
}

TEST_CASE("a finding is an error that names file, line, flaw and remedy", "[audit_verify]") {
  small_log log;
  auto changed = log.written();
  changed.erase(changed.begin() + 2);
  auto const failed = log.finding_in(changed).value().as_error();
  CHECK(failed.code() == errc::audit_broken);
  CHECK(failed.detail() == log.path().string() + ":3: removed: number 4 stands where 3 should");
  CHECK_FALSE(failed.remedy().empty());
}

TEST_CASE("a log without its anchor is not called unbroken", "[audit_verify]") {
  small_log const log;
  auto const head = log.path().string() + ".head";
  fs::resize_file(head, 100);
  CHECK(verify_audit(log.path()).value().finding->flaw == audit_flaw::no_anchor);
  fs::remove(head);
  CHECK(verify_audit(log.path()).value().finding->flaw == audit_flaw::no_anchor);
}

TEST_CASE("records ahead of the anchor are no flaw, and said", "[audit_verify]") {
  small_log const log;
  auto const next = forged(position_of(log.written().back()), denied("/crash"));
  CHECK_FALSE(log.finding_in(log.text() + next + '\n'));
  auto const report = verify_audit(log.path()).value();
  CHECK(report.ahead_of_anchor == 1);
  CHECK(report.last_seq == 7);
}

TEST_CASE("a file of a rotated log that is missing or cut is found", "[audit_verify]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  {
    auto log = audit_file::open({path, 1000, 5}).value();
    for (auto i = 0; i < 12; ++i)
      REQUIRE(log.append(std::vector{denied("/a")}).has_value());
  }
  auto const numbered = [&](int n) { return path.string() + '.' + std::to_string(n); };
  REQUIRE(fs::exists(numbered(3)));
  REQUIRE_FALSE(verify_audit(path).value().finding);
  auto oldest = 3;
  while (fs::exists(numbered(oldest + 1)))
    ++oldest;
  for (auto n = 0; n <= oldest; ++n) {
    auto const file = n == 0 ? path.string() : numbered(n);
    auto const whole = content_of(file);
    fs::resize_file(file, whole.size() - 10);
    CHECK(verify_audit(path).value().finding->flaw == audit_flaw::torn);
    fs::resize_file(file, whole.rfind('\n', whole.size() - 2) + 1);
    CHECK(verify_audit(path).value().finding->flaw ==
          (n == 0 ? audit_flaw::truncated : audit_flaw::removed));
    fs::remove(file);
    CHECK(verify_audit(path).value().finding->flaw ==
          (n == 0 ? audit_flaw::truncated : audit_flaw::removed));
    std::ofstream{file, std::ios::binary} << whole;
    REQUIRE_FALSE(verify_audit(path).value().finding);
  }
}

TEST_CASE("a record of an extension can't excuse that files are missing", "[audit_verify]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto log = audit_file::open({path, 1000, 5}).value();
  for (auto i = 0; i < 8; ++i)
    REQUIRE(log.append(std::vector{denied("records before 100", "log.removed")}).has_value());
  auto oldest = 1;
  while (fs::exists(path.string() + '.' + std::to_string(oldest + 1)))
    ++oldest;
  fs::remove(path.string() + '.' + std::to_string(oldest));
  auto const finding = verify_audit(path).value().finding;
  REQUIRE(finding);
  CHECK(finding->flaw == audit_flaw::removed);
}

TEST_CASE("files beside the log that are not its own are left alone", "[audit_verify]") {
  small_log const log;
  fs::rename(log.path(), log.path().string() + ".1");
  for (auto const* const suffix : {".01", ".bak", ".1x", ".", ".0", ".99999999999999", "1"})
    std::ofstream{log.path().string() + suffix} << "something else\n";
  CHECK_FALSE(verify_audit(log.path()).value().finding);
}

TEST_CASE("a log that is missing or no file can't be used", "[audit_verify]") {
  temporary_directory const folder;
  REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
  for (auto const& path : {folder.path() / "missing", folder.path() / "no" / "folder",
                           folder.path(), folder.path() / "pipe", fs::path{}}) {
    auto const report = verify_audit(path);
    REQUIRE(report.has_error());
    CHECK(report.error().code() == errc::audit_file_unusable);
    CHECK_FALSE(report.error().remedy().empty());
  }
}

TEST_CASE("who verifies a long log hears how far it is", "[audit_verify]") {
  temporary_directory const folder;
  auto const path = folder.path() / "audit.jsonl";
  auto log = audit_file::open({path, never, 3}).value();
  REQUIRE(log.append(std::vector<audit_record>(3000, denied("/a"))).has_value());
  std::vector<std::uint64_t> heard;
  auto const listen = [&](std::uint64_t records) { heard.push_back(records); };
  REQUIRE_FALSE(verify_audit(path, listen, std::chrono::seconds{0}).value().finding);
  REQUIRE_FALSE(heard.empty());
  CHECK(heard.front() == 1024);
  heard.clear();
  REQUIRE_FALSE(verify_audit(path, listen, std::chrono::hours{1}).value().finding);
  CHECK(heard.empty());
}
