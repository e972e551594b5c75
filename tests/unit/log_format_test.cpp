#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/log_format.hpp>
#include <bulkhead/messages/json.hpp>

#include <boost/json/parse.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sstream>

using namespace bulkhead;

namespace {

json logged(std::string const& message, spdlog::level::level_enum level = spdlog::level::warn) {
  std::ostringstream out;
  spdlog::logger log{"any", std::make_shared<spdlog::sinks::ostream_sink_st>(out)};
  log.set_formatter(json_log_formatter());
  log.log(level, message);
  auto const line = out.str();
  REQUIRE(line.find('\n') == line.size() - 1);
  return boost::json::parse(line);
}

} // namespace

TEST_CASE("a message of the log is one object, with the host that it is about") {
  auto const line = logged("[formatter] stderr: it broke");
  CHECK(line.at("level") == "warning");
  CHECK(line.at("host") == "formatter");
  CHECK(line.at("message") == "stderr: it broke");
  std::string const time{line.at("time").as_string()};
  CHECK(time.size() == std::string_view{"2026-11-22T11:40:00.123Z"}.size());
  CHECK(time[10] == 'T');
  CHECK(time.back() == 'Z');
  CHECK(line.as_object().size() == 4);
}

TEST_CASE("a message about no host has none") {
  auto const line = logged("the audit log can't be written", spdlog::level::err);
  CHECK(line.as_object().contains("host") == false);
  CHECK(line.at("level") == "error");
}

TEST_CASE("nothing that an extension prints makes a second line or a member of its own") {
  auto const line = logged("[a] stdout: x\"}\n{\"level\":\"info\",\"host\":\"b\"} \xff");
  CHECK(line.at("host") == "a");
  CHECK(line.at("message") == "stdout: x\"}\n{\"level\":\"info\",\"host\":\"b\"} \xEF\xBF\xBD");
}
