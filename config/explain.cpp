#include <bulkhead/config/explain.hpp>

#include <bulkhead/config/glob_pattern.hpp>
#include <bulkhead/config/request_path.hpp>
#include <bulkhead/messages/frame_scanner.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {
namespace {

/// The key of a host's path rules that a permission is about; empty for a permission without one.
struct path_key {
  std::string_view name;
  path_action action = path_action::read;
};

path_key key_of(permission asked) noexcept {
  switch (asked) {
  case permission::file_system_read:
    return {"filesystem.read", path_action::read};
  case permission::file_system_write:
  case permission::file_system_delete:
    return {"filesystem.write", path_action::write};
  case permission::workspace_read:
    return {"filesystem.workspace", path_action::read};
  default:
    return {};
  }
}

/// As a TOML string holds it. The text has no control characters.
std::string written(std::string_view text) {
  std::string quoted{'"'};
  for (char const c : text) {
    if (c == '"' || c == '\\')
      quoted += '\\';
    quoted += c;
  }
  return quoted += '"';
}

/// The rule for exactly this path.
std::string rule_for(std::string const& path) {
  return written(has_glob_characters(path) ? escape_glob(path) : path);
}

std::optional<explained_rule> rule_of(path_pattern const* pattern) {
  if (pattern == nullptr)
    return std::nullopt;
  return explained_rule{pattern->origin, pattern->shown, static_cast<std::size_t>(pattern->line)};
}

/// What one list of the policy holds, as far as advice about it needs to know.
struct list_place {
  std::string key;    ///< the host's own: "hosts.formatter.permissions"
  std::string origin; ///< where the list that holds now stands; empty: unknown
};

std::string add_to(list_place const& list, std::string const& what) {
  auto change = "add " + what + " to " + list.key;
  if (!list.origin.empty() && list.origin != list.key)
    change += ", and what is to stay of " + list.origin + ", which it replaces";
  return change;
}

list_place place_of(host_policy const& host, std::string_view key,
                    std::vector<path_pattern> const& rules) {
  return {"hosts." + host.id + '.' + std::string{key}, rules.empty() ? "" : rules.front().origin};
}

/// Builds one explanation, gate by gate.
class explanation {
public:
  explanation(host_policy const& host, permission asked)
      : host_{host} {
    made_.host = host.id;
    made_.asked = asked;
    made_.allowed = true;
  }

  void pass_policy() {
    made_.is_granted = host_.permissions.contains(made_.asked);
    made_.grant = {"hosts." + host_.id + ".permissions", std::string{to_string(made_.asked)}, 0};
    auto at = host_.granted_at.find(made_.asked);
    if (at == host_.granted_at.end())
      at = host_.granted_at.begin();
    if (at != host_.granted_at.end()) {
      made_.grant.origin = at->second.origin;
      made_.grant.line = at->second.line;
    }
    if (!made_.is_granted)
      refuse(add_to({"hosts." + host_.id + ".permissions", made_.grant.origin},
                    written(made_.grant.text)));
  }

  void pass_manifest(std::optional<result<manifest>> const& extension) {
    if (!extension)
      return; // nobody asks, so what is granted holds
    if (!*extension) {
      made_.notes.push_back("what the extension asks for is not known: " +
                            extension->error().detail());
      return;
    }
    auto const& asking = **extension;
    decide(access_gate::manifest);
    made_.is_asked_for = asking.permissions.contains(made_.asked);
    if (!*made_.is_asked_for)
      refuse(ask_for_it(asking));
    if (auto const resolved = resolve_permissions(host_, asking); !resolved) {
      made_.notes.push_back("the host does not start: " + resolved.error().detail());
      refuse(resolved.error().remedy());
    }
  }

  void pass_path(path_rules const& rules, std::string path) {
    auto const key = key_of(made_.asked);
    auto const seen = rules.explain(key.action, path);
    made_.path = std::move(path);
    made_.rule = rule_of(seen.decision.rule);
    made_.nearest = rule_of(seen.nearest);
    made_.behind_deny = rule_of(seen.behind_deny);
    made_.path_allowed = seen.decision.allowed;
    decide(access_gate::path);
    if (made_.path_allowed)
      return;
    if (made_.rule)
      refuse("take " + written(made_.rule->text) + " out of " + made_.rule->origin +
             ", or make it match less");
    if (!made_.behind_deny)
      refuse(allow_path());
  }

  void close_path(path_pattern const& rule, std::string path) {
    made_.path = std::move(path);
    made_.rule = rule_of(&rule);
    made_.path_allowed = false;
    decide(access_gate::path);
    refuse("keep it outside of " + rule.origin + ", which no rule opens");
  }

  access_explanation finish() && {
    if (made_.allowed)
      made_.changes.push_back(
          made_.path.empty()
              ? "take " + written(made_.grant.text) + " out of " + made_.grant.origin
              : add_to(place_of(host_, "filesystem.deny", host_.filesystem.rules.deny),
                       rule_for(made_.path)));
    return std::move(made_);
  }

private:
  /// What an earlier gate has refused stays refused by that one.
  void decide(access_gate gate) {
    if (made_.allowed)
      made_.decided_by = gate;
  }

  void refuse(std::string change) {
    made_.allowed = false;
    made_.changes.push_back(std::move(change));
  }

  std::string ask_for_it(manifest const& asking) const {
    auto const name = written(to_string(made_.asked));
    if (host_.extension != asking.main)
      return "add " + name + " to \"permissions\" in \"bulkhead\" of " +
             (asking.folder / "package.json").string();
    return "make the extension a folder with a package.json that asks for it, "
           "{\"bulkhead\": {\"permissions\": [" +
           name + "]}}: a single file asks for nothing";
  }

  std::string allow_path() const {
    auto const& rules = host_.filesystem.rules;
    auto const key = key_of(made_.asked);
    if (made_.asked == permission::workspace_read)
      return "add a folder that holds the path to hosts." + host_.id + '.' + std::string{key.name};
    return add_to(
        place_of(host_, key.name, key.action == path_action::read ? rules.read : rules.write),
        rule_for(made_.path));
  }

  host_policy const& host_;
  access_explanation made_;
};

/// The workspace as path rules: what lies in one of its folders and is not denied.
result<path_rules> workspace_rules(host_policy const& host, host_access const& access) {
  path_rule_set rules;
  for (auto const& folder : access.workspace)
    rules.read.push_back({folder, folder, 0, "hosts." + host.id + ".filesystem.workspace", true});
  rules.deny = host.filesystem.rules.deny;
  return path_rules::compile(std::move(rules));
}

/// The path of a question, as the same one in a request would be.
result<std::string> canonical(access_question const& question, host_access const& access) {
  if (!takes_path(question.asked))
    return error{errc::invalid_payload,
                 std::string{to_string(question.asked)} + " is not about paths",
                 "ask without the path"};
  if (!wire::is_utf8(*question.path))
    return error{errc::invalid_payload, "the path is not UTF-8, so no request can name it"};
  auto path = canonical_path(*question.path, access.home);
  if (!path)
    return error{path.error().code(), path.error().detail(),
                 "name it as a request would: absolute, as a file: URI, or relative to " +
                     access.home};
  return path;
}

// ---- as text ---------------------------------------------------------------------------------

std::string place(std::string_view file, std::size_t line) {
  return line == 0 ? std::string{} : " (" + std::string{file} + ':' + std::to_string(line) + ')';
}

std::string in_text(explained_rule const& rule, std::string_view file) {
  return rule.origin + ": " + written(rule.text) + place(file, rule.line);
}

std::string line(std::string_view label, std::string const& text) {
  constexpr std::size_t column = 13;
  return "  " + std::string{label} + std::string(column - label.size(), ' ') + text;
}

std::string policy_line(access_explanation const& explained, std::string_view file) {
  return line("policy", (explained.is_granted ? "granted by " : "not granted by ") +
                            explained.grant.origin + place(file, explained.grant.line));
}

std::string manifest_line(access_explanation const& explained) {
  return line("manifest", *explained.is_asked_for ? "the extension asks for it"
                                                  : "the extension does not ask for it");
}

std::string path_line(access_explanation const& explained, std::string_view file) {
  if (!explained.rule)
    return line("path", "no rule allows it");
  return line("path", (explained.path_allowed ? "allowed by " : "denied by ") +
                          in_text(*explained.rule, file));
}

/// The rule that comes near the other answer, and why it does not give it.
void add_nearest(std::vector<std::string>& lines, access_explanation const& explained,
                 std::string_view file) {
  if (explained.rule && !explained.path_allowed)
    lines.push_back(line("otherwise", explained.behind_deny
                                          ? "allowed by " + in_text(*explained.behind_deny, file)
                                          : "no rule allows it"));
  else if (explained.nearest)
    lines.push_back(
        line("nearest", in_text(*explained.nearest, file) +
                            (explained.path_allowed ? ", which would deny it, but does "
                                                    : ", which would allow it, but does ") +
                            "not match"));
}

// ---- as JSON ---------------------------------------------------------------------------------

json in_json(std::optional<explained_rule> const& rule) {
  if (!rule)
    return nullptr;
  return json{{"origin", rule->origin},
              {"rule", rule->text},
              {"line", rule->line == 0 ? json() : json(rule->line)}};
}

json in_json(std::vector<std::string> const& texts) {
  return boost::json::array(texts.begin(), texts.end());
}

} // namespace

std::string_view to_string(access_gate gate) noexcept {
  switch (gate) {
  case access_gate::policy:
    return "policy";
  case access_gate::manifest:
    return "manifest";
  case access_gate::path:
    return "path";
  }
  return {};
}

bool takes_path(permission asked) noexcept {
  return !key_of(asked).name.empty();
}

result<access_explanation> explain_access(host_policy const& host, host_access const& access,
                                          std::optional<result<manifest>> const& extension,
                                          access_question const& question) {
  explanation explained{host, question.asked};
  explained.pass_policy();
  explained.pass_manifest(extension);
  if (!question.path)
    return std::move(explained).finish();

  auto path = canonical(question, access);
  if (!path)
    return path.error();
  if (auto const* const closed = access.closed_by(*path)) {
    explained.close_path(*closed, std::move(*path));
    return std::move(explained).finish();
  }
  if (question.asked != permission::workspace_read) {
    explained.pass_path(access.paths, std::move(*path));
    return std::move(explained).finish();
  }
  auto const workspace = workspace_rules(host, access);
  if (!workspace)
    return workspace.error();
  explained.pass_path(*workspace, std::move(*path));
  return std::move(explained).finish();
}

std::vector<std::string> lines_of(access_explanation const& explained, std::string_view file) {
  std::vector<std::string> lines;
  lines.push_back((explained.allowed ? "allowed: " : "denied: ") + explained.host + ' ' +
                  std::string{to_string(explained.asked)} +
                  (explained.path.empty() ? "" : ' ' + explained.path));
  lines.push_back(policy_line(explained, file));
  if (explained.is_asked_for)
    lines.push_back(manifest_line(explained));
  if (!explained.path.empty()) {
    lines.push_back(path_line(explained, file));
    add_nearest(lines, explained, file);
  }
  for (auto const& note : explained.notes)
    lines.push_back(line("note", note));
  std::string_view label = explained.allowed ? "to deny it" : "to allow it";
  for (auto const& change : explained.changes)
    lines.push_back(line(std::exchange(label, "and"), change));
  return lines;
}

json json_of(access_explanation const& explained) {
  auto const asks = explained.is_asked_for;
  auto const has_path = !explained.path.empty();
  return {{"host", explained.host},
          {"permission", to_string(explained.asked)},
          {"path", has_path ? json(explained.path) : json()},
          {"allowed", explained.allowed},
          {"decided_by", to_string(explained.decided_by)},
          {"granted", explained.is_granted},
          {"grant", in_json(explained.grant)},
          {"asked_for", asks ? json(*asks) : json()},
          {"path_allowed", has_path ? json(explained.path_allowed) : json()},
          {"rule", in_json(explained.rule)},
          {"nearest", in_json(explained.nearest)},
          {"behind_deny", in_json(explained.behind_deny)},
          {"changes", in_json(explained.changes)},
          {"notes", in_json(explained.notes)}};
}

} // namespace bulkhead
