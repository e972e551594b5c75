// A pattern on the first line and a path on each other, against a matcher without regular
// expressions.
#include "fuzz_target.hpp"
#include "plain_glob.hpp"

#include <bulkhead/config/glob.hpp>

#include <algorithm>
#include <string>

using namespace bulkhead;
using fuzz::require;

namespace {

/// Beyond these the plain matcher takes longer than what it is to check.
constexpr std::size_t longest_input = 1024;
constexpr std::size_t most_alternatives = 64;

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  if (size > longest_input)
    return 0;
  auto const lines = fuzz::lines_of(fuzz::text_of(bytes, size));
  auto const pattern = lines.front();
  auto const alternatives = parse_glob(pattern);
  auto const whole = glob::parse(pattern);
  require(!whole || alternatives, "what is compiled was parsed");
  require(whole || !glob::parse(pattern, untrusted_glob_limits), "the policy's limits are wider");
  if (!alternatives) {
    auto const& why = alternatives.error();
    require(why.code() == errc::policy_invalid_pattern, "a refusal has its code");
    require(!why.remedy().empty() && !fuzz::has_control_character(why.what()),
            "a refusal says what to do, on one line");
    return 0;
  }
  auto const plain = fuzz::without_braces(pattern);
  require(plain.size() == alternatives->size(), "braces are written out to as many patterns");
  auto const list = glob_list::compile(*alternatives);
  if (!whole || !list || plain.size() > most_alternatives)
    return 0;

  for (auto const path : lines) {
    auto const first = std::ranges::find_if(
        plain, [path](std::string const& one) { return fuzz::matches(one, path); });
    bool const is_match = first != plain.end();
    require(whole->matches(path) == is_match, "a path matches as the plain matcher has it");
    require(list->any_match(path) == is_match, "a list matches as its patterns do");
    auto const index = list->first_match(path);
    require(index.has_value() == is_match, "a list has the pattern that matches");
    require(!index || *index == static_cast<std::size_t>(first - plain.begin()),
            "the pattern that a list names is the first");
  }
  // A name of these characters alone; an empty one and those of dots are no pattern's.
  auto const escaped = glob::parse(escape_glob(pattern));
  require(!escaped || escaped->matches(pattern), "an escaped text matches itself");
  return 0;
}
