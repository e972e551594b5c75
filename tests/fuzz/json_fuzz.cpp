// Any text through the strict JSON reader, against Boost.JSON: what the reader accepts is JSON and
// means the same there, and what it refuses for its syntax or its bytes is no JSON there either.
#include "fuzz_target.hpp"

#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/messages/json_member.hpp>

#include <boost/json.hpp>

#include <cctype>
#include <optional>
#include <string>

using namespace bulkhead;
using fuzz::require;

namespace {

std::optional<boost::json::value> parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = static_cast<std::size_t>(wire::max_depth) - 1; // of a payload
  boost::system::error_code failed;
  auto value = boost::json::parse({text.data(), text.size()}, failed, {}, options);
  return failed ? std::nullopt : std::optional{std::move(value)};
}

/// What can be told of a JSON text by looking at what stands outside its strings.
struct outline {
  std::size_t members = 0;
  std::size_t longest_number = 0; ///< in digits
  bool has_exponent = false;
};

outline outline_of(std::string_view json) {
  outline seen;
  std::size_t digits = 0;
  for (std::size_t at = 0; at < json.size(); ++at) {
    char const c = json[at];
    if (c == '"') {
      for (++at; json[at] != '"'; ++at)
        at += json[at] == '\\' ? 1u : 0u;
    }
    bool const is_digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    seen.has_exponent = seen.has_exponent || ((c == 'e' || c == 'E') && digits > 0);
    digits = is_digit ? digits + 1 : 0;
    seen.longest_number = std::max(seen.longest_number, digits);
    seen.members += c == ':' ? 1u : 0u;
  }
  return seen;
}

std::size_t members_of(boost::json::value const& value) {
  std::size_t members = 0;
  if (auto const* const object = value.if_object()) {
    members = object->size();
    for (auto const& [key, member] : *object)
      members += members_of(member);
  } else if (auto const* const array = value.if_array()) {
    for (auto const& element : *array)
      members += members_of(element);
  }
  return members;
}

void check_accepted(std::string_view text) {
  auto const value = parse(text);
  require(value.has_value(), "what the reader accepts is JSON to Boost.JSON");
  require(wire::is_utf8(text), "what the reader accepts is UTF-8");
  require(outline_of(text).members == members_of(*value), "no key of an object is there twice");
  if (auto const* const object = value->if_object()) {
    for (auto const& [key, member] : *object) {
      auto const found = string_member(text, {key.data(), key.size()});
      require(found.has_value() == member.is_string(), "a member is found if it is a string");
      require(!found || *found == member.as_string(), "a member's text is what Boost.JSON reads");
    }
    require(string_member(text, "no such key \x01") == std::nullopt, "no other key is found");
  }
}

void check_refused(std::string_view text, errc why) {
  auto const value = parse(text);
  if (!value)
    return;
  auto const seen = outline_of(text);
  if (why == errc::json_duplicate_key)
    require(seen.members > members_of(*value), "a key that is called a duplicate is one");
  else if (why == errc::json_number)
    require(seen.longest_number >= 19 || seen.has_exponent, "a number that is refused is large");
  else
    require(false, "what the reader refuses for its form is no JSON to Boost.JSON");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  static wire::frame_scanner used; // by all inputs before this one
  auto const text = fuzz::text_of(bytes, size);
  auto const refused = wire::frame_scanner{}.validate(text);
  require(used.validate(text) == refused, "a scanner remembers nothing of earlier texts");

  wire::envelope found;
  auto const frame = R"({"id":"","type":"t","payload":)" + std::string{text} + '}';
  require(used.scan(frame, found).has_value() == refused.has_value(),
          "a text is as good by itself as in a frame");
  if (refused)
    check_refused(text, *refused);
  else
    check_accepted(text);
  return 0;
}
