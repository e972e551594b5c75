// Rules and paths, a line each, against rules without an index or a regular expression. A line is
// "r PATTERN", "w PATTERN", "d PATTERN" (read, write, deny; "r=PATH" for one that is literal), or
// "? PATH", which is asked for as an extension would.
#include "fuzz_target.hpp"
#include "plain_glob.hpp"

#include <bulkhead/config/path_rules.hpp>
#include <bulkhead/config/request_path.hpp>

#include <algorithm>
#include <optional>
#include <string>

using namespace bulkhead;
using fuzz::require;

namespace {

/// Beyond these the plain rules take longer than what they are to check.
constexpr std::size_t longest_input = 1024;
constexpr std::size_t most_alternatives = 64;

struct question {
  path_rule_set rules;
  std::vector<std::string> paths;
};

question read(std::string_view text) {
  question asked;
  int line = 0;
  for (auto const words : fuzz::lines_of(text)) {
    ++line;
    if (words.size() < 2)
      continue;
    auto const rest = std::string{words.substr(2)};
    if (words[0] == '?') {
      if (auto path = canonical_path(rest, "/srv/workspace"))
        asked.paths.push_back(*std::move(path));
      continue;
    }
    auto* const rules = words[0] == 'r'   ? &asked.rules.read
                        : words[0] == 'w' ? &asked.rules.write
                        : words[0] == 'd' ? &asked.rules.deny
                                          : nullptr;
    if (rules)
      rules->push_back({rest, rest, line, "the input", words[1] == '='});
  }
  return asked;
}

std::vector<std::string> alternatives_of(path_pattern const& pattern) {
  auto all = pattern.literal ? std::vector{pattern.text} : fuzz::without_braces(pattern.text);
  for (auto& one : all)
    one.insert(0, one.starts_with('/') ? "" : "/");
  return all;
}

/// The root under which the rule allows the path, the longest of its alternatives'.
std::optional<std::string> allowed_beneath(path_pattern const& rule, std::string_view path) {
  std::optional<std::string> longest;
  for (auto const& one : alternatives_of(rule)) {
    bool const is_folder = rule.literal || fuzz::is_plain(one);
    auto root = rule.literal ? one : fuzz::literal_root(one);
    bool const holds = is_folder ? fuzz::is_beneath(root, path) : fuzz::matches(one, path);
    if (holds && (!longest || longest->size() < root.size()))
      longest = std::move(root);
  }
  return longest;
}

bool is_denied(path_pattern const& rule, std::string_view path) {
  auto const alternatives = alternatives_of(rule);
  auto const denies = [&](std::string_view folder) {
    return std::ranges::any_of(alternatives, [&](std::string const& one) {
      return rule.literal ? one == folder : fuzz::matches(one, folder);
    });
  };
  for (std::size_t end = path.find('/', 1); end != path.npos; end = path.find('/', end + 1)) {
    if (denies(path.substr(0, end)))
      return true;
  }
  return denies("/") || denies(path);
}

void check(path_rules const& rules, path_rule_set const& plain, path_action action,
           std::string const& path) {
  auto const decision = rules.decide(action, path);
  bool const denied =
      std::ranges::any_of(plain.deny, [&](auto const& rule) { return is_denied(rule, path); });
  std::optional<std::string> root;
  for (auto const& rule : action == path_action::read ? plain.read : plain.write) {
    if (auto found = allowed_beneath(rule, path); found && (!root || root->size() < found->size()))
      root = std::move(found);
  }
  require(!(decision.allowed && denied), "what is denied is not allowed");
  require(!(decision.allowed && !root), "what no rule allows is not allowed");
  require(decision.allowed == (root && !denied), "what is allowed and not denied is allowed");
  if (decision.allowed) {
    require(decision.root == *root, "the root is the longest of those that allow it");
    require(fuzz::is_beneath(decision.root, path), "the path is beneath its root");
    require(allowed_beneath(*decision.rule, path) == *root, "the rule that is named allows it");
  } else {
    require((decision.rule != nullptr) == denied, "a denial names its rule, if there is one");
    require(!denied || is_denied(*decision.rule, path), "the rule that is named denies it");
  }
  auto const explained = rules.explain(action, path);
  require(explained.decision.allowed == decision.allowed &&
              explained.decision.rule == decision.rule && explained.decision.root == decision.root,
          "an explanation has the decision");
}

bool is_manageable(std::vector<path_pattern> const& rules) {
  return std::ranges::all_of(
      rules, [](auto const& rule) { return alternatives_of(rule).size() <= most_alternatives; });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  if (size > longest_input)
    return 0;
  auto const asked = read(fuzz::text_of(bytes, size));
  auto const rules = path_rules::compile(asked.rules);
  if (!rules) {
    require(rules.error().code() == errc::policy_invalid_pattern, "a refusal has its code");
    require(!fuzz::has_control_character(rules.error().what()), "a refusal is one line");
    return 0;
  }
  if (!is_manageable(asked.rules.read) || !is_manageable(asked.rules.write) ||
      !is_manageable(asked.rules.deny))
    return 0;
  for (auto const& path : asked.paths) {
    check(*rules, asked.rules, path_action::read, path);
    check(*rules, asked.rules, path_action::write, path);
  }
  return 0;
}
