#include <bulkhead/config/glob_pattern.hpp>

#include <bulkhead/config/character_set.hpp>
#include <bulkhead/config/quote.hpp>

#include <algorithm>
#include <optional>

namespace bulkhead {
namespace {

/// More than anybody writes; each level is one more pass over the pattern.
constexpr int deepest_braces = 8;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

/// What a backslash may stand before.
bool is_special(char c) {
  return std::string_view{"*?[]{}\\,!-^"}.find(c) != std::string_view::npos;
}

/// The text as RE2 takes it literally.
std::string quoted_for_regex(std::string_view text) {
  std::string quoted;
  for (char const c : text) {
    bool const plain = static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') ||
                       (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain)
      quoted += '\\';
    quoted += c;
  }
  return quoted;
}

// ---- what is wrong with a pattern ------------------------------------------------------------

struct mistake {
  constexpr mistake() = default; ///< for boost::system::result only
  constexpr mistake(std::string_view its_what, std::string_view its_remedy)
      : what{its_what}
      , remedy{its_remedy} {}

  std::string_view what; ///< follows "the pattern "…" "
  std::string_view remedy;
};

error to_error(mistake const& wrong, std::string_view pattern) {
  return error{errc::policy_invalid_pattern,
               "the pattern " + quote(pattern) + ' ' + std::string{wrong.what},
               std::string{wrong.remedy}};
}

template <class T>
using parsed = boost::system::result<T, mistake>;

constexpr mistake unclosed_class{"has a [ without its ] in the same name",
                                 "write \\[ for the character itself"};
constexpr mistake bad_escape{
    "has a backslash before a character that needs none",
    "write \\\\ for a backslash; between names stands a slash, on every system"};

/// Behind the class that begins at the position; npos where it does not end.
std::size_t end_of_class(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == ']')
      return at + 1;
  }
  return std::string_view::npos;
}

// ---- braces ----------------------------------------------------------------------------------

struct brace_group {
  std::size_t begin = std::string_view::npos; ///< of the {; npos: there is none
  std::size_t end = 0;                        ///< behind the }
  std::vector<std::string_view> alternatives;
};

/// The first group that stands in no other.
parsed<brace_group> find_braces(std::string_view text) {
  brace_group group;
  int depth = 0;
  std::size_t begun = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    char const c = text[at];
    if (c == '\\') {
      ++at;
    } else if (c == '[') {
      at = end_of_class(text, at);
      if (at == std::string_view::npos)
        return unclosed_class;
      --at;
    } else if (c == '{') {
      if (++depth > deepest_braces)
        return mistake{"nests braces more than 8 deep", "write several patterns"};
      if (depth == 1) {
        group.begin = at;
        begun = at + 1;
      }
    } else if (c == '}' && depth == 0) {
      return mistake{"has a } without its {", "write \\} for the character itself"};
    } else if ((c == ',' || c == '}') && depth == 1) {
      group.alternatives.push_back(text.substr(begun, at - begun));
      begun = at + 1;
      if (c == '}') {
        group.end = at + 1;
        return group;
      }
    } else if (c == '}') {
      --depth;
    }
  }
  if (depth > 0)
    return mistake{"has a { without its }", "write \\{ for the character itself"};
  return group;
}

/// The pattern with its braces written out, in the order in which they stand.
parsed<std::vector<std::string>> expand_braces(std::string_view pattern, std::size_t longest) {
  constexpr mistake too_long{"is too long with its alternatives written out",
                             "write several shorter patterns"};
  if (pattern.size() > longest)
    return too_long;
  std::vector<std::string> expanded;
  std::vector<std::string> pending{std::string{pattern}};
  std::size_t bytes = pattern.size();
  while (!pending.empty()) {
    auto const text = std::move(pending.back());
    pending.pop_back();
    auto group = find_braces(text);
    if (!group)
      return group.error();
    if (group->begin == std::string_view::npos) {
      expanded.push_back(text);
      continue;
    }
    auto const before = std::string_view{text}.substr(0, group->begin);
    auto const behind = std::string_view{text}.substr(group->end);
    bytes -= text.size();
    std::reverse(group->alternatives.begin(), group->alternatives.end());
    for (auto const alternative : group->alternatives) {
      pending.push_back(std::string{before}.append(alternative).append(behind));
      // One more, so that empty alternatives can't multiply for nothing.
      bytes += pending.back().size() + 1;
      if (bytes > longest)
        return too_long;
    }
  }
  return expanded;
}

// ---- names -----------------------------------------------------------------------------------

using name = glob_alternative::name;

/// Reads one name of a pattern without braces.
class name_reader {
public:
  explicit name_reader(std::string_view text)
      : text_{text} {}

  parsed<name> read() {
    if (text_.empty())
      return mistake{"has an empty name", "take away the slash too many, or write /** at the end"};
    if (text_ == "." || text_ == "..")
      return mistake{"has the name . or .., which no canonical path has", "write the path without"};
    if (text_ == "**")
      return name{name::kind::any_depth, {}, {}};
    if (text_ == "*")
      return name{name::kind::other, {}, "[^/]+"}; // a name is never empty
    while (at_ < text_.size()) {
      if (auto const wrong = read_one())
        return *wrong;
    }
    return std::move(name_);
  }

private:
  std::optional<mistake> read_one() {
    switch (text_[at_]) {
    case '*':
      return read_star();
    case '?':
      ++at_;
      name_.is = name::kind::other;
      name_.regex += character_set::regex_of_others({});
      return std::nullopt;
    case '[':
      return read_class();
    case ']':
      return mistake{"has a ] without its [", "write \\] for the character itself"};
    default:
      break;
    }
    auto const literal = read_character();
    if (!literal)
      return literal.error();
    name_.text += *literal;
    name_.regex += quoted_for_regex(*literal);
    return std::nullopt;
  }

  std::optional<mistake> read_star() {
    bool const first = at_ == 0;
    if (text_.substr(++at_).starts_with('*'))
      return mistake{"has ** beside other characters of a name",
                     "write * inside a name, and ** as a name of its own: a/**/b"};
    name_.regex += "[^/]*";
    name_.is = first && at_ < text_.size() ? name::kind::ends_with : name::kind::other;
    return std::nullopt;
  }

  std::optional<mistake> read_class() {
    auto const end = end_of_class(text_, at_);
    if (end == std::string_view::npos)
      return unclosed_class;
    ++at_;
    if (text_[at_] == '^')
      return mistake{"has [^…], which shells disagree about",
                     "write [!…] for all but these, [\\^…] for the character itself"};
    bool const negated = text_[at_] == '!';
    at_ += negated ? 1 : 0;
    if (at_ + 1 == end)
      return mistake{"has brackets with nothing between them", "write \\[\\] for the characters"};
    name_.is = name::kind::other;
    std::vector<character_set::range> ranges;
    while (at_ + 1 < end) {
      auto const range = read_range(end - 1);
      if (!range)
        return range.error();
      ranges.push_back(*range);
    }
    at_ = end;
    name_.regex += negated ? character_set::regex_of_others(std::move(ranges))
                           : character_set::regex_of(std::move(ranges));
    return std::nullopt;
  }

  /// One character of a class, or two with a hyphen between them.
  parsed<character_set::range> read_range(std::size_t end) {
    auto const low = read_character();
    if (!low)
      return low.error();
    auto const first = character_set::decode(*low);
    if (at_ + 1 >= end || text_[at_] != '-')
      return character_set::range{first, first};
    ++at_;
    auto const high = read_character();
    if (!high)
      return high.error();
    if (character_set::decode(*high) < first)
      return mistake{"has a range that ends before it begins", "write the lower character first"};
    return character_set::range{first, character_set::decode(*high)};
  }

  parsed<std::string_view> read_character() {
    if (text_[at_] == '\\') {
      if (++at_ == text_.size() || !is_special(text_[at_]))
        return bad_escape;
    }
    auto const character = text_.substr(at_, character_set::length(text_.substr(at_)));
    at_ += character.size();
    return character;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  name name_;
};

parsed<glob_alternative> parse_alternative(std::string_view text) {
  if (text.empty())
    return mistake{"is empty, or has an alternative that is", "write ** for everything"};
  glob_alternative alternative;
  alternative.absolute = text.front() == '/';
  if (alternative.absolute)
    text.remove_prefix(1);
  if (text.empty())
    return alternative;
  for (std::size_t begin = 0; begin <= text.size();) {
    auto const end = std::min(text.find('/', begin), text.size());
    auto read = name_reader{text.substr(begin, end - begin)}.read();
    if (!read)
      return read.error();
    alternative.names.push_back(std::move(*read));
    begin = end + 1;
  }
  return alternative;
}

std::optional<mistake> characters_mistake(std::string_view pattern) {
  if (std::any_of(pattern.begin(), pattern.end(), is_control))
    return mistake{"holds a control character", "write ? in its place"};
  for (std::size_t at = 0; at < pattern.size();) {
    auto const length = character_set::length(pattern.substr(at));
    if (length == 0)
      return mistake{"is not valid UTF-8", "write ? for each byte that is not"};
    at += length;
  }
  return std::nullopt;
}

} // namespace

// ---- entry points ----------------------------------------------------------------------------

bool has_glob_characters(std::string_view text) noexcept {
  return text.find_first_of("*?[]{}\\") != std::string_view::npos;
}

std::string escape_glob(std::string_view text) {
  std::string escaped;
  for (char const c : text) {
    if (has_glob_characters({&c, 1}))
      escaped += '\\';
    escaped += c;
  }
  return escaped;
}

result<std::vector<glob_alternative>> parse_glob(std::string_view pattern,
                                                 glob_limits const& limits) {
  if (auto const wrong = characters_mistake(pattern))
    return to_error(*wrong, pattern);
  auto const expanded = expand_braces(pattern, limits.bytes);
  if (!expanded)
    return to_error(expanded.error(), pattern);
  std::vector<glob_alternative> alternatives;
  for (auto const& text : *expanded) {
    auto alternative = parse_alternative(text);
    if (!alternative)
      return to_error(alternative.error(), pattern);
    alternatives.push_back(std::move(*alternative));
  }
  return alternatives;
}

std::string regex_of(glob_alternative const& alternative) {
  using kind = name::kind;
  std::string regex = alternative.absolute ? "/" : "";
  auto const& names = alternative.names;
  bool first = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].is != kind::any_depth) {
      regex += first ? "" : "/";
      regex += names[i].regex;
      first = false;
    } else if (i + 1 < names.size() && names[i + 1].is == kind::any_depth) {
      continue; // the next says the same
    } else if (!first) {
      regex += "(?:/[^/]+)*";
    } else if (i + 1 < names.size()) {
      regex += "(?:[^/]+/)*";
    } else {
      regex += "(?:[^/]+(?:/[^/]+)*)?";
    }
  }
  return regex;
}

} // namespace bulkhead
