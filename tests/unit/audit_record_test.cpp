#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/audit_record.hpp>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace {

using namespace bulkhead;
using std::chrono::microseconds;
using std::chrono::system_clock;

std::string const some_hash(audit_hash_size, 'a');

audit_record denied_read() {
  audit_record record;
  record.time = system_clock::time_point{microseconds{1'772'366'400'000'250}};
  record.host = "formatter";
  record.what = "fs.readFile";
  record.object = "/etc/shadow";
  record.rule = "deny /etc/**, line 12";
  record.outcome = audit_outcome::denied;
  record.code = errc::path_denied;
  record.count = 3;
  return record;
}

std::string line_of(audit_record const& record, audit_position const& last = {}) {
  std::string line;
  append_audit_body(line, record, last);
  append_audit_hash(line, some_hash);
  line.pop_back();
  return line;
}

/// What a reader of the JSON sees of an object.
std::string written_object(std::string object) {
  auto record = denied_read();
  record.object = std::move(object);
  auto const line = line_of(record);
  CHECK(read_audit_line(line));
  CHECK(line.size() < max_audit_line);
  return boost::json::parse(line).at("object").as_string().c_str();
}

} // namespace

TEST_CASE("a record is one line with its members in a fixed order", "[audit_record]") {
  CHECK(line_of(denied_read(), {16, std::string(64, '7')}) ==
        R"({"v":1,"seq":17,"time":"2026-03-01T12:00:00.000250Z","prev":")" + std::string(64, '7') +
            R"(","host":"formatter","what":"fs.readFile","object":"/etc/shadow",)"
            R"("rule":"deny /etc/**, line 12","outcome":"denied","code":"path_denied",)"
            R"("count":3,"hash":")" +
            some_hash + R"("})");
}

TEST_CASE("the first record is number 1 and follows zeros; one that was allowed has no code",
          "[audit_record]") {
  auto record = denied_read();
  record.outcome = audit_outcome::allowed;
  record.code = {};
  auto const line = boost::json::parse(line_of(record));
  CHECK(line.at("seq") == 1);
  CHECK(line.at("prev").as_string() == std::string(64, '0'));
  CHECK(line.at("outcome") == "allowed");
  CHECK(line.at("code") == "");
}

TEST_CASE("times are RFC 3339 in UTC with microseconds", "[audit_record]") {
  auto const at = [](std::int64_t us) {
    return audit_time(system_clock::time_point{microseconds{us}});
  };
  CHECK(at(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(at(951'782'399'999'999) == "2000-02-28T23:59:59.999999Z");
  CHECK(at(951'782'400'000'000) == "2000-02-29T00:00:00.000000Z");
  CHECK(at(-1) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("no text can break the line or steer a terminal", "[audit_record]") {
  CHECK(written_object("a\"b\\c") == "a\"b\\c");
  CHECK(written_object("\",\"outcome\":\"allowed") == "\",\"outcome\":\"allowed");
  CHECK(written_object("line\nbreak\x1b[2J\x7f") == "line\nbreak\x1b[2J\x7f");
  CHECK(written_object("\u202e\u2028\u0085\u2066") == "\u202e\u2028\u0085\u2066");
  CHECK(written_object("grün \U0001F600") == "grün \U0001F600");
  CHECK(written_object("\xff|\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82") ==
        R"(\xff|\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82)");

  auto record = denied_read();
  for (auto c = 0; c < 256; ++c)
    record.object += static_cast<char>(c);
  record.object += "\u202e\u2028\u0085\u2066";
  auto const line = line_of(record);
  CHECK(std::ranges::none_of(line, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }));
  for (auto const* const hidden : {"\u202e", "\u2028", "\u0085", "\u2066"})
    CHECK(line.find(hidden) == line.npos);
}

TEST_CASE("a long text is cut between two characters and says so", "[audit_record]") {
  CHECK(written_object(std::string(max_audit_text, 'x')) == std::string(max_audit_text, 'x'));
  CHECK(written_object(std::string(max_audit_text + 1, 'x')) ==
        std::string(max_audit_text, 'x') + " … (1 bytes more)");
  // Wherever the cut falls in a character of three bytes.
  for (std::string euros : {"", "x", "xx"}) {
    while (euros.size() < max_audit_text + 100)
      euros += "€";
    auto const cut = written_object(euros);
    CHECK(cut.find("\\x") == cut.npos);
    CHECK(cut.find("€ … (") != cut.npos);
  }
}

TEST_CASE("the longest record fits the longest line", "[audit_record]") {
  audit_record record;
  record.time = system_clock::now();
  record.host = record.what = record.object = record.rule = std::string(100'000, '\x01');
  record.outcome = audit_outcome::denied;
  record.code = errc::audit_file_unusable;
  record.count = UINT64_MAX;
  auto const line = line_of(record, {UINT64_MAX - 1, some_hash});
  CHECK(line.size() < max_audit_line);
  CHECK(read_audit_line(line)->seq == UINT64_MAX);
}

TEST_CASE("a line is taken apart as it was put together", "[audit_record]") {
  auto const line = line_of(denied_read(), {16, std::string(64, '7')});
  auto const read = read_audit_line(line);
  REQUIRE(read);
  CHECK(read->seq == 17);
  CHECK(read->previous_hash == std::string(64, '7'));
  CHECK(read->hash == some_hash);
  CHECK(read->time == "2026-03-01T12:00:00.000250Z");
  CHECK(read->what == "fs.readFile");
  CHECK(read->object == "/etc/shadow");
  CHECK(read->outcome == "denied");
  CHECK(std::string{read->body} + ",\"hash\":\"" + some_hash + "\"}" == line);
}

TEST_CASE("a line that was cut, continued or is of another form is none", "[audit_record]") {
  auto const line = line_of(denied_read());
  for (std::size_t size = 0; size < line.size(); ++size)
    REQUIRE_FALSE(read_audit_line(std::string_view{line}.substr(0, size)));
  CHECK_FALSE(read_audit_line(line + " "));
  CHECK_FALSE(read_audit_line(" " + line));
  for (auto const& [from, to] : {std::pair{"\"v\":1", "\"v\":2"},
                                 {"\"seq\":1", "\"seq\":01"},
                                 {"\"seq\":1", "\"seq\":"},
                                 {"\"seq\":1", "\"seq\":-1"},
                                 {"\"seq\":1", "\"seq\":99999999999999999999"},
                                 {"\"hash\":\"a", "\"hash\":\"A"},
                                 {"\"hash\":\"a", "\"hash\":\""},
                                 {"/etc", "\n/etc"}}) {
    auto changed = line;
    changed.replace(changed.find(from), std::string_view{from}.size(), to);
    CHECK_FALSE(read_audit_line(changed));
  }
}

TEST_CASE("only the log's own notes are taken for such", "[audit_record]") {
  auto record = denied_read();
  record.what = "log.removed";
  CHECK_FALSE(read_audit_line(line_of(record))->is_note("log.removed"));
  record.outcome = audit_outcome::noted;
  auto const line = line_of(record);
  CHECK(read_audit_line(line)->is_note("log.removed"));
  CHECK_FALSE(read_audit_line(line)->is_note("log.recovered"));
}
