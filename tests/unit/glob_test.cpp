#include <bulkhead/config/glob.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <chrono>
#include <random>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

bool matches(std::string_view pattern, std::string_view path) {
  auto const parsed = glob::parse(pattern);
  REQUIRE(parsed.has_value());
  return parsed->matches(path);
}

// ---- the reference: recursive, naive, and written from the documentation only ---------------

std::vector<std::string> expanded(std::string const& pattern) {
  auto const open = pattern.find('{');
  if (open == std::string::npos)
    return {pattern};
  std::vector<std::string> all;
  int depth = 0;
  std::vector<std::string> alternatives{""};
  std::size_t at = open;
  for (;; ++at) {
    char const c = pattern[at];
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (depth == 0)
      break;
    if (depth == 1 && c == ',')
      alternatives.emplace_back();
    else if (at != open)
      alternatives.back() += c;
  }
  for (auto const& alternative : alternatives) {
    for (auto& one : expanded(pattern.substr(0, open) + alternative + pattern.substr(at + 1)))
      all.push_back(std::move(one));
  }
  return all;
}

/// Knows of the characters beyond ASCII those that the pieces below can make: U+00E9, which is
/// C3 A9, and U+2080 to U+20BF, which begin with E2 82.
std::u32string characters(std::string_view text) {
  std::u32string all;
  while (!text.empty()) {
    auto const byte = [text](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    std::size_t length = 1;
    if (text.starts_with("\xC3\xA9")) {
      all += U'\u00E9';
      length = 2;
    } else if (text.starts_with("\xE2\x82") && (byte(2) & 0xC0u) == 0x80u) {
      all += U'\u2080' + (byte(2) & 0x3Fu);
      length = 3;
    } else {
      all += byte(0) < 0x80 ? byte(0) : 0x110000 + byte(0);
    }
    text.remove_prefix(length);
  }
  return all;
}

bool name_matches(std::u32string_view pattern, std::u32string_view name) {
  if (pattern.empty())
    return name.empty();
  if (pattern.front() == '*')
    return name_matches(pattern.substr(1), name) ||
           (!name.empty() && name_matches(pattern, name.substr(1)));
  if (name.empty())
    return false;
  if (pattern.front() == '?')
    return name_matches(pattern.substr(1), name.substr(1));
  if (pattern.front() != '[')
    return pattern.front() == name.front() && name_matches(pattern.substr(1), name.substr(1));
  auto const end = pattern.find(U']');
  auto set = pattern.substr(1, end - 1);
  bool const negated = set.front() == '!';
  set.remove_prefix(negated ? 1 : 0);
  bool found = false;
  while (!set.empty()) {
    bool const range = set.size() > 2 && set[1] == '-';
    found = found || (set[0] <= name.front() && name.front() <= (range ? set[2] : set[0]));
    set.remove_prefix(range ? 3 : 1);
  }
  return found != negated && name_matches(pattern.substr(end + 1), name.substr(1));
}

std::vector<std::u32string> names_of(std::u32string_view text) {
  std::vector<std::u32string> names;
  while (!text.empty()) {
    auto const end = std::min(text.find(U'/'), text.size());
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

bool names_match(std::vector<std::u32string> const& pattern, std::size_t p,
                 std::vector<std::u32string> const& path, std::size_t at) {
  if (p == pattern.size())
    return at == path.size();
  if (pattern[p] == U"**")
    return names_match(pattern, p + 1, path, at) ||
           (at < path.size() && names_match(pattern, p, path, at + 1));
  return at < path.size() && name_matches(pattern[p], path[at]) &&
         names_match(pattern, p + 1, path, at + 1);
}

bool reference_matches(std::string const& pattern, std::string const& path) {
  for (auto const& one : expanded(pattern)) {
    auto of = characters(one);
    auto text = characters(path);
    bool const absolute = of.front() == '/';
    if (absolute != (!text.empty() && text.front() == '/'))
      continue;
    if (absolute) {
      of.erase(0, 1);
      text.erase(0, 1);
    }
    if (names_match(names_of(of), 0, names_of(text), 0))
      return true;
  }
  return false;
}

class random_text {
public:
  explicit random_text(unsigned seed)
      : source_{seed} {}

  std::size_t below(std::size_t end) { return source_() % end; }

  std::string name(std::vector<std::string> const& pieces, std::size_t longest) {
    std::string made;
    for (auto left = below(longest) + 1; left > 0; --left)
      made += pieces[below(pieces.size())];
    return made;
  }

  std::string path(std::vector<std::string> const& pieces) {
    std::string made;
    for (auto left = below(3) + 1; left > 0; --left)
      made += (made.empty() ? "" : "/") + name(pieces, 3);
    return below(2) == 0 ? "/" + made : made;
  }

private:
  std::mt19937 source_;
};

std::vector<std::string> const pattern_pieces{"a",
                                              "b",
                                              ".",
                                              "\u00E9",
                                              "*",
                                              "?",
                                              "[ab]",
                                              "[!a]",
                                              "[\u00E9b]",
                                              "[!\u20AC]",
                                              "*",
                                              "a",
                                              "-",
                                              "[--b]",
                                              "/",
                                              "/**/",
                                              "{a,b?}",
                                              "{,*a}",
                                              "{a,{b,/c}}",
                                              "/**",
                                              "**/",
                                              "[a-\u20AC]",
                                              "[!\u00E9-\u20AC]"};
std::vector<std::string> const path_pieces{"a", "b", ".",    "\u00E9", "\u20AC",  "c",
                                           "a", "-", "\xC3", "\xA9",   "\xE2\x82"};

} // namespace

TEST_CASE("a star stays inside one name") {
  CHECK(matches("/srv/*.md", "/srv/a.md"));
  CHECK(matches("/srv/*.md", "/srv/.md"));
  CHECK_FALSE(matches("/srv/*.md", "/srv/a/b.md"));
  CHECK_FALSE(matches("/srv/*", "/srv/"));
  CHECK_FALSE(matches("/*", "/"));
  CHECK(matches("/a?c", "/abc"));
  CHECK_FALSE(matches("/a?c", "/a/c"));
  CHECK_FALSE(matches("/a[!b]c", "/a/c"));
  CHECK_FALSE(matches("/a[+-9]c", "/a/c"));
}

TEST_CASE("two stars are any number of names, also none") {
  for (auto const* path : {"/a", "/a/b", "/a/b/c"})
    CHECK(matches("/a/**", path));
  CHECK_FALSE(matches("/a/**", "/ab"));
  for (auto const* path : {"/a/z", "/a/b/z", "/a/b/c/z"})
    CHECK(matches("/a/**/z", path));
  CHECK_FALSE(matches("/a/**/z", "/a/bz"));
  CHECK(matches("**/z", "z"));
  CHECK(matches("**/z", "a/b/z"));
  CHECK_FALSE(matches("**/z", "/z"));
  CHECK(matches("/**", "/"));
  CHECK(matches("**", "a/b"));
}

TEST_CASE("braces are either, also with slashes and inside each other") {
  for (auto const* path : {"src/a.ts", "src/x/a.js", "test/a.ts"})
    CHECK(matches("{src/**,test}/*.{ts,js}", path));
  CHECK_FALSE(matches("{src/**,test}/*.{ts,js}", "test/x/a.js"));
  CHECK(matches("a{,b{c,d}}", "abd"));
  CHECK(matches("a{,b{c,d}}", "a"));
  CHECK(parse_glob("{a,b}/{c,d}")->size() == 4);
}

TEST_CASE("a backslash takes the meaning off a character, and escape_glob off all") {
  CHECK(matches("\\*\\[\\]\\{\\}\\?\\\\", "*[]{}?\\"));
  CHECK_FALSE(matches("a\\*", "ab"));
  CHECK(matches("[\\]\\-x]", "]"));
  std::string const odd = "/home/[me] {you}/a*b?\\c";
  CHECK(has_glob_characters(odd));
  CHECK(matches(escape_glob(odd), odd));
  CHECK_FALSE(matches(escape_glob("/[a]"), "/a"));
}

TEST_CASE("a question mark is one character, also of several bytes, and a byte that is none") {
  CHECK(matches("?", "\u00E9"));
  CHECK_FALSE(matches("??", "\u00E9"));
  CHECK(matches("?", "\xC3"));
  CHECK(matches("a?b", "a\xFF"
                       "b"));
  CHECK(matches("*.txt", "\xE9t\xE9.txt"));
  CHECK_FALSE(matches("\u00E9", "\xE9"));
}

TEST_CASE("a range of a class ends where it says, whatever its characters' lengths") {
  for (auto const* inside : {"y", "\u00E9", "\u07FF", "\u0800", "\u203F", "\u20A5"})
    CHECK(matches("[y-\u20A5]", inside));
  for (auto const* outside : {"x", "\u20A6", "\u20BF", "\u3000", "\U0001F600"}) {
    CHECK_FALSE(matches("[y-\u20A5]", outside));
    CHECK(matches("[!y-\u20A5]", outside));
  }
  CHECK(matches("[\u20A5-\U0001F600]", "\U0001F600"));
  CHECK_FALSE(matches("[\u20A5-\U0001F600]", "\U0001F601"));
}

TEST_CASE("a pattern that is none is refused with what to write instead") {
  for (auto const* wrong :
       {"",     "a//b", "a/",   "./a",   "a/../b", "a**",  "**a", "a/b**/c",
        "[a",   "a]",   "[]",   "[!]",   "[b-a]",  "[^a]", "{a",  "a}",
        "{a,b", "a\\",  "a\\b", "[a/b]", "a\nb",   "\xFF", "{,}", "{{{{{{{{{a}}}}}}}}}",
        "[a\\]"}) {
    INFO(wrong);
    auto const refused = glob::parse(wrong);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code() == errc::policy_invalid_pattern);
    CHECK(refused.error().detail().starts_with("the pattern \""));
    CHECK(refused.error().detail().find('\n') == std::string::npos);
    CHECK_FALSE(refused.error().remedy().empty());
  }
}

TEST_CASE("a pattern that costs more than the limits is refused before it costs") {
  std::string doubling;
  for (int i = 0; i < 40; ++i)
    doubling += "{a,b}";
  CHECK(glob::parse(doubling).has_error());
  std::string empties;
  for (int i = 0; i < 40; ++i)
    empties += "{,}";
  CHECK(glob::parse(empties).has_error());
  CHECK(glob::parse(std::string(20'000, 'a')).has_error());
  CHECK(glob::parse(std::string(600, 'a'), untrusted_glob_limits).has_error());
  CHECK(glob::parse(std::string(500, '?'), glob_limits{512, 4096}).has_error());
}

TEST_CASE("a hostile pattern decides in linear time") {
  std::string pattern;
  while (pattern.size() < 10'000)
    pattern += "*a";
  auto const hostile = glob::parse(pattern + "b");
  REQUIRE(hostile.has_value());
  auto const begun = std::chrono::steady_clock::now();
  CHECK_FALSE(hostile->matches(std::string(400, 'a')));
  // Backtracking would take longer than the universe is old.
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds{10});
}

TEST_CASE("globs agree with a naive matcher on random patterns and paths") {
  random_text random{20'240'229};
  int tried = 0;
  int matched = 0;
  while (tried < 20'000) {
    auto const pattern = random.path(pattern_pieces);
    auto const parsed = glob::parse(pattern);
    if (!parsed)
      continue;
    for (int i = 0; i < 10; ++i) {
      auto const path = random.path(path_pieces);
      ++tried;
      bool const expected = reference_matches(pattern, path);
      matched += expected ? 1 : 0;
      if (parsed->matches(path) != expected)
        FAIL("pattern " << pattern << " path " << path << " expected " << expected);
    }
  }
  CHECK(matched > 300); // or the paths would show nothing
}

TEST_CASE("a list finds the first of its patterns that matches") {
  random_text random{17};
  std::vector<glob_alternative> patterns;
  std::vector<std::string> texts;
  while (patterns.size() < 150) {
    auto text = random.path({"a", "b", "c", "d", "?", "*a", "**/b"});
    auto parsed = parse_glob(text);
    if (!parsed)
      continue;
    patterns.push_back(std::move(parsed->front()));
    texts.push_back(std::move(text));
  }
  auto const list = glob_list::compile(patterns);
  REQUIRE(list.has_value());
  int matched = 0;
  for (int i = 0; i < 500; ++i) {
    auto const path = random.path({"a", "b", "c", "d"});
    std::optional<std::size_t> expected;
    for (std::size_t at = 0; at < texts.size() && !expected; ++at) {
      if (reference_matches(texts[at], path))
        expected = at;
    }
    matched += expected ? 1 : 0;
    INFO(path);
    CHECK(list->first_match(path) == expected);
    CHECK(list->any_match(path) == expected.has_value());
  }
  CHECK(matched > 100);
  CHECK(matched < 500);
}

TEST_CASE("an empty list matches nothing") {
  glob_list const none;
  CHECK(none.empty());
  CHECK_FALSE(none.any_match("/a"));
  CHECK_FALSE(none.first_match("/a"));
}
