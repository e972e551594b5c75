#include <bulkhead/config/access_rules.hpp>

#include <bulkhead/config/glob.hpp>
#include <bulkhead/config/policy_keys.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/request_path.hpp>
#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/messages/json_member.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {
namespace {

using outcome = access_decision::outcome;

path_pattern own_rule(std::filesystem::path const& path, std::string_view what) {
  auto const text = path.lexically_normal().string();
  return {text, text, 0, "the extension's own " + std::string{what}, true};
}

/// Asks first what rules most out.
bool lies_in(std::string_view path, std::string_view folder) noexcept {
  auto const size = folder.size();
  return folder == "/" || (path.size() >= size && (path.size() == size || path[size] == '/') &&
                           path.starts_with(folder));
}

/// The path of a pattern up to its first wildcard.
std::string root_of_pattern(path_pattern const& pattern) {
  if (pattern.literal || !has_glob_characters(pattern.text))
    return pattern.text;
  auto const wildcard = pattern.text.find_first_of("*?[{\\");
  auto const slash = pattern.text.rfind('/', wildcard);
  return slash == 0 || slash == std::string::npos ? "/" : pattern.text.substr(0, slash);
}

/// The outermost of the folders that any rule allows something in.
std::vector<std::string> roots_of(path_rule_set const& rules) {
  std::vector<std::string> roots;
  for (auto const* const list : {&rules.read, &rules.write})
    for (auto const& pattern : *list)
      roots.push_back(root_of_pattern(pattern));
  std::ranges::sort(roots, {}, &std::string::size);
  std::vector<std::string> outermost;
  for (auto& root : roots)
    if (std::ranges::none_of(outermost, [&](auto const& outer) { return lies_in(root, outer); }))
      outermost.push_back(std::move(root));
  return outermost;
}

/// The policy's rules and those of the host's own folders.
path_rule_set rules_of(host_policy const& host, host_folders const& own) {
  auto rules = host.filesystem.rules;
  if (!own.extension.empty())
    rules.read.push_back(own_rule(own.extension, "folder"));
  for (auto const& [path, what] : {std::pair{&own.storage, "storage"}, std::pair{&own.logs, "logs"},
                                   std::pair{&own.temp, "temp folder"}}) {
    rules.read.push_back(own_rule(*path, what));
    rules.write.push_back(own_rule(*path, what));
  }
  return rules;
}

/// Also where the policy puts them outside of the state directory.
std::vector<closed_place> closed_places(policy const& rules) {
  std::vector<closed_place> closed;
  auto const close = [&](std::filesystem::path const& path, std::string_view what,
                         bool with_companions) {
    auto const text = path.lexically_normal().string();
    if (path.empty() || std::ranges::any_of(closed, [&](auto const& outer) {
          return lies_in(text, outer.rule.text);
        }))
      return;
    closed.push_back({{text, text, 0, std::string{what}, true}, with_companions});
  };
  close(rules.state_dir, "Bulkhead's own state", false);
  close(rules.file, "the policy", false);
  close(rules.secrets.passphrase_file, "the vault's passphrase", false);
  close(rules.vault_file(), "the vault", true);
  close(rules.audit_file(), "the audit log", true);
  return closed;
}

result<host_access_ptr> access_of(policy const& rules, host_policy const& host,
                                  std::filesystem::path const& runtime_folder) {
  if (!policy_keys::valid_name(host.id))
    return error{errc::policy_out_of_range, "the host's name is " + quote(host.id) +
                                                " - a name is " +
                                                std::string{policy_keys::name_rule}};
  auto own = folders_of(rules, host, runtime_folder);
  auto all = rules_of(host, own);
  auto roots = roots_of(all);
  auto paths = path_rules::compile(std::move(all));
  if (!paths)
    return paths.error();
  std::vector<std::string> workspace;
  for (auto const& folder : host.filesystem.workspace)
    workspace.push_back(folder.lexically_normal().string());
  auto home = workspace.empty() ? own.storage.lexically_normal().string() : workspace.front();
  return std::make_shared<host_access const>(host_access{
      host.id, host.permissions, std::move(*paths), std::move(own), std::move(workspace),
      std::move(home), host.rate_limit, host.limits, std::move(roots), closed_places(rules)});
}

/// Mostly the path is taken as it stands, into what memory `canonical` has.
bool make_canonical(std::string_view asked, std::string_view home, std::string& canonical) {
  if (is_canonical_path(asked)) {
    canonical = asked;
    return true;
  }
  auto made = canonical_path(asked, home);
  if (made)
    canonical = std::move(*made);
  return made.has_value();
}

/// The path rules about each path that the payload names.
void decide_paths(host_access const& host, served_request const& served, std::string_view payload,
                  access_decision& decision) {
  std::string unescaped;
  for (std::size_t i = 0; i < served.paths.size(); ++i) {
    auto const asked = string_member(payload, served.paths[i].name, unescaped);
    if (!asked || !make_canonical(*asked, host.home, decision.paths[i])) {
      decision.result = outcome::path_invalid;
      return;
    }
    auto const found = host.decide(served.paths[i].action, decision.paths[i]);
    decision.rule = found.rule;
    if (!found.allowed) {
      decision.result = outcome::path_denied;
      return;
    }
  }
}

} // namespace

host_folders folders_of(policy const& rules, host_policy const& host,
                        std::filesystem::path const& runtime_folder) {
  return {host.extension, rules.state_dir / "storage" / host.id, rules.state_dir / "logs" / host.id,
          runtime_folder / "temp" / host.id};
}

bool closed_place::holds(std::string_view canonical) const noexcept {
  auto const& path = rule.text;
  return lies_in(canonical, path) ||
         (with_companions && canonical.starts_with(path) && canonical[path.size()] == '.');
}

path_pattern const* host_access::closed_by(std::string_view canonical) const noexcept {
  auto const found =
      std::ranges::find_if(closed, [&](closed_place const& each) { return each.holds(canonical); });
  if (found == closed.end())
    return nullptr;
  for (auto const* const folder : {&own.storage, &own.logs, &own.temp})
    if (lies_in(canonical, folder->native()))
      return nullptr;
  return &found->rule;
}

path_decision host_access::decide(path_action action, std::string_view canonical) const noexcept {
  if (auto const* const rule = closed_by(canonical))
    return {false, rule, {}};
  return paths.decide(action, canonical);
}

std::string_view host_access::root_of(std::string_view canonical) const noexcept {
  auto const found =
      std::ranges::find_if(roots, [&](auto const& root) { return lies_in(canonical, root); });
  return found != roots.end() ? std::string_view{*found} : std::string_view{};
}

result<std::shared_ptr<access_rules const>>
access_rules::compile(policy const& rules, std::filesystem::path const& runtime_folder) {
  auto compiled = std::make_shared<access_rules>();
  compiled->embedder_ = rules.requests;
  for (auto const& host : rules.hosts) {
    auto access = access_of(rules, host, runtime_folder);
    if (!access)
      return access.error();
    compiled->hosts_.insert_or_assign(host.id, std::move(*access));
  }
  return std::shared_ptr<access_rules const>{std::move(compiled)};
}

host_access_ptr access_rules::find(std::string_view host) const {
  auto const found = hosts_.find(host);
  return found != hosts_.end() ? found->second : nullptr;
}

void access_rules::decide(host_access const& host, permission_set const& held,
                          std::string_view type, std::string_view payload,
                          access_decision& into) const {
  into.result = outcome::permission_denied;
  into.needed = std::nullopt;
  into.rule = nullptr;
  for (auto& path : into.paths)
    path.clear();
  auto const* const served = find_served_request(type);
  if (served) {
    into.needed = served->needs;
  } else {
    auto const named = embedder_.find(type);
    if (named == embedder_.end())
      return;
    into.needed = named->second;
  }
  if (into.needed && !held.contains(*into.needed))
    return;
  into.result = outcome::allowed;
  if (served)
    decide_paths(host, *served, payload, into);
}

} // namespace bulkhead
