#include "plain_glob.hpp"

#include <bulkhead/messages/frame_scanner.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead::fuzz {
namespace {

/// A character and what it is instead where it is not UTF-8: PEP 383.
std::vector<char32_t> characters_of(std::string_view text) {
  std::vector<char32_t> characters;
  while (!text.empty()) {
    auto const byte = static_cast<unsigned char>(text.front());
    auto const size = byte < 0x80 ? std::size_t{1} : wire::utf8_length(text);
    char32_t code = size == 0 ? 0xDC00u + byte : byte;
    if (size > 1) {
      code = byte & (0x7Fu >> size);
      for (char const c : text.substr(1, size - 1))
        code = code << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
    }
    characters.push_back(code);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return characters;
}

/// One step of a name's pattern.
struct token {
  bool is_star = false;
  bool is_negated = false; ///< of the ranges
  std::vector<std::pair<char32_t, char32_t>> ranges{};
  bool is_wildcard = false;

  bool takes(char32_t c) const {
    bool const inside =
        std::ranges::any_of(ranges, [c](auto r) { return r.first <= c && c <= r.second; });
    return c != U'/' && inside != is_negated;
  }
};

token class_at(std::vector<char32_t> const& text, std::size_t& at) {
  token set{.is_wildcard = true};
  ++at;
  if (text[at] == U'!') {
    set.is_negated = true;
    ++at;
  }
  auto const next = [&] { return text[text[at] == U'\\' ? ++at : at]; };
  for (; text[at] != U']'; ++at) {
    auto const low = next();
    auto high = low;
    if (text[at + 1] == U'-' && text[at + 2] != U']') {
      at += 2;
      high = next();
    }
    set.ranges.emplace_back(low, high);
  }
  return set;
}

std::vector<token> tokens_of(std::string_view name) {
  auto const text = characters_of(name);
  std::vector<token> tokens;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == U'*')
      tokens.push_back({.is_star = true, .is_wildcard = true});
    else if (text[at] == U'?')
      tokens.push_back({.is_negated = true, .is_wildcard = true});
    else if (text[at] == U'[')
      tokens.push_back(class_at(text, at));
    else {
      at += text[at] == U'\\' ? 1u : 0u;
      tokens.push_back({.ranges = {{text[at], text[at]}}});
    }
  }
  return tokens;
}

/// Whether a sequence of steps takes a sequence of things: `is_many` steps take any number of them.
template <class Steps, class Things, class IsMany, class Takes>
bool takes_all(Steps const& steps, Things const& things, IsMany is_many, Takes takes) {
  std::vector<char> reached(things.size() + 1, false);
  reached[0] = true;
  for (auto const& step : steps) {
    std::vector<char> after(things.size() + 1, false);
    for (std::size_t i = 0; i <= things.size(); ++i) {
      if (is_many(step))
        after[i] = reached[i] || (i > 0 && after[i - 1] && takes(step, things[i - 1]));
      else
        after[i] = i > 0 && reached[i - 1] && takes(step, things[i - 1]);
    }
    reached = std::move(after);
  }
  return reached.back();
}

bool name_matches(std::string const& pattern, std::string const& name) {
  auto const takes = [](token const& step, char32_t c) {
    return step.is_star ? c != U'/' : step.takes(c);
  };
  return !name.empty() && takes_all(
                              tokens_of(pattern), characters_of(name),
                              [](token const& t) { return t.is_star; }, takes);
}

bool has_wildcard(std::string const& name) {
  return std::ranges::any_of(tokens_of(name), &token::is_wildcard);
}

std::vector<std::string> names_without_depth_at_end(std::string_view pattern) {
  auto names = split(pattern).names;
  while (!names.empty() && names.back() == "**")
    names.pop_back();
  return names;
}

std::string unescaped(std::string_view name) {
  std::string plain;
  for (std::size_t at = 0; at < name.size(); ++at) {
    at += name[at] == '\\' ? 1u : 0u;
    plain += name[at];
  }
  return plain;
}

} // namespace

split_path split(std::string_view path) {
  split_path parts;
  parts.absolute = path.starts_with('/');
  if (parts.absolute)
    path.remove_prefix(1);
  if (path.empty())
    return parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    auto const end = std::min(path.find('/', begin), path.size());
    parts.names.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<std::string> without_braces(std::string_view pattern) {
  std::size_t begin = std::string_view::npos;
  std::vector<std::string_view> alternatives;
  int depth = 0;
  for (std::size_t at = 0, part = 0; at < pattern.size(); ++at) {
    char const c = pattern[at];
    if (c == '\\') {
      ++at;
    } else if (c == '[') {
      while (pattern[++at] != ']')
        at += pattern[at] == '\\' ? 1u : 0u;
    } else if (c == '{' && ++depth == 1) {
      begin = at;
      part = at + 1;
    } else if (c == ',' && depth == 1) {
      alternatives.push_back(pattern.substr(part, at - part));
      part = at + 1;
    } else if (c == '}' && --depth == 0) {
      alternatives.push_back(pattern.substr(part, at - part));
      std::vector<std::string> all;
      for (auto const alternative : alternatives)
        for (auto& one : without_braces(std::string{pattern.substr(0, begin)}
                                            .append(alternative)
                                            .append(pattern.substr(at + 1))))
          all.push_back(std::move(one));
      return all;
    }
  }
  return {std::string{pattern}};
}

bool matches(std::string_view pattern, std::string_view path) {
  auto const wanted = split(pattern);
  auto const given = split(path);
  return wanted.absolute == given.absolute &&
         takes_all(
             wanted.names, given.names, [](std::string const& name) { return name == "**"; },
             [](std::string const& name, std::string const& is) {
               return name == "**" ? !is.empty() : name_matches(name, is);
             });
}

std::string literal_root(std::string_view pattern) {
  std::string root;
  for (auto const& name : names_without_depth_at_end(pattern)) {
    if (name == "**" || has_wildcard(name))
      break;
    root += '/' + unescaped(name);
  }
  return root.empty() ? "/" : root;
}

bool is_plain(std::string_view pattern) {
  return std::ranges::none_of(names_without_depth_at_end(pattern), has_wildcard);
}

bool is_beneath(std::string_view folder, std::string_view path) {
  return folder == "/" || path == folder ||
         (path.starts_with(folder) && path.substr(folder.size()).starts_with('/'));
}

} // namespace bulkhead::fuzz
