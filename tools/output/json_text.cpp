#include "output/json_text.hpp"

#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>

namespace bulkhead::tool {
namespace {

/// Longer than the shortest text of any double (24 characters: -2.2250738585072014e-308).
constexpr std::size_t longest_number = 32;

void append(std::string& text, json const& value);

void append(std::string& text, double number) {
  std::array<char, longest_number> digits;
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), end);
}

void append(std::string& text, boost::json::array const& elements) {
  text += '[';
  for (auto const& element : elements) {
    if (&element != elements.begin())
      text += ',';
    append(text, element);
  }
  text += ']';
}

void append(std::string& text, boost::json::object const& members) {
  text += '{';
  for (auto const& member : members) {
    if (&member != members.begin())
      text += ',';
    text += boost::json::serialize(member.key());
    text += ':';
    append(text, member.value());
  }
  text += '}';
}

void append(std::string& text, json const& value) {
  if (value.is_double())
    append(text, value.get_double());
  else if (value.is_array())
    append(text, value.get_array());
  else if (value.is_object())
    append(text, value.get_object());
  else
    text += boost::json::serialize(value);
}

} // namespace

std::string json_text(json const& value) {
  std::string text;
  append(text, value);
  return text;
}

} // namespace bulkhead::tool
