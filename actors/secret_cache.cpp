#include <bulkhead/actors/secret_cache.hpp>

namespace bulkhead {
namespace {

/// More than any extension reads in five minutes; at 64 KiB each some tens of megabytes.
constexpr std::size_t most_cached = 512;

} // namespace

secret_cache::secret_cache(std::chrono::milliseconds time_to_live)
    : time_to_live_{time_to_live}
    , key_{platform::cipher_key_size} {
  if (!platform::fill_random(key_.bytes()))
    time_to_live_ = std::chrono::milliseconds{0};
}

std::optional<platform::secret_bytes> secret_cache::find(platform::secret_name const& name,
                                                         clock::time_point now) {
  auto const found = entries_.find(name);
  if (found == entries_.end())
    return std::nullopt;
  if (found->second.until <= now) {
    entries_.erase(found);
    return std::nullopt;
  }
  auto opened = platform::open_sealed(key_, found->second.nonce, {}, found->second.sealed);
  return opened ? std::move(*opened) : std::nullopt;
}

void secret_cache::put(platform::secret_name const& name, platform::secret_bytes const& value,
                       clock::time_point now) {
  if (time_to_live_.count() == 0)
    return;
  std::erase_if(entries_, [now](auto const& each) { return each.second.until <= now; });
  entry made{{}, {}, now + time_to_live_};
  if (entries_.size() >= most_cached || !platform::fill_random(made.nonce))
    return;
  auto sealed = platform::seal(key_, made.nonce, {}, value.bytes());
  if (!sealed)
    return;
  made.sealed = std::move(*sealed);
  entries_.insert_or_assign(name, std::move(made));
}

void secret_cache::forget(platform::secret_name const& name) {
  entries_.erase(name);
}

void secret_cache::forget(platform::secret_scope const& scope) {
  std::erase_if(entries_, [&](auto const& each) { return each.first.scope == scope; });
}

} // namespace bulkhead
