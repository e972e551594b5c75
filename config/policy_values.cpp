#include <bulkhead/config/policy_values.hpp>

#include <bulkhead/config/glob.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/config/units.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace bulkhead::policy_values {
namespace {

namespace keys = policy_keys;

/// Beside served_requests: what the connection itself consumes, and the families that later
/// services grow into.
constexpr std::string_view connection_requests[] = {"extension-host-ready", "ping", "cancel"};
constexpr std::string_view served_families[] = {"fs.", "secret"};
/// What makes a message an answer rather than a request (docs/protocol.md).
constexpr std::string_view answer_suffixes[] = {"-response", "-error", "-partial"};
/// The wire protocol's.
constexpr std::size_t longest_request_type = 128;

bool served_by_bulkhead(std::string_view type) {
  return find_served_request(type) != nullptr ||
         std::ranges::find(connection_requests, type) != std::end(connection_requests) ||
         std::ranges::any_of(served_families,
                             [&](auto family) { return type.starts_with(family); });
}

bool names_an_answer(std::string_view type) {
  return std::ranges::any_of(answer_suffixes, [&](auto suffix) { return type.ends_with(suffix); });
}

/// Why a variable may not be set from a policy; empty where it may.
std::string_view refusal_of_variable(std::string_view name) {
  if (name.starts_with("BULKHEAD_") || name.starts_with("DSCODE_"))
    return "Bulkhead sets it itself";
  if (name.starts_with("LD_") || name == "NODE_OPTIONS")
    return "it makes the host run code that is not the extension's";
  return {};
}

bool valid_variable(std::string_view name) {
  auto const letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

/// The path without dots and without a slash at its end.
std::filesystem::path resolved(std::filesystem::path const& base, std::string_view text) {
  auto const normal = (base / text).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

/// A rule as path_rules takes it: absolute, without dots. Fails with policy_invalid_pattern.
result<path_pattern> absolute_pattern(std::filesystem::path const& base, std::string_view text,
                                      bool may_float) {
  auto const refuse = [&](std::string_view why) {
    return error{errc::policy_invalid_pattern,
                 quote(text) + " is no path rule - " + std::string{why}};
  };
  if (text.empty() || has_nul(text))
    return refuse("write a path or a glob");
  path_pattern pattern;
  pattern.shown = text;
  pattern.literal = !has_glob_characters(text);
  if (pattern.literal) {
    pattern.text = resolved(base, text).string();
    return pattern;
  }
  auto const floats = text == "**" || text.starts_with("**/");
  if (floats && !may_float)
    return refuse("what is allowed begins with a folder: \"FOLDER/**\"");
  std::string const below = floats || text.starts_with('/') ? std::string{} : base.string();
  std::vector<std::string> names;
  std::size_t literal = 0; // of these, the names that are no part of the glob
  auto const add = [&](std::string_view path, auto as_pattern) {
    for (std::size_t at = 0; at <= path.size();) {
      auto const end = std::min(path.find('/', at), path.size());
      auto const name = path.substr(at, end - at);
      at = end + 1;
      if (name == "..") {
        if (names.empty() || (names.size() > literal && has_glob_characters(names.back())))
          return false;
        names.pop_back();
        literal = std::min(literal, names.size());
      } else if (!name.empty() && name != ".") {
        names.push_back(as_pattern(name));
      }
    }
    return true;
  };
  add(below, escape_glob);
  literal = names.size();
  if (!add(text, [](std::string_view name) { return std::string{name}; }))
    return refuse("\"..\" can't follow a wildcard or leave the root");
  for (auto const& name : names)
    (pattern.text += floats && pattern.text.empty() ? "" : "/") += name;
  if (auto const parsed = parse_glob(pattern.text); !parsed)
    return parsed.error();
  return pattern;
}

/// Reads one value, by the type that its key takes.
class value_reader {
public:
  value_reader(toml::node const& node, std::string shown, keys::key const& key, reading& into)
      : node_{node}
      , shown_{std::move(shown)}
      , key_{key}
      , into_{into} {}

  bool operator()(keys::flag f) {
    auto const* value = node_.as_boolean();
    if (value == nullptr)
      return wrong_type("true or false");
    f.of(into_.draft) = value->get();
    return true;
  }

  bool operator()(keys::choice const& c) {
    auto const* value = node_.as_string();
    if (value == nullptr)
      return wrong_type(keys::range_of(key_));
    auto const found = std::ranges::find(c.names, value->get());
    if (found == c.names.end())
      return fail(errc::policy_out_of_range,
                  shown_ + " is " + quote(value->get()) + " - it takes " + keys::range_of(key_));
    c.set(into_.draft, static_cast<std::size_t>(found - c.names.begin()));
    return true;
  }

  bool operator()(keys::name n) {
    auto const* value = node_.as_string();
    if (value == nullptr)
      return wrong_type("a string");
    if (!keys::valid_name(value->get()))
      return fail(errc::policy_out_of_range, shown_ + " is " + quote(value->get()) +
                                                 " - a name is " + std::string{keys::name_rule});
    n.of(into_.draft) = value->get();
    return true;
  }

  bool operator()(keys::path p) {
    auto const* value = node_.as_string();
    if (value == nullptr)
      return wrong_type("a path in a string");
    if (!is_usable(value->get(), node_, shown_))
      return false;
    p.of(into_.draft) = resolved(into_.base, value->get());
    return true;
  }

  bool operator()(keys::time const& t) {
    return read_with_unit(t, units::parse_time, units::time_text(t.of(into_.draft)),
                          "a time such as \"30s\"");
  }

  bool operator()(keys::size const& s) {
    return read_with_unit(s, units::parse_size, units::size_text(s.of(into_.draft)),
                          "a size such as \"512MiB\"");
  }

  template <class T>
  bool operator()(keys::count<T> const& c) {
    auto const* value = node_.as_integer();
    if (value == nullptr)
      return wrong_type("a whole number");
    if (!std::in_range<T>(value->get()) || static_cast<T>(value->get()) < c.low ||
        static_cast<T>(value->get()) > c.high)
      return out_of_range(std::to_string(value->get()));
    c.of(into_.draft) = static_cast<T>(value->get());
    return true;
  }

  bool operator()(keys::fraction const& f) {
    if (!node_.is_number())
      return wrong_type("a number");
    double const value = node_.value_or(0.0);
    if (!(value >= f.low && value <= f.high)) // NaN is in no range
      return out_of_range(written());
    f.of(into_.draft) = value;
    return true;
  }

  bool operator()(keys::exit_codes const& e) {
    std::vector<int> codes;
    bool const good = for_each_element("a list of whole numbers", [&](toml::node const& element) {
      auto const* code = element.as_integer();
      if (code == nullptr)
        return wrong_element(element, "a whole number");
      if (code->get() < e.low || code->get() > e.high)
        return fail(errc::policy_out_of_range,
                    shown_ + " has " + std::to_string(code->get()) + " - its range is " +
                        keys::range_of(key_),
                    element);
      codes.push_back(static_cast<int>(code->get()));
      return true;
    });
    if (good)
      e.of(into_.draft) = std::move(codes);
    return good;
  }

  bool operator()(keys::command c) {
    std::vector<std::string> words;
    bool const good = for_each_element("a list of strings", [&](toml::node const& element) {
      auto const* word = element.as_string();
      if (word == nullptr)
        return wrong_element(element, "a string");
      if (words.empty() && !is_usable(word->get(), element, "the program in " + shown_))
        return false;
      if (has_nul(word->get()))
        return fail(errc::policy_out_of_range, shown_ + " has a NUL character", element);
      words.push_back(word->get());
      return true;
    });
    if (!good)
      return false;
    if (words.empty())
      return fail(errc::policy_out_of_range,
                  shown_ + " is empty - it takes a program and arguments");
    if (words.front().find('/') != std::string::npos)
      words.front() = resolved(into_.base, words.front()).string();
    c.of(into_.draft) = std::move(words);
    return true;
  }

  /// Whether there are such hosts shows once all are read.
  bool operator()(keys::host_names h) {
    std::vector<std::string> names;
    bool const good = for_each_element("a list of hosts", [&](toml::node const& element) {
      auto const* name = element.as_string();
      if (name == nullptr)
        return wrong_element(element, "a host's name");
      names.push_back(name->get());
      return true;
    });
    if (!good)
      return false;
    if (names.empty())
      return fail(errc::policy_out_of_range, shown_ + " is empty - it takes the names of hosts");
    h.of(into_.draft) = std::move(names);
    return true;
  }

  bool operator()(keys::permissions p) {
    permission_set granted;
    std::map<permission, grant_place> places;
    bool const good = for_each_element("a list of permissions", [&](toml::node const& element) {
      auto const found = permission_in(element);
      if (!found)
        return false;
      granted.insert(*found);
      places.try_emplace(*found, grant_place{shown_, element.source().begin.line});
      return true;
    });
    if (!good)
      return false;
    p.of(into_.draft) = granted;
    p.places(into_.draft) = std::move(places);
    return true;
  }

  bool operator()(keys::folders f) {
    std::vector<std::filesystem::path> folders;
    bool const good = for_each_element("a list of folders", [&](toml::node const& element) {
      auto const* text = element.as_string();
      if (text == nullptr)
        return wrong_element(element, "a folder");
      if (!is_usable(text->get(), element, "a folder in " + shown_))
        return false;
      folders.push_back(resolved(into_.base, text->get()));
      return true;
    });
    if (good)
      f.of(into_.draft) = std::move(folders);
    return good;
  }

  bool operator()(keys::patterns p) {
    std::vector<path_pattern> patterns;
    bool const good = for_each_element("a list of paths and globs", [&](toml::node const& element) {
      auto const* text = element.as_string();
      if (text == nullptr)
        return wrong_element(element, "a path or a glob");
      auto pattern = absolute_pattern(into_.base, text->get(), p.may_float);
      if (!pattern)
        return fail(pattern.error().code(), shown_ + ": " + pattern.error().detail(), element);
      pattern->line = static_cast<int>(element.source().begin.line);
      pattern->origin = shown_;
      patterns.push_back(std::move(*pattern));
      return true;
    });
    if (good)
      p.of(into_.draft) = std::move(patterns);
    return good;
  }

  bool operator()(keys::digest d) {
    auto const* text = node_.as_string();
    if (text == nullptr)
      return wrong_type("a SHA-256 in a string");
    if (!text->get().empty() && !is_digest(text->get(), node_))
      return false;
    d.of(into_.draft) = text->get();
    return true;
  }

  bool operator()(keys::digests d) {
    std::vector<std::string> all;
    bool const good = for_each_element("a list of SHA-256", [&](toml::node const& element) {
      auto const* text = element.as_string();
      if (text == nullptr)
        return wrong_element(element, "a SHA-256");
      if (!is_digest(text->get(), element))
        return false;
      all.push_back(text->get());
      return true;
    });
    if (good)
      d.of(into_.draft) = std::move(all);
    return good;
  }

  bool operator()(keys::filter f) {
    auto const* text = node_.as_string();
    if (text == nullptr)
      return wrong_type("\"default\" or a path in a string");
    if (!is_usable(text->get(), node_, shown_))
      return false;
    if (text->get() == keys::default_filter)
      f.of(into_.draft).clear();
    else
      f.of(into_.draft) = resolved(into_.base, text->get());
    return true;
  }

  bool operator()(keys::rates r) {
    return for_each_entry("a table of numbers", [&](toml::key const& type, toml::node const& node) {
      if (type.str().empty() || type.str().size() > longest_request_type)
        return wrong_length(type);
      auto const what = shown_ + '.' + quote(type.str());
      auto const* value = node.as_integer();
      if (value == nullptr)
        return wrong_type_of(what, node, "a whole number");
      if (value->get() < r.low || value->get() > r.high)
        return fail(errc::policy_out_of_range,
                    what + " is " + std::to_string(value->get()) + " - its range is " +
                        keys::range_of(key_),
                    node);
      r.of(into_.draft)
          .insert_or_assign(std::string{type.str()}, static_cast<std::uint32_t>(value->get()));
      return true;
    });
  }

  bool operator()(keys::environment e) {
    return for_each_entry("a table of strings", [&](toml::key const& name, toml::node const& node) {
      if (!valid_variable(name.str()))
        return fail(
            errc::policy_out_of_range,
            quote(name.str()) + " in " + shown_ +
                " is no name of a variable - one is letters, digits and _ without a digit first",
            name);
      if (auto const why = refusal_of_variable(name.str()); !why.empty())
        return fail(errc::policy_conflict,
                    std::string{name.str()} + " can't be set in " + shown_ + " - " +
                        std::string{why},
                    name);
      auto const* text = node.as_string();
      if (text == nullptr)
        return wrong_type_of(shown_ + '.' + std::string{name.str()}, node, "a string");
      if (has_nul(text->get()))
        return fail(errc::policy_out_of_range,
                    shown_ + '.' + std::string{name.str()} + " has a NUL character", node);
      e.of(into_.draft).insert_or_assign(std::string{name.str()}, text->get());
      return true;
    });
  }

  bool operator()(keys::requests r) {
    return for_each_entry(
        "a table of permissions", [&](toml::key const& type, toml::node const& node) {
          if (type.str().empty() || type.str().size() > longest_request_type)
            return wrong_length(type);
          if (served_by_bulkhead(type.str()))
            return fail(errc::policy_conflict,
                        quote(type.str()) + " can't stand in requests - Bulkhead answers it itself",
                        type);
          if (names_an_answer(type.str()))
            return fail(errc::policy_conflict,
                        quote(type.str()) +
                            " can't stand in requests - it names an answer, not a request",
                        type);
          auto const needed = permission_in(node);
          if (needed)
            r.of(into_.draft).insert_or_assign(std::string{type.str()}, *needed);
          return needed.has_value();
        });
  }

  bool operator()(keys::planned) {
    // The mistake belongs to the key, not to its value: load.cpp reports it there.
    return false;
  }

private:
  bool fail(errc code, std::string sentence) { return fail(code, std::move(sentence), node_); }

  /// `at` is a node or a key.
  template <class Place>
  bool fail(errc code, std::string sentence, Place const& at) {
    into_.mistake(at.source(), code, std::move(sentence));
    return false;
  }

  bool wrong_type_of(std::string const& what, toml::node const& node, std::string_view takes) {
    return fail(errc::policy_wrong_type,
                what + " is " + std::string{kind_of(node)} + " - it takes " + std::string{takes},
                node);
  }
  bool wrong_type(std::string_view takes) { return wrong_type_of(shown_, node_, takes); }
  bool wrong_element(toml::node const& element, std::string_view takes) {
    return fail(errc::policy_wrong_type,
                shown_ + " has " + std::string{kind_of(element)} + " in it - it takes " +
                    std::string{takes} + " in each place",
                element);
  }

  bool wrong_length(toml::key const& type) {
    return fail(errc::policy_out_of_range,
                "the request type " + quote(type.str()) + " has " +
                    std::to_string(type.str().size()) + " bytes - its range is 1 to " +
                    std::to_string(longest_request_type),
                type);
  }

  bool out_of_range(std::string const& value) {
    return fail(errc::policy_out_of_range,
                shown_ + " is " + value + " - its range is " + keys::range_of(key_));
  }

  /// A text that can be a path: not empty, no NUL.
  bool is_usable(std::string_view text, toml::node const& at, std::string const& what) {
    if (text.empty())
      return fail(errc::policy_out_of_range, what + " is empty", at);
    if (has_nul(text))
      return fail(errc::policy_out_of_range, what + " has a NUL character", at);
    return true;
  }

  bool is_digest(std::string_view text, toml::node const& at) {
    auto const hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (text.size() == keys::digest_size && std::ranges::all_of(text, hex))
      return true;
    return fail(errc::policy_out_of_range,
                shown_ + " has " + quote(text) + " - a SHA-256 is 64 of 0-9 a-f", at);
  }

  /// The number as it stands in the file, but for its notation.
  std::string written() const {
    auto const* whole = node_.as_integer();
    return whole != nullptr ? std::to_string(whole->get())
                            : units::number_text(node_.value_or(0.0));
  }

  template <class Key, class Parse>
  bool read_with_unit(Key const& key, Parse parse, std::string const& like,
                      std::string_view takes) {
    auto const unit = units::unit_of(like);
    if (node_.is_number()) {
      auto const* whole = node_.as_integer();
      std::string const advice = whole != nullptr && whole->get() >= 0
                                     ? '"' + std::to_string(whole->get()) + std::string{unit} + '"'
                                     : std::string{takes};
      return fail(errc::policy_missing_unit, written() + " has no unit - write " + advice);
    }
    auto const* text = node_.as_string();
    if (text == nullptr)
      return wrong_type(takes);
    auto const parsed = parse(text->get(), unit);
    if (!parsed)
      return fail(parsed.error().code(), parsed.error().detail());
    if (*parsed < key.low || *parsed > key.high)
      return out_of_range(quote(text->get()));
    key.of(into_.draft) = *parsed;
    return true;
  }

  std::optional<permission> permission_in(toml::node const& node) {
    auto const* name = node.as_string();
    if (name == nullptr) {
      wrong_element(node, "a permission");
      return std::nullopt;
    }
    auto const found = permission_from_string(name->get());
    if (!found)
      fail(errc::policy_unknown_permission, unknown_permission_sentence(name->get()), node);
    return found;
  }

  /// Every element, also behind one that is wrong.
  template <class Visit>
  bool for_each_element(std::string_view takes, Visit visit) {
    auto const* list = node_.as_array();
    if (list == nullptr)
      return wrong_type(takes);
    bool good = true;
    for (toml::node const& element : *list)
      good = visit(element) && good;
    return good;
  }

  template <class Visit>
  bool for_each_entry(std::string_view takes, Visit visit) {
    auto const* entries = node_.as_table();
    if (entries == nullptr)
      return wrong_type(takes);
    bool good = true;
    for (auto const& [key, node] : *entries)
      good = visit(key, node) && good;
    return good;
  }

  toml::node const& node_;
  std::string const shown_;
  keys::key const& key_;
  reading& into_;
};

} // namespace

void reading::mistake(toml::source_region const& where, errc code, std::string sentence) {
  mistakes.push_back({code, where.begin.line, where.begin.column, std::move(sentence)});
}

std::string_view kind_of(toml::node const& node) noexcept {
  switch (node.type()) {
  case toml::node_type::table:
    return "a table";
  case toml::node_type::array:
    return "a list";
  case toml::node_type::string:
    return "a string";
  case toml::node_type::integer:
    return "a whole number";
  case toml::node_type::floating_point:
    return "a number";
  case toml::node_type::boolean:
    return "a boolean";
  default:
    return "a date or a time of day";
  }
}

bool read(policy_keys::key const& key, toml::node const& node, std::string_view shown,
          reading& into) {
  return std::visit(value_reader{node, std::string{shown}, key, into}, key.takes);
}

} // namespace bulkhead::policy_values
