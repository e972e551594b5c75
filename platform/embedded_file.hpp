#pragma once

#include <span>
#include <string_view>

namespace bulkhead::platform {

/// A file that was made part of the library when it was built.
struct embedded_file {
  std::string_view name;    ///< file name without a folder
  std::string_view content; ///< its bytes; static storage
};

/// The JavaScript files of platform/node: what a `runtime = "node"` host runs. Thread-safe.
std::span<embedded_file const> node_runtime_files() noexcept;

} // namespace bulkhead::platform
