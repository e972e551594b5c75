#include <bulkhead/config/units.hpp>

#include <bulkhead/config/quote.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace bulkhead::units {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: the renderers take the first that divides.
constexpr unit time_table[] = {{"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr unit binary_sizes[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}};
constexpr unit all_sizes[] = {
    {"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"GB", 1'000'000'000},
    {"MB", 1'000'000}, {"KB", 1000},      {"B", 1}};

/// What all of a policy's numbers fit in: the largest signed 64-bit integer.
constexpr auto ceiling = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

struct vocabulary {
  std::span<unit const> units;
  std::string_view noun;
  std::string_view choices;
  std::string_view example;
};

constexpr vocabulary times{time_table, "time", "ms, s, min, h", "\"30s\""};
constexpr vocabulary sizes{all_sizes, "size", "B, KiB, MiB, GiB, KB, MB, GB", "\"512MiB\""};

result<std::uint64_t> parse(std::string_view text, vocabulary const& words,
                            std::string_view usual_unit) {
  std::uint64_t number = 0;
  auto const [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  auto const name = text.substr(static_cast<std::size_t>(end - text.data()));
  if (fault != std::errc::invalid_argument && name.empty())
    return error{errc::policy_missing_unit,
                 quote(text) + " has no unit - write " + quote(std::string{text} += usual_unit)};

  auto const found = std::ranges::find(words.units, name, &unit::name);
  if (fault == std::errc::invalid_argument || found == words.units.end())
    return error{errc::policy_wrong_type, quote(text) + " is not a " + std::string{words.noun} +
                                              " - write a whole number and one of " +
                                              std::string{words.choices} + ", such as " +
                                              std::string{words.example}};
  if (fault == std::errc::result_out_of_range || number > ceiling / found->factor)
    return error{errc::policy_out_of_range, quote(text) + " is a larger " +
                                                std::string{words.noun} +
                                                " than this program can hold"};
  return number * found->factor;
}

std::string render(std::uint64_t number, std::span<unit const> table, std::string_view zero) {
  if (number == 0)
    return std::string{zero};
  auto const fits =
      std::ranges::find_if(table, [&](unit const& u) { return number % u.factor == 0; });
  return std::to_string(number / fits->factor) + std::string{fits->name};
}

} // namespace

result<std::chrono::milliseconds> parse_time(std::string_view text, std::string_view usual_unit) {
  auto const parsed = parse(text, times, usual_unit);
  if (!parsed)
    return parsed.error();
  return std::chrono::milliseconds{static_cast<std::int64_t>(*parsed)};
}

result<std::size_t> parse_size(std::string_view text, std::string_view usual_unit) {
  return parse(text, sizes, usual_unit);
}

std::string time_text(std::chrono::milliseconds time) {
  return render(static_cast<std::uint64_t>(time.count()), time_table, "0s");
}

std::string size_text(std::size_t bytes) {
  return render(bytes, binary_sizes, "0B");
}

std::string number_text(double number) {
  std::array<char, 32> digits{};
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  std::string text{digits.data(), end};
  if (text.find_first_not_of("-0123456789") == std::string::npos)
    text += ".0";
  return text;
}

std::string_view unit_of(std::string_view text) noexcept {
  auto const digits = text.find_first_not_of("0123456789");
  return digits == std::string_view::npos ? std::string_view{} : text.substr(digits);
}

} // namespace bulkhead::units
