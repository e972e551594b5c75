#include <bulkhead/platform/linux/loader_cache.hpp>

#include <bulkhead/platform/unique_fd.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

constexpr auto magic = std::string_view{"glibc-ld.so.cache1.1"};

/// The beginning of the file; offsets count from there.
struct cache_header {
  char magic[20];
  std::uint32_t entries;
  std::uint32_t size_of_texts;
  std::uint8_t flags;
  std::uint8_t padding[3];
  std::uint32_t extensions;
  std::uint32_t unused[3];
};
static_assert(sizeof(cache_header) == 48);

struct cache_entry {
  std::int32_t flags;
  std::uint32_t name; ///< offset of a text
  std::uint32_t path; ///< offset of a text
  std::uint32_t unused;
  std::uint64_t processors;
};
static_assert(sizeof(cache_entry) == 24);

/// A large desktop has 300 KiB.
constexpr std::uint64_t max_size = 16 << 20;

std::string content_of(int file) {
  struct stat seen;
  if (::fstat(file, &seen) != 0 || !S_ISREG(seen.st_mode))
    return {};
  std::string content(std::min(static_cast<std::uint64_t>(seen.st_size), max_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    auto const count = ::read(file, content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      break;
    filled += static_cast<std::size_t>(count);
  }
  content.resize(filled);
  return content;
}

} // namespace

loader_cache loader_cache::read(std::filesystem::path const& path) {
  unique_fd const file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  return loader_cache{file ? content_of(file.get()) : std::string{}};
}

loader_cache::loader_cache(std::string content)
    : content_{std::move(content)} {
  cache_header header;
  if (content_.size() < sizeof header || !content_.starts_with(magic))
    return;
  std::memcpy(&header, content_.data(), sizeof header);
  if (header.entries <= (content_.size() - sizeof header) / sizeof(cache_entry))
    entries_ = header.entries;
}

std::vector<std::string> loader_cache::paths_of(std::string_view name) const {
  std::vector<std::string> paths;
  for (std::uint32_t i = 0; i < entries_; ++i) {
    cache_entry entry;
    std::memcpy(&entry, content_.data() + sizeof(cache_header) + i * sizeof entry, sizeof entry);
    if (text_at(entry.name) == name)
      if (auto const path = text_at(entry.path); path.starts_with('/'))
        paths.emplace_back(path);
  }
  return paths;
}

/// Empty where it lies outside or has no end.
std::string_view loader_cache::text_at(std::uint32_t offset) const noexcept {
  if (offset >= content_.size())
    return {};
  auto const rest = std::string_view{content_}.substr(offset);
  auto const end = rest.find('\0');
  return end == rest.npos ? std::string_view{} : rest.substr(0, end);
}

} // namespace bulkhead::platform
