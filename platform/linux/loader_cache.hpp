#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::platform {

/// The names of shared libraries that ldconfig found in the folders of /etc/ld.so.conf, as the
/// dynamic loader of glibc looks them up (format "glibc-ld.so.cache1.1" of sysdeps/generic/
/// dl-cache.h, the only one that is written since glibc 2.32). Const members are thread-safe.
class loader_cache {
public:
  /// Where glibc has it on every distribution.
  static constexpr auto usual_path = "/etc/ld.so.cache";

  /// Reads a cache; it is empty where there is none, as on other C libraries, or it can't be read.
  static loader_cache read(std::filesystem::path const& path = usual_path);

  /// A cache that is no such file is empty, and what is wrong in one is passed over.
  explicit loader_cache(std::string content);

  /// All paths of a name, in the order of the file: of every architecture, and of every variant
  /// for some processors only.
  std::vector<std::string> paths_of(std::string_view name) const;

private:
  std::string_view text_at(std::uint32_t offset) const noexcept;

  std::string content_;
  std::uint32_t entries_ = 0;
};

} // namespace bulkhead::platform
