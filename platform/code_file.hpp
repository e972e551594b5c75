#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cstdint>
#include <string_view>

/// Files in memory by which a process that compiles an extension's scripts takes its task and hands
/// over the result (platform/node/code_blob.js). Any thread.
namespace bulkhead::platform {

/// Bytes of the code of one extension, its sources included.
inline constexpr std::uint64_t largest_code = 64u << 20;

/// What was compiled of an extension. Nobody can change the file any more, whoever has it.
struct compiled_code {
  unique_fd file;
  std::uint32_t scripts = 0;
  std::uint64_t bytes = 0;
};

/// What the process reads: nobody can change it. Fails with spawn_failed.
result<unique_fd> make_script_list(std::string_view text);

/// What it writes to: a file of largest_code bytes, which can't be made longer. Fails with
/// spawn_failed.
result<unique_fd> make_code_file();

/// Takes what a process has written that has ended, with all that it started. Fails with
/// spawn_failed where it wrote nothing to its end, or somebody can still write to it.
result<compiled_code> seal_code(unique_fd written);

} // namespace bulkhead::platform
