#include <bulkhead/platform/vault.hpp>

#include <algorithm>

namespace bulkhead::platform {
namespace {

error not_ours() {
  return error{errc::vault_unusable, "the vault is damaged, or it was made with another passphrase",
               "give the passphrase that it was made with, or restore the file from a backup; to "
               "begin anew, move the file away, and all its secrets with it"};
}

bool is_in(vault_entry const& entry, secret_scope const& scope) noexcept {
  return entry.runtime == scope.runtime && entry.host == scope.host;
}

vault_entry entry_of(secret_name const& name, std::string_view value = {}) noexcept {
  return {name.scope.runtime, name.scope.host, name.key, value};
}

/// Where an entry of that name is, or belongs.
auto place_of(auto& entries, vault_entry const& wanted) noexcept {
  return std::ranges::lower_bound(entries, wanted.name(), {}, &vault_entry::name);
}

bool is_there(auto const& entries, auto place, vault_entry const& wanted) noexcept {
  return place != entries.end() && place->name() == wanted.name();
}

} // namespace

vault::vault(std::filesystem::path const& file, secret_bytes passphrase, vault_options options)
    : file_{file, options.patience}
    , passphrase_{std::move(passphrase)}
    , options_{options} {}

result<void> vault::probe() {
  std::lock_guard const turn{turn_};
  auto const content = open();
  if (!content)
    return content.error();
  return {};
}

result<std::optional<secret_bytes>> vault::get(secret_name const& name) {
  if (auto const checked = check(name); !checked)
    return checked.error();
  std::lock_guard const turn{turn_};
  auto const content = open();
  if (!content)
    return content.error();
  auto const wanted = entry_of(name);
  auto const place = place_of(content->secrets, wanted);
  if (!is_there(content->secrets, place, wanted))
    return std::nullopt;
  return secret_bytes{place->value};
}

result<void> vault::set(secret_name const& name, std::string_view value) {
  if (auto const checked = check(name, value); !checked)
    return checked;
  return update([&](entries& secrets) -> result<bool> {
    auto const added = entry_of(name, value);
    if (auto const place = place_of(secrets, added); is_there(secrets, place, added))
      place->value = value;
    else
      secrets.insert(place, added);

    std::size_t keys = 0;
    std::size_t bytes = 0;
    for (auto const& entry : secrets)
      if (is_in(entry, name.scope)) {
        ++keys;
        bytes += entry.key.size() + entry.value.size();
      }
    if (auto const fits = check(options_.limits, keys, bytes); !fits)
      return fits.error();
    return true;
  });
}

result<bool> vault::remove(secret_name const& name) {
  if (auto const checked = check(name); !checked)
    return checked.error();
  auto was_there = false;
  auto const removed = update([&](entries& secrets) -> result<bool> {
    auto const unwanted = entry_of(name);
    auto const place = place_of(secrets, unwanted);
    was_there = is_there(secrets, place, unwanted);
    if (was_there)
      secrets.erase(place);
    return was_there;
  });
  if (!removed)
    return removed.error();
  return was_there;
}

result<std::vector<std::string>> vault::list(secret_scope const& scope) {
  if (auto const checked = check(scope); !checked)
    return checked.error();
  std::lock_guard const turn{turn_};
  auto const content = open();
  if (!content)
    return content.error();
  std::vector<std::string> keys;
  for (auto const& entry : content->secrets)
    if (is_in(entry, scope))
      keys.emplace_back(entry.key);
  return keys;
}

result<std::size_t> vault::remove_all(secret_scope const& scope) {
  if (auto const checked = check(scope); !checked)
    return checked.error();
  std::size_t count = 0;
  auto const removed = update([&](entries& secrets) -> result<bool> {
    count = std::erase_if(secrets, [&](auto const& entry) { return is_in(entry, scope); });
    return count != 0;
  });
  if (!removed)
    return removed.error();
  return count;
}

result<secret_bytes const*> vault::key_of(vault_header const& header) {
  if (key_.empty() || header.salt != derived_from_.salt || header.cost != derived_from_.cost) {
    auto derived = derive_key(passphrase_.view(), header.salt, header.cost);
    if (!derived)
      return derived.error();
    key_ = std::move(*derived);
    derived_from_ = header;
  }
  return &key_;
}

result<vault_header> vault::new_header() const {
  vault_header header;
  header.cost = options_.cost;
  if (auto const drawn = fill_random(header.salt); !drawn)
    return drawn.error();
  return header;
}

result<vault::opened> vault::open() {
  auto const content = file_.read();
  if (!content)
    return content.error();
  if (!*content) {
    auto const header = new_header();
    if (!header)
      return header.error();
    return opened{*header, {}, {}};
  }

  auto const bytes = std::span{**content};
  auto const header = decode_vault_header(bytes);
  if (!header)
    return not_ours();
  auto const key = key_of(*header);
  if (!key)
    return key.error();
  auto body = open_sealed(**key, header->nonce, bytes.first(vault_header_size),
                          bytes.subspan(vault_header_size));
  if (!body)
    return body.error();
  if (!*body)
    return not_ours();
  auto secrets = decode_vault_entries((*body)->view());
  if (!secrets)
    return not_ours();
  return opened{*header, std::move(**body), std::move(*secrets)};
}

result<void> vault::write(vault_header header, entries const& secrets) {
  auto const key = key_of(header);
  if (!key)
    return key.error();
  if (auto const drawn = fill_random(header.nonce); !drawn)
    return drawn;
  auto const clear = encode(header);
  auto const body = encode(secrets);
  if (clear.size() + body.size() + cipher_tag_size > max_vault_size)
    return error{errc::limit_exceeded, "the vault is full"};
  auto const sealed = seal(**key, header.nonce, clear, body.bytes());
  if (!sealed)
    return sealed.error();
  std::vector<unsigned char> content{clear.begin(), clear.end()};
  content.insert(content.end(), sealed->begin(), sealed->end());
  return file_.replace(content);
}

result<void> vault::update(std::function<result<bool>(entries&)> const& change) {
  std::lock_guard const turn{turn_};
  auto const lock = file_.lock();
  if (!lock)
    return lock.error();
  auto content = open();
  if (!content)
    return content.error();
  auto const changed = change(content->secrets);
  if (!changed)
    return changed.error();
  return *changed ? write(content->header, content->secrets) : result<void>{};
}

} // namespace bulkhead::platform
