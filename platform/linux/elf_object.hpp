#pragma once

#include <bulkhead/messages/error.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead::platform {

/// What the dynamic loader is told by a program or a shared library (System V ABI, "Dynamic
/// Linking"; elf(5)).
struct elf_object {
  std::uint16_t machine = 0;         ///< EM_X86_64…
  std::string interpreter{};         ///< PT_INTERP; empty: none, as a static program has it
  std::string soname{};              ///< DT_SONAME; empty: none
  std::vector<std::string> needed{}; ///< DT_NEEDED, in their order
  std::string rpath{};               ///< DT_RPATH: folders with ':' between
  std::string runpath{};             ///< DT_RUNPATH, in whose presence rpath counts nothing

  friend bool operator==(elf_object const&, elf_object const&) = default;
};

/// Reads an open regular file, which may have been made to do harm: every number in it is checked,
/// and what is read and kept is bounded (a few MiB). Takes 64-bit files in the byte order of this
/// machine. Fails with spawn_failed, without the file's name. Thread-safe.
result<elf_object> read_elf(int file);

} // namespace bulkhead::platform
