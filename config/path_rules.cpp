#include <bulkhead/config/path_rules.hpp>

#include <bulkhead/config/glob.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/request_path.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace bulkhead {
namespace {

using name_kind = glob_alternative::name::kind;

/// A rule and the folder (or file) that all it matches is in.
struct rooted_rule {
  std::string root;
  path_pattern const* rule;
};

// ---- folders: one binary search finds the nearest -------------------------------------------

/// Rules that are a path each and mean it and everything below.
class folder_index {
public:
  void add(rooted_rule rule) {
    auto const key_size = without_final_slash(rule.root).size();
    folders_.push_back({std::move(rule), none, key_size});
  }

  /// After the last add and before the first question.
  void finish() {
    std::stable_sort(folders_.begin(), folders_.end(), [](folder const& a, folder const& b) {
      return a.key() != b.key() && comes_first(a.key(), b.key());
    });
    auto const same = [](folder const& a, folder const& b) { return a.key() == b.key(); };
    folders_.erase(std::unique(folders_.begin(), folders_.end(), same), folders_.end());
    for (std::size_t i = 1; i < folders_.size(); ++i)
      folders_[i].parent = nearest_from(i - 1, folders_[i].key());
  }

  /// The rule whose folder is the path or the nearest above it.
  rooted_rule const* find(std::string_view path) const noexcept {
    auto const key = without_final_slash(path);
    if (folders_.size() <= few) {
      // What is below comes behind what is above: the last that holds the path is the nearest.
      auto const found = std::find_if(folders_.rbegin(), folders_.rend(),
                                      [key](folder const& at) { return holds(at.key(), key); });
      return found == folders_.rend() ? nullptr : &found->is;
    }
    auto const behind =
        std::partition_point(folders_.begin(), folders_.end(), [key](folder const& candidate) {
          return comes_first(candidate.key(), key);
        });
    if (behind == folders_.begin())
      return nullptr;
    auto const found = nearest_from(static_cast<std::size_t>(behind - folders_.begin()) - 1, key);
    return found == none ? nullptr : &folders_[found].is;
  }

private:
  /// Up to here looking at all is quicker: most are ruled out by one byte.
  static constexpr std::size_t few = 8;
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  struct folder {
    rooted_rule is;
    std::size_t parent; ///< the nearest folder above that has a rule
    std::size_t key_size;
    std::string_view key() const noexcept { return {is.root.data(), key_size}; }
  };

  static std::string_view without_final_slash(std::string_view path) noexcept {
    return path == "/" ? path.substr(1) : path;
  }

  static bool holds(std::string_view folder, std::string_view path) noexcept {
    bool const ends_a_name =
        path.size() == folder.size() || (path.size() > folder.size() && path[folder.size()] == '/');
    return ends_a_name && path.starts_with(folder);
  }

  /// Whether "a/" <= "b/". With that slash, a folder is followed by all that is below it, without
  /// anything else between: "/a-b/" comes before "/a/".
  static bool comes_first(std::string_view a, std::string_view b) noexcept {
    auto const shared = std::min(a.size(), b.size());
    if (auto const order = a.substr(0, shared).compare(b.substr(0, shared)); order != 0)
      return order < 0;
    auto const next = [shared](std::string_view text) {
      return text.size() == shared ? '/' : text[shared];
    };
    auto const of_a = static_cast<unsigned char>(next(a));
    auto const of_b = static_cast<unsigned char>(next(b));
    return of_a != of_b ? of_a < of_b : a.size() <= b.size();
  }

  /// From the last folder that does not come behind the path: whatever is above the path is that
  /// one or above that one.
  std::size_t nearest_from(std::size_t candidate, std::string_view path) const noexcept {
    while (candidate != none && !holds(folders_[candidate].key(), path))
      candidate = folders_[candidate].parent;
    return candidate;
  }

  std::vector<folder> folders_;
};

// ---- tails: what a path ends with where one of its names does -------------------------------

constexpr std::size_t bits = std::numeric_limits<std::uint64_t>::digits;

/// Bit i: text[i] is a slash. Looks at so many bytes as there are bits.
std::uint64_t slashes_of(std::string_view text) noexcept {
  auto const size = std::min(text.size(), bits);
  std::uint64_t found = 0;
#if defined(__SSE2__)
  constexpr std::size_t block = sizeof(__m128i);
  if (size >= block) {
    auto const last = size - block; // blocks overlap where the last is not a whole one further on
    for (std::size_t at = 0;; at = std::min(at + block, last)) {
      auto const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(text.data() + at));
      auto const slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'));
      found |= std::uint64_t{static_cast<unsigned>(_mm_movemask_epi8(slashes))} << at;
      if (at == last)
        return found;
    }
  }
#endif
  for (std::size_t at = 0; at < size; ++at)
    found |= std::uint64_t{text[at] == '/'} << at;
  return found;
}

/// Denies of the shapes "**/name" (tail "/name") and "**/*ending" (tail "ending"). They match where
/// the bytes before the end of any of the path's names are the tail: a slash in the tail can only
/// meet a slash of the path, and what the star stands for is whatever is left of the name.
class tail_index {
public:
  void add(std::string tail, path_pattern const* rule) {
    last_bytes_[static_cast<unsigned char>(tail.back())] = true;
    auto const same_length = [&](length_group const& group) { return group.length == tail.size(); };
    auto group = std::find_if(groups_.begin(), groups_.end(), same_length);
    if (group == groups_.end())
      group = groups_.insert(groups_.end(), {tail.size(), {}});
    group->tails.push_back({std::move(tail), rule});
  }

  /// After the last add and before the first question.
  void finish() {
    for (auto& group : groups_)
      std::stable_sort(group.tails.begin(), group.tails.end(),
                       [](entry const& a, entry const& b) { return a.tail < b.tail; });
  }

  path_pattern const* find(std::string_view path) const noexcept {
    if (groups_.empty())
      return nullptr;
    for (std::size_t begin = 1; begin < path.size(); begin += bits)
      for (auto left = slashes_of(path.substr(begin)); left != 0; left &= left - 1) {
        auto const end = begin + static_cast<std::size_t>(std::countr_zero(left));
        if (!may_end(path[end - 1]))
          continue;
        if (auto const* const found = find_at_end(path.substr(0, end)))
          return found;
      }
    return may_end(path.back()) ? find_at_end(path) : nullptr;
  }

private:
  struct entry {
    std::string tail;
    path_pattern const* rule;
  };
  struct length_group {
    std::size_t length;
    std::vector<entry> tails; ///< sorted
  };

  bool may_end(char last) const noexcept { return last_bytes_[static_cast<unsigned char>(last)]; }

  path_pattern const* find_at_end(std::string_view path) const noexcept {
    for (auto const& group : groups_) {
      if (group.length > path.size())
        continue;
      auto const end = path.substr(path.size() - group.length);
      auto const found =
          std::lower_bound(group.tails.begin(), group.tails.end(), end,
                           [](entry const& e, std::string_view tail) { return e.tail < tail; });
      if (found != group.tails.end() && found->tail == end)
        return found->rule;
    }
    return nullptr;
  }

  std::array<bool, 256> last_bytes_{};
  std::vector<length_group> groups_;
};

// ---- patterns taken apart --------------------------------------------------------------------

using names = std::span<glob_alternative::name const>;

bool is_literal(glob_alternative::name const& name) {
  return name.is == name_kind::literal;
}

/// How many names stand before the first wildcard.
std::size_t literal_prefix(names of) {
  return static_cast<std::size_t>(std::find_if_not(of.begin(), of.end(), is_literal) - of.begin());
}

/// "/a/b"; empty for no names.
std::string joined(names of) {
  std::string path;
  for (auto const& name : of)
    path.append("/").append(name.text);
  return path;
}

std::string root_of(names of) {
  auto root = joined(of.first(literal_prefix(of)));
  return root.empty() ? "/" : root;
}

/// Without "**" at the end: "/a/**" is "/a" and what is below, as "/a" is.
names without_depth_at_end(names of) {
  while (!of.empty() && of.back().is == name_kind::any_depth)
    of = of.first(of.size() - 1);
  return of;
}

/// The tail that says the same as names that begin with "**"; empty where none does.
std::string tail_of(names of) {
  auto const behind = std::find_if(
      of.begin(), of.end(), [](auto const& name) { return name.is != name_kind::any_depth; });
  auto const rest = of.subspan(static_cast<std::size_t>(behind - of.begin()));
  if (rest.size() == of.size() || rest.empty())
    return {};
  if (literal_prefix(rest) == rest.size())
    return joined(rest);
  if (rest[0].is == name_kind::ends_with && literal_prefix(rest.subspan(1)) == rest.size() - 1)
    return rest[0].text + joined(rest.subspan(1));
  return {};
}

glob_alternative literal_alternative(std::string_view path) {
  glob_alternative alternative;
  alternative.absolute = true;
  for (std::size_t begin = 1; begin < path.size();) {
    auto const end = std::min(path.find('/', begin), path.size());
    alternative.names.push_back(
        {name_kind::literal, std::string{path.substr(begin, end - begin)}, {}});
    begin = end + 1;
  }
  return alternative;
}

error at_its_place(path_pattern const& pattern, std::string const& sentence, std::string remedy) {
  auto place = pattern.origin;
  if (pattern.line > 0)
    place += ", line " + std::to_string(pattern.line);
  return error{errc::policy_invalid_pattern, place + ": " + sentence, std::move(remedy)};
}

enum class purpose : std::uint8_t { allow, deny };

/// The pattern's alternatives, all of them absolute.
result<std::vector<glob_alternative>> parse(path_pattern const& pattern, purpose what_for) {
  if (pattern.literal) {
    if (!is_canonical_path(pattern.text))
      return at_its_place(pattern, "the path " + quote(pattern.text) + " is not canonical",
                          "give it absolute, without . and .. and without a slash at its end");
    return std::vector{literal_alternative(pattern.text)};
  }
  auto parsed = parse_glob(pattern.text);
  if (!parsed)
    return at_its_place(pattern, parsed.error().detail(), parsed.error().remedy());
  for (auto& alternative : *parsed) {
    bool const anywhere = what_for == purpose::deny && !alternative.names.empty() &&
                          alternative.names.front().is == name_kind::any_depth;
    if (!alternative.absolute && !anywhere)
      return at_its_place(pattern, "the pattern " + quote(pattern.text) + " is not absolute",
                          what_for == purpose::deny ? "begin it with / or with **/"
                                                    : "begin it with /");
    alternative.absolute = true;
  }
  return parsed;
}

// ---- the rules -------------------------------------------------------------------------------

/// How many names the two paths begin with together.
std::size_t common_names(std::string_view a, std::string_view b) {
  std::size_t common = 0;
  for (std::size_t begin = 1; begin < a.size() && begin < b.size(); ++common) {
    auto const end = std::min(a.find('/', begin), a.size());
    auto const other = std::min(b.find('/', begin), b.size());
    if (a.substr(begin, end - begin) != b.substr(begin, other - begin))
      break;
    begin = end + 1;
  }
  return common;
}

path_pattern const* nearest_of(std::vector<rooted_rule> const& rules, std::string_view path) {
  auto const nearest = std::max_element(
      rules.begin(), rules.end(), [path](rooted_rule const& a, rooted_rule const& b) {
        return common_names(a.root, path) < common_names(b.root, path);
      });
  return nearest == rules.end() ? nullptr : nearest->rule;
}

class allow_rules {
public:
  result<void> compile(std::vector<path_pattern> const& patterns) {
    std::vector<glob_pattern> globs;
    for (auto const& pattern : patterns) {
      auto alternatives = parse(pattern, purpose::allow);
      if (!alternatives)
        return alternatives.error();
      for (auto& alternative : *alternatives) {
        auto const significant = without_depth_at_end(alternative.names);
        rooted_rule rooted{root_of(significant), &pattern};
        all_.push_back(rooted);
        if (literal_prefix(significant) == significant.size())
          folders_.add(std::move(rooted));
        else
          globs.push_back({std::move(rooted), std::move(alternative)});
      }
    }
    folders_.finish();
    return compile(std::move(globs));
  }

  /// The rule with the longest root; where a path and a glob have the same, the path.
  rooted_rule const* find(std::string_view path) const noexcept {
    auto const* const folder = folders_.find(path);
    if (globs_.empty() || (folder && longest_glob_root() <= folder->root.size()))
      return folder;
    auto const match = globs_.first_match(path);
    if (!match)
      return folder;
    auto const* const globbed = &of_globs_[*match];
    return folder && globbed->root.size() <= folder->root.size() ? folder : globbed;
  }

  std::vector<rooted_rule> const& all() const noexcept { return all_; }

private:
  struct glob_pattern {
    rooted_rule rooted;
    glob_alternative pattern;
  };

  /// The longest root first, so that the first that matches is the one.
  result<void> compile(std::vector<glob_pattern> globs) {
    std::stable_sort(globs.begin(), globs.end(), [](glob_pattern const& a, glob_pattern const& b) {
      return a.rooted.root.size() > b.rooted.root.size();
    });
    std::vector<glob_alternative> patterns;
    for (auto& glob : globs) {
      of_globs_.push_back(std::move(glob.rooted));
      patterns.push_back(std::move(glob.pattern));
    }
    auto compiled = glob_list::compile(patterns);
    if (!compiled)
      return compiled.error();
    globs_ = std::move(*compiled);
    return {};
  }

  std::size_t longest_glob_root() const noexcept { return of_globs_.front().root.size(); }

  folder_index folders_;
  glob_list globs_;
  std::vector<rooted_rule> of_globs_; ///< by their index in globs_
  std::vector<rooted_rule> all_;
};

class deny_rules {
public:
  result<void> compile(std::vector<path_pattern> const& patterns) {
    std::vector<glob_alternative> globs;
    for (auto const& pattern : patterns) {
      auto alternatives = parse(pattern, purpose::deny);
      if (!alternatives)
        return alternatives.error();
      for (auto& alternative : *alternatives)
        add(std::move(alternative), &pattern, globs);
    }
    folders_.finish();
    tails_.finish();
    auto compiled = glob_list::compile(globs);
    if (!compiled)
      return compiled.error();
    globs_ = std::move(*compiled);
    return {};
  }

  path_pattern const* find(std::string_view path) const noexcept {
    if (auto const* const folder = folders_.find(path))
      return folder->rule;
    if (auto const* const rule = tails_.find(path))
      return rule;
    if (globs_.empty())
      return nullptr;
    auto const match = globs_.first_match(path);
    return match ? of_globs_[*match] : nullptr;
  }

  std::vector<rooted_rule> const& all() const noexcept { return all_; }

private:
  void add(glob_alternative alternative, path_pattern const* rule,
           std::vector<glob_alternative>& globs) {
    auto const significant = without_depth_at_end(alternative.names);
    rooted_rule rooted{root_of(significant), rule};
    all_.push_back(rooted);
    if (literal_prefix(significant) == significant.size()) {
      folders_.add(std::move(rooted));
    } else if (auto tail = tail_of(significant); !tail.empty()) {
      tails_.add(std::move(tail), rule);
    } else {
      // What is below is denied as well.
      alternative.names.push_back({name_kind::any_depth, {}, {}});
      globs.push_back(std::move(alternative));
      of_globs_.push_back(rule);
    }
  }

  folder_index folders_;
  tail_index tails_;
  glob_list globs_;
  std::vector<path_pattern const*> of_globs_; ///< by their index in globs_
  std::vector<rooted_rule> all_;
};

} // namespace

struct path_rules::compiled {
  path_rule_set patterns; ///< what the rules below point into
  allow_rules read;
  allow_rules write;
  deny_rules deny;

  allow_rules const& allow(path_action action) const noexcept {
    return action == path_action::read ? read : write;
  }
};

path_rules::path_rules(std::unique_ptr<compiled const> rules) noexcept
    : rules_{std::move(rules)} {}
path_rules::path_rules(path_rules&&) noexcept = default;
path_rules& path_rules::operator=(path_rules&&) noexcept = default;
path_rules::~path_rules() = default;

result<path_rules> path_rules::compile(path_rule_set rules) {
  auto compiling = std::make_unique<compiled>();
  compiling->patterns = std::move(rules);
  if (auto const read = compiling->read.compile(compiling->patterns.read); !read)
    return read.error();
  if (auto const write = compiling->write.compile(compiling->patterns.write); !write)
    return write.error();
  if (auto const deny = compiling->deny.compile(compiling->patterns.deny); !deny)
    return deny.error();
  return path_rules{std::move(compiling)};
}

path_decision path_rules::decide(path_action action, std::string_view canonical) const noexcept {
  if (!canonical.starts_with('/'))
    return {};
  if (auto const* const denying = rules_->deny.find(canonical))
    return {false, denying, {}};
  if (auto const* const allowing = rules_->allow(action).find(canonical))
    return {true, allowing->rule, allowing->root};
  return {};
}

path_explanation path_rules::explain(path_action action,
                                     std::string_view canonical) const noexcept {
  auto const decision = decide(action, canonical);
  auto const& allow = rules_->allow(action);
  if (decision.allowed)
    return {decision, nearest_of(rules_->deny.all(), canonical), nullptr};
  if (!decision.rule)
    return {decision, nearest_of(allow.all(), canonical), nullptr};
  auto const* const behind = allow.find(canonical);
  return {decision, decision.rule, behind ? behind->rule : nullptr};
}

} // namespace bulkhead
