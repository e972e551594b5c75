// `bulkhead audit verify` on logs that were written, changed and removed.

#include "run_command.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/audit_file.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using bulkhead::audit_record;
using bulkhead::platform::audit_file;
using namespace bulkhead::testing;

namespace {

/// Three records: that the log was opened, and two of a host.
class written_log {
public:
  written_log() {
    constexpr std::uint64_t no_rotation = 1 << 30;
    auto log = audit_file::open({path(), no_rotation, 1}).value();
    for (auto const* const object : {"/a", "/b"}) {
      audit_record record;
      record.time = std::chrono::system_clock::now();
      record.host = "h";
      record.what = "fs.readFile";
      record.object = object;
      log.append(std::vector{record}).value();
    }
  }

  std::string path() const { return (folder_.path() / "audit.jsonl").string(); }

  void replace(std::string_view text, std::string_view by) const {
    auto content = content_of(path());
    auto const at = content.find(text);
    REQUIRE(at != std::string::npos);
    content.replace(at, text.size(), by);
    std::ofstream{path(), std::ios::binary | std::ios::trunc} << content;
  }

  ran_command verify(std::vector<std::string> const& options = {}) const {
    return run_bulkhead({"audit", "verify", path()}, options);
  }

private:
  temporary_directory folder_;
};

} // namespace

TEST_CASE("an audit log that nobody changed is said to be unbroken", "[command]") {
  written_log const log;
  auto const told = log.verify();
  CAPTURE(told.output, told.errors);
  CHECK(told.exit_code == 0);
  CHECK(told.output.starts_with("3 records, seq 1–3, from "));
  CHECK(told.output.ends_with(": unbroken\n"));
  CHECK(told.errors.empty());

  auto const report = boost::json::parse(log.verify({"--json"}).output);
  CHECK(report.at("unbroken") == true);
  CHECK(report.at("records") == 3);
}

TEST_CASE("a changed audit log ends with 1, and the first flaw is named with its line",
          "[command]") {
  written_log const log;
  log.replace("\"/a\"", "\"/x\"");
  auto const told = log.verify();
  CAPTURE(told.errors);
  CHECK(told.exit_code == 1);
  CHECK(told.output.empty());
  CHECK(contains(told.errors, "audit.jsonl:2: "));
  CHECK(contains(told.errors, "edited"));
  CHECK(contains(told.errors, "audit_broken, 4611"));

  auto const as_json = log.verify({"--json"});
  CHECK(as_json.exit_code == 1);
  auto const report = boost::json::parse(as_json.output);
  CHECK(report.at("unbroken") == false);
  CHECK(report.at("finding").at("flaw") == "edited");
  CHECK(report.at("finding").at("line") == 2);
}

TEST_CASE("an audit log that is not there is an error and no empty log", "[command]") {
  written_log const log;
  std::filesystem::remove(log.path());
  auto const told = log.verify();
  CAPTURE(told.errors);
  CHECK(told.exit_code == 1);
  CHECK(told.output.empty());
  CHECK(contains(told.errors, "audit"));
}
