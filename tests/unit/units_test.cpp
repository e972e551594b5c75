#include <bulkhead/config/nearest.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/units.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <array>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

errc code_of_time(std::string_view text) {
  return units::parse_time(text, "s").error().code();
}
errc code_of_size(std::string_view text) {
  return units::parse_size(text, "MiB").error().code();
}

} // namespace

TEST_CASE("a time is a whole number and its unit") {
  CHECK(units::parse_time("250ms", "s").value() == 250ms);
  CHECK(units::parse_time("30s", "s").value() == 30s);
  CHECK(units::parse_time("5min", "s").value() == 5min);
  CHECK(units::parse_time("1h", "s").value() == 1h);
  CHECK(units::parse_time("0s", "s").value() == 0ms);
}

TEST_CASE("a size is a whole number and its binary or decimal unit") {
  CHECK(units::parse_size("7B", "B").value() == 7);
  CHECK(units::parse_size("64KiB", "B").value() == 65'536);
  CHECK(units::parse_size("512MiB", "B").value() == 536'870'912);
  CHECK(units::parse_size("2GiB", "B").value() == 2'147'483'648);
  CHECK(units::parse_size("64KB", "B").value() == 64'000);
  CHECK(units::parse_size("512MB", "B").value() == 512'000'000);
  CHECK(units::parse_size("2GB", "B").value() == 2'000'000'000);
}

TEST_CASE("a number without a unit is told which one to write") {
  auto const size = units::parse_size("512", "MiB");
  REQUIRE(!size);
  CHECK(size.error().code() == errc::policy_missing_unit);
  CHECK(size.error().detail() == "\"512\" has no unit - write \"512MiB\"");
  CHECK(code_of_time("30") == errc::policy_missing_unit);
}

TEST_CASE("what is no number with a unit is refused with the units there are") {
  for (char const* text :
       {"", "s", "-5s", "+5s", "1.5s", "5 s", " 5s", "5s ", "5S", "5min5", "0x5s"})
    CHECK(code_of_time(text) == errc::policy_wrong_type);
  for (char const* text : {"", "512Mb", "512mib", "512M", "MiB", "1e3B"})
    CHECK(code_of_size(text) == errc::policy_wrong_type);
  CHECK(units::parse_time("5 s", "s").error().detail() ==
        "\"5 s\" is not a time - write a whole number and one of ms, s, min, h, such as \"30s\"");
}

TEST_CASE("a number that overflows with its unit is out of range") {
  CHECK(code_of_size("99999999999GiB") == errc::policy_out_of_range);
  CHECK(code_of_size("99999999999999999999999B") == errc::policy_out_of_range);
  CHECK(code_of_time("9223372036854775807s") == errc::policy_out_of_range);
  CHECK(units::parse_time("9223372036854775807ms", "s").value().count() == 9223372036854775807);
}

TEST_CASE("times and sizes are shown in the largest unit that is exact") {
  CHECK(units::time_text(0ms) == "0s");
  CHECK(units::time_text(1500ms) == "1500ms");
  CHECK(units::time_text(30s) == "30s");
  CHECK(units::time_text(300s) == "5min");
  CHECK(units::time_text(24h) == "24h");
  CHECK(units::size_text(0) == "0B");
  CHECK(units::size_text(1000) == "1000B");
  CHECK(units::size_text(50u << 20) == "50MiB");
  CHECK(units::number_text(2) == "2.0");
  CHECK(units::number_text(0.1) == "0.1");
  CHECK(units::number_text(1e300) == "1e+300");
  CHECK(units::unit_of("50MiB") == "MiB");
  CHECK(units::unit_of("50").empty());
}

TEST_CASE("the nearest word is one slip away for every three letters") {
  constexpr std::array<std::string_view, 4> words{"memory", "frame", "in_flight", "max"};
  CHECK(nearest("memmory", words) == "memory");
  CHECK(nearest("meomry", words) == "memory");
  CHECK(nearest("fram", words) == "frame");
  CHECK(nearest("inflght", words) == "in_flight");
  CHECK(nearest("may", words) == "max");
  CHECK_FALSE(nearest("mab1", words));
  CHECK_FALSE(nearest("something", words));
  CHECK_FALSE(nearest(std::string(100'000, 'm'), words));
  CHECK_FALSE(nearest("", words));
}

TEST_CASE("a quote can't steer a terminal and stays short") {
  CHECK(quote("a\"b\\c\x1b[2J\n\x7f") == R"("a\"b\\c\u001b[2J\u000a\u007f")");
  CHECK(quote(std::string(80, 'x')) == '"' + std::string(80, 'x') + '"');
  CHECK(quote(std::string(81, 'x')) == '"' + std::string(80, 'x') + "...\"");
  CHECK(quote(std::string(79, 'x') + "\u00e4y") == '"' + std::string(79, 'x') + "...\"");
}
