#include <bulkhead/config/load.hpp>

#include <bulkhead/config/nearest.hpp>
#include <bulkhead/config/policy_values.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/text_file.hpp>
#include <bulkhead/config/units.hpp>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace bulkhead {
namespace {

namespace keys = policy_keys;
using namespace std::chrono_literals;

/// Measured with Node 18 and 20: with less it does not start, or falls without a word.
namespace node_needs {
constexpr std::size_t memory = std::size_t{64} << 20;
constexpr std::uint32_t processes = 11;
constexpr std::uint32_t open_files = 20;
} // namespace node_needs

/// Dotted keys become tables in tables that toml++ takes apart by recursion: with the 256 levels
/// that it allows for values, this bounds the stack to some megabytes. No key of a policy has more
/// than five dots.
constexpr std::ptrdiff_t most_dots_in_a_line = 128;

std::string in_report(std::string_view file, policy_mistake const& mistake) {
  std::string text{file};
  if (mistake.line != 0)
    text += ':' + std::to_string(mistake.line) + ':' + std::to_string(mistake.column);
  return text += ": " + mistake.sentence;
}

std::vector<policy_mistake> sorted(std::vector<policy_mistake> mistakes) {
  std::ranges::stable_sort(mistakes, {}, [](policy_mistake const& m) {
    return std::tuple{m.line, m.column};
  });
  return mistakes;
}

std::string join(std::string_view table, std::string_view key) {
  return table.empty() ? std::string{key} : std::string{table} + '.' + std::string{key};
}

/// Walks a parsed file along the table of keys.
class policy_reader {
public:
  explicit policy_reader(std::filesystem::path const& base) {
    into_.base = base;
    into_.draft = keys::empty_draft();
    into_.draft.file.state_dir = (base / into_.draft.file.state_dir).lexically_normal();
  }

  void read_file(toml::table const& file) {
    for (auto const& [key, node] : file)
      if (key.str() == "defaults")
        read_subtable(node, "hosts.*", "defaults");
      else if (key.str() != "hosts" && key.str() != "groups")
        read_entry(key, node, "", "");
    check_secrets(file);
    read_hosts(file);
    read_groups(file);
  }

  policy take_policy() && { return std::move(into_.draft.file); }
  std::vector<policy_mistake> take_mistakes() && { return std::move(into_.mistakes); }

private:
  /// `table` is the path in the table of keys, `shown` the one that the user wrote.
  void read_table(toml::table const& node, std::string_view table, std::string_view shown) {
    for (auto const& [key, value] : node)
      read_entry(key, value, table, shown);
  }

  void read_subtable(toml::node const& node, std::string_view table, std::string const& shown) {
    auto const* entries = node.as_table();
    if (entries == nullptr)
      into_.mistake(node.source(), errc::policy_wrong_type,
                    shown + " is " + std::string{policy_values::kind_of(node)} +
                        " - it takes a table, [" + shown + ']');
    else
      read_table(*entries, table, shown);
  }

  void read_entry(toml::key const& key, toml::node const& node, std::string_view table,
                  std::string_view shown_table) {
    auto const path = join(table, key.str());
    auto const shown = join(shown_table, key.str());
    bool const has_dot = key.str().find('.') != std::string_view::npos; // a quoted key
    if (auto const* row = keys::find(path); row != nullptr && !has_dot)
      read_value(*row, key, node, shown);
    else if (!has_dot && !keys::children(path).empty())
      read_subtable(node, path, shown);
    else
      unknown_key(key, table, shown_table);
  }

  void read_value(keys::key const& row, toml::key const& key, toml::node const& node,
                  std::string const& shown) {
    if (keys::is_planned(row))
      return not_supported(key, shown);
    if (!policy_values::read(row, node, shown, into_))
      broken_.emplace(row.path);
  }

  void read_hosts(toml::table const& file) {
    auto const found = file.find("hosts");
    auto const* hosts = found != file.end() ? found->second.as_table() : nullptr;
    if (found != file.end() && hosts == nullptr)
      return into_.mistake(found->second.source(), errc::policy_wrong_type,
                           "hosts is " + std::string{policy_values::kind_of(found->second)} +
                               " - it takes a table for each host, [hosts.NAME]");
    if (hosts == nullptr || hosts->empty())
      return into_.mistake(
          hosts == nullptr ? toml::source_region{{1, 1}, {1, 1}, {}} : found->first.source(),
          errc::policy_missing_key,
          "there is no host - write  [hosts.NAME]  with an extension or a command");

    auto const defaults = std::exchange(into_.draft.host, {});
    auto const broken_in_defaults = std::exchange(broken_, {});
    for (auto const& [key, node] : in_file_order(*hosts)) {
      named_hosts_.emplace_back(key->str());
      into_.draft.host = defaults;
      broken_ = broken_in_defaults;
      read_host(*key, *node);
    }
  }

  using entry = std::pair<toml::key const*, toml::node const*>;
  static std::vector<entry> in_file_order(toml::table const& table) {
    std::vector<entry> entries;
    for (auto const& [key, node] : table)
      entries.emplace_back(&key, &node);
    std::ranges::sort(entries, {}, [](entry const& e) {
      auto const& place = e.first->source().begin;
      return std::tuple{place.line, place.column};
    });
    return entries;
  }

  void read_host(toml::key const& id, toml::node const& node) {
    if (!keys::valid_name(id.str()))
      return into_.mistake(id.source(), errc::policy_out_of_range,
                           "the host's name is " + quote(id.str()) + " - a name is " +
                               std::string{keys::name_rule});
    bool const has_dot = id.str().find('.') != std::string_view::npos;
    auto const shown = join("hosts", has_dot ? quote(id.str()) : std::string{id.str()});
    auto const* table = node.as_table();
    if (table == nullptr)
      return read_subtable(node, "hosts.*", shown);
    into_.draft.host.id = id.str();
    read_table(*table, "hosts.*", shown);
    check_host(id, *table, shown);
    into_.draft.file.hosts.push_back(std::move(into_.draft.host));
  }

  /// What holds between keys. A key with a mistake of its own is not blamed a second time.
  void check_host(toml::key const& id, toml::table const& table, std::string const& shown) {
    auto const& host = into_.draft.host;
    auto const good = [&](std::string_view key) { return !broken_.contains(join("hosts.*", key)); };
    auto const place_of = [&](std::string_view key) {
      auto const found = table.find(key);
      return found != table.end() ? found->first.source() : id.source();
    };

    if (good("runtime") && host.runtime == host_runtime::node) {
      if (good("extension") && host.extension.empty())
        into_.mistake(id.source(), errc::policy_missing_key,
                      shown + " has no extension - write  extension = \"FOLDER\"");
      if (!host.command.empty())
        into_.mistake(place_of("command"), errc::policy_conflict,
                      shown + ".command needs  runtime = \"command\"  - a node host takes none");
    }
    if (good("runtime") && host.runtime == host_runtime::command && good("command") &&
        host.command.empty())
      into_.mistake(id.source(), errc::policy_missing_key,
                    shown + " has no command - write  command = [\"PROGRAM\"]");
    if (good("restart.backoff.initial") && good("restart.backoff.max") &&
        host.restart.backoff_initial > host.restart.backoff_max)
      into_.mistake(place_of("restart"), errc::policy_conflict,
                    shown + ".restart.backoff.initial is " +
                        quote(units::time_text(host.restart.backoff_initial)) +
                        ", longer than its max of " +
                        quote(units::time_text(host.restart.backoff_max)) + " - raise max");
    if (good("health.unresponsive_after") && good("health.kill_after") &&
        host.health.unresponsive_after >= host.health.kill_after)
      into_.mistake(place_of("health"), errc::policy_conflict,
                    shown + ".health.unresponsive_after is " +
                        quote(units::time_text(host.health.unresponsive_after)) +
                        ", not shorter than its kill_after of " +
                        quote(units::time_text(host.health.kill_after)) + " - raise kill_after");
    if (good("start.warm") && host.start.warm != 0)
      check_warm(table, shown, place_of);
    if (good("start.code_cache") && host.start.code_cache)
      check_code_cache(table, shown, place_of);
    check_containment(table, shown, place_of);
  }

  template <class PlaceOf>
  void check_warm(toml::table const& table, std::string const& shown, PlaceOf place_of) {
    auto const& host = into_.draft.host;
    auto const* const start = table["start"].as_table();
    auto const* const value = start ? start->get("warm") : nullptr;
    auto const wrong = [&](std::string const& why) {
      into_.mistake(value ? value->source() : place_of("start"), errc::policy_conflict,
                    shown + ".start.warm is " + std::to_string(host.start.warm) + why);
    };
    if (auto const never = why_never_warm(host))
      wrong(", and the host " + std::string{*never} + " - write  start.warm = 0");
    else if (host.start.warm > into_.draft.file.warm_limit)
      wrong(", more than runtime.warm_limit, which is " +
            std::to_string(into_.draft.file.warm_limit) + " - raise that");
  }

  template <class PlaceOf>
  void check_code_cache(toml::table const& table, std::string const& shown, PlaceOf place_of) {
    auto const* const start = table["start"].as_table();
    auto const* const value = start ? start->get("code_cache") : nullptr;
    if (auto const never = why_never_compiled(into_.draft.host))
      into_.mistake(value ? value->source() : place_of("start"), errc::policy_conflict,
                    shown + ".start.code_cache is true, and the host " + std::string{*never} +
                        " - write  start.code_cache = false");
  }

  /// `place_of` tells where a table of the host begins.
  template <class PlaceOf>
  void check_containment(toml::table const& table, std::string const& shown, PlaceOf place_of) {
    auto const& host = into_.draft.host;
    auto const* const limits = table["limits"].as_table();
    auto const too_small = [&](std::string_view key, std::string const& least) {
      auto const* const value = limits ? limits->get(key) : nullptr;
      into_.mistake(value ? value->source() : place_of("limits"), errc::policy_out_of_range,
                    shown + ".limits." + std::string{key} + " is too small for Node, which needs " +
                        least);
    };
    if (host.runtime == host_runtime::node) {
      if (host.limits.memory < node_needs::memory)
        too_small("memory", quote(units::size_text(node_needs::memory)));
      if (host.limits.processes < node_needs::processes)
        too_small("processes", std::to_string(node_needs::processes));
      if (host.limits.open_files < node_needs::open_files)
        too_small("open_files", std::to_string(node_needs::open_files));
    }
    if (host.limits.cpu_time % 1s != 0s)
      into_.mistake(place_of("limits"), errc::policy_out_of_range,
                    shown + ".limits.cpu_time is " + quote(units::time_text(host.limits.cpu_time)) +
                        " - it takes whole seconds");
    auto const* const cpu_percent = limits ? limits->get("cpu_percent") : nullptr;
    if (host.sandbox.require == sandbox_tier::none && cpu_percent && host.limits.cpu_percent != 0)
      into_.mistake(cpu_percent->source(), errc::policy_conflict,
                    shown + ".limits.cpu_percent can't be held with  sandbox.require = \"none\"  - "
                            "remove it, or have the host contained");
    if (host.sandbox.require != sandbox_tier::none && host.transport == host_transport::sockets)
      into_.mistake(place_of("transport"), errc::policy_conflict,
                    shown + ".transport is \"sockets\", which a contained host can't reach - use  "
                            "transport = \"socketpair\"");
    if (host.sandbox.require == sandbox_tier::basic && !host.sandbox.landlock)
      into_.mistake(place_of("sandbox"), errc::policy_conflict,
                    shown + ".sandbox.landlock is false and require is \"basic\", which is nothing "
                            "without Landlock - remove one of them");
  }

  void read_groups(toml::table const& file) {
    auto const found = file.find("groups");
    if (found == file.end())
      return;
    auto const* groups = found->second.as_table();
    if (groups == nullptr)
      return into_.mistake(found->second.source(), errc::policy_wrong_type,
                           "groups is " + std::string{policy_values::kind_of(found->second)} +
                               " - it takes a table for each group, [groups.NAME]");
    for (auto const& [key, node] : in_file_order(*groups))
      read_group(*key, *node);
  }

  void read_group(toml::key const& name, toml::node const& node) {
    if (!keys::valid_name(name.str()))
      return into_.mistake(name.source(), errc::policy_out_of_range,
                           "the group's name is " + quote(name.str()) + " - a name is " +
                               std::string{keys::name_rule});
    bool const has_dot = name.str().find('.') != std::string_view::npos;
    auto const shown = join("groups", has_dot ? quote(name.str()) : std::string{name.str()});
    broken_.clear();
    into_.draft.group = {};
    into_.draft.group.name = name.str();
    read_subtable(node, "groups.*", shown);
    if (auto const* table = node.as_table())
      check_group(name, *table, shown);
    into_.draft.file.groups.push_back(std::move(into_.draft.group));
  }

  void check_group(toml::key const& name, toml::table const& table, std::string const& shown) {
    if (broken_.contains("groups.*.hosts"))
      return;
    if (!table.contains("hosts"))
      return into_.mistake(name.source(), errc::policy_missing_key,
                           shown + " has no hosts - write  hosts = [\"NAME\"]");
    auto const& hosts = into_.draft.group.hosts;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      auto const wrong = [&](std::string const& what) {
        into_.mistake(table["hosts"].as_array()->get(i)->source(), errc::policy_conflict,
                      shown + ".hosts names " + quote(hosts[i]) + what);
      };
      if (std::find(hosts.begin(), hosts.begin() + static_cast<std::ptrdiff_t>(i), hosts[i]) !=
          hosts.begin() + static_cast<std::ptrdiff_t>(i))
        wrong(" twice - remove one");
      else if (auto const* other = into_.draft.file.group_of(hosts[i]))
        wrong(", which is in groups." + other->name + " already - a host is in one group");
      else if (std::ranges::find(named_hosts_, hosts[i]) == named_hosts_.end())
        wrong(suggested(hosts[i]));
    }
  }

  std::string suggested(std::string const& host) const {
    std::vector<std::string_view> const names{named_hosts_.begin(), named_hosts_.end()};
    auto const suggestion = nearest(host, names);
    return ", and there is no such host" +
           (suggestion ? " - did you mean " + quote(*suggestion) + '?'
                       : std::string{" - write  [hosts."} + host + "]  or remove it");
  }

  void check_secrets(toml::table const& file) {
    auto const& secrets = into_.draft.file.secrets;
    auto const* const table = file["secrets"].as_table();
    if (table == nullptr)
      return;
    auto const sources = static_cast<int>(!secrets.passphrase_file.empty()) +
                         static_cast<int>(!secrets.passphrase_credential.empty()) +
                         static_cast<int>(!secrets.passphrase_variable.empty());
    if (sources > 1)
      into_.mistake(table->source(), errc::policy_conflict,
                    "secrets names more than one passphrase - keep one of passphrase_file, "
                    "passphrase_credential and passphrase_variable");
    if (secrets.backend == secret_backend_kind::vault && sources == 0 &&
        !has_broken_key("secrets."))
      into_.mistake(table->source(), errc::policy_missing_key,
                    "secrets.backend is \"vault\" and there is no passphrase - write  "
                    "passphrase_file = \"FILE\"  or  passphrase_credential = \"NAME\"");
  }

  bool has_broken_key(std::string_view table) const {
    auto const first = broken_.lower_bound(table);
    return first != broken_.end() && first->starts_with(table);
  }

  void not_supported(toml::key const& key, std::string const& shown) {
    into_.mistake(key.source(), errc::policy_not_supported,
                  shown + " is not enforced by this version; remove it");
  }

  void unknown_key(toml::key const& key, std::string_view table, std::string_view shown_table) {
    auto sentence = "unknown key " + quote(key.str());
    if (!shown_table.empty())
      sentence += " in " + std::string{shown_table};
    auto const siblings = keys::children(table);
    if (auto const suggestion = nearest(key.str(), siblings))
      sentence += " - did you mean " + quote(*suggestion) + '?';
    else if (auto const elsewhere = same_name_elsewhere(key.str()); !elsewhere.empty())
      sentence += " - did you mean " + quote(elsewhere) + '?';
    into_.mistake(key.source(), errc::policy_unknown_key, std::move(sentence));
  }

  /// The whole path of the first key with that last name; empty where no key has it.
  static std::string same_name_elsewhere(std::string_view name) {
    for (keys::key const& row : keys::all())
      if (auto const dot = row.path.rfind('.');
          dot != std::string_view::npos && row.path.substr(dot + 1) == name) {
        std::string path{row.path};
        if (auto const star = path.find('*'); star != std::string::npos)
          path.replace(star, 1, "NAME");
        return path;
      }
    return {};
  }

  policy_values::reading into_;
  std::vector<std::string> named_hosts_; // those with a mistake as well
  /// The keys of the host being read (and of the defaults) whose values were refused.
  std::set<std::string, std::less<>> broken_;
};

/// The line with too many dots, from 1; 0 where there is none.
std::size_t line_with_too_many_dots(std::string_view text) {
  for (std::size_t line = 1; !text.empty(); ++line) {
    auto const end = std::min(text.find('\n'), text.size());
    if (std::ranges::count(text.substr(0, end), '.') > most_dots_in_a_line)
      return line;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return 0;
}

[[noreturn]] void throw_single(std::string_view name, policy_mistake mistake) {
  throw policy_error{name, {std::move(mistake)}};
}

/// toml++ repeats what it read: a control character, too, as it stands.
std::string on_one_line(std::string_view description) {
  std::string line{description};
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return line;
}

toml::table parse_toml(std::string_view text, std::string_view name) {
  if (text.size() > policy_file_limit)
    throw_single(name, {errc::policy_unreadable, 0, 0,
                        "can't be read: it is longer than " + units::size_text(policy_file_limit)});
  if (auto const line = line_with_too_many_dots(text); line != 0)
    throw_single(name, {errc::policy_syntax, line, 1,
                        "more than " + std::to_string(most_dots_in_a_line) +
                            " dots in one line - break the line"});
  try {
    return toml::parse(text);
  } catch (toml::parse_error const& failed) {
    throw_single(name,
                 {errc::policy_syntax, failed.source().begin.line, failed.source().begin.column,
                  "not valid TOML: " + on_one_line(failed.description())});
  }
}

std::filesystem::path made_absolute(std::filesystem::path const& path) {
  std::error_code fault; // of the working directory; the path then stays relative
  auto const found = std::filesystem::absolute(path, fault);
  return (fault ? path : found).lexically_normal();
}

} // namespace

policy_error::policy_error(std::string_view file, std::vector<policy_mistake> mistakes)
    : error{mistakes.front().code, in_report(file, mistakes.front())}
    , mistakes_{std::move(mistakes)} {
  for (policy_mistake const& mistake : mistakes_) {
    if (!report_.empty())
      report_ += '\n';
    report_ += in_report(file, mistake);
  }
}

policy parse_policy(std::string_view toml, std::filesystem::path const& base,
                    std::string_view name) {
  auto const file = parse_toml(toml, name);
  policy_reader reader{made_absolute(base)};
  reader.read_file(file);
  if (auto mistakes = std::move(reader).take_mistakes(); !mistakes.empty())
    throw policy_error{name, sorted(std::move(mistakes))};
  return std::move(reader).take_policy();
}

policy load_policy(std::filesystem::path const& file) {
  auto const text = read_text_file(file, policy_file_limit, errc::policy_unreadable);
  if (!text)
    throw_single(file.string(), {text.error().code(), 0, 0, text.error().detail()});
  auto const where = made_absolute(file);
  auto loaded = parse_policy(*text, where.parent_path(), file.string());
  loaded.file = where;
  return loaded;
}

} // namespace bulkhead
