#include <bulkhead/platform/memory_secrets.hpp>

namespace bulkhead::platform {

result<std::optional<secret_bytes>> memory_secrets::get(secret_name const& name) {
  if (auto const checked = check(name); !checked)
    return checked.error();
  std::lock_guard const turn{turn_};
  auto const scope = held_.find(name.scope);
  if (scope == held_.end())
    return std::nullopt;
  auto const found = scope->second.find(name.key);
  if (found == scope->second.end())
    return std::nullopt;
  return secret_bytes{found->second.view()};
}

result<void> memory_secrets::set(secret_name const& name, std::string_view value) {
  if (auto const checked = check(name, value); !checked)
    return checked;
  std::lock_guard const turn{turn_};
  auto& scope = held_[name.scope];
  auto keys = std::size_t{1};
  auto bytes = name.key.size() + value.size();
  for (auto const& [key, held] : scope)
    if (key != name.key) {
      ++keys;
      bytes += key.size() + held.size();
    }
  if (auto const fits = check(limits_, keys, bytes); !fits)
    return fits;
  scope.insert_or_assign(name.key, secret_bytes{value});
  return {};
}

result<bool> memory_secrets::remove(secret_name const& name) {
  if (auto const checked = check(name); !checked)
    return checked.error();
  std::lock_guard const turn{turn_};
  auto const scope = held_.find(name.scope);
  return scope != held_.end() && scope->second.erase(name.key) != 0;
}

result<std::vector<std::string>> memory_secrets::list(secret_scope const& scope) {
  if (auto const checked = check(scope); !checked)
    return checked.error();
  std::lock_guard const turn{turn_};
  std::vector<std::string> keys;
  if (auto const found = held_.find(scope); found != held_.end())
    for (auto const& [key, held] : found->second)
      keys.push_back(key);
  return keys;
}

result<std::size_t> memory_secrets::remove_all(secret_scope const& scope) {
  if (auto const checked = check(scope); !checked)
    return checked.error();
  std::lock_guard const turn{turn_};
  auto const removed = held_.extract(scope);
  return removed ? removed.mapped().size() : 0;
}

} // namespace bulkhead::platform
