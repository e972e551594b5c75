#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/linux/loader_cache.hpp>

#include <string>
#include <vector>

namespace bulkhead::platform {

/// A file that the dynamic loader opens.
struct elf_dependency {
  /// Absolute, as the loader asks for it; `FOLDER/..` is left out of it, so that it can be the
  /// target of a bind mount where no folder is a symbolic link.
  std::string path;
  std::string real_path; ///< what that is, without symbolic links

  friend bool operator==(elf_dependency const&, elf_dependency const&) = default;
};

/// What has to be in a root file system so that a program starts there.
struct elf_dependencies {
  std::string loader;                  ///< its path in the program (PT_INTERP); empty: it is static
  std::vector<elf_dependency> files{}; ///< the loader and all libraries, sorted by path, each once
};

/// Finds the loader of an open program and the shared libraries that it needs, directly or through
/// others, by the rules of glibc's loader with an empty environment (ld.so(8)): DT_RPATH of the
/// object and of those that asked for it, DT_RUNPATH, the cache, the default folders. Nothing is
/// executed.
///
/// - The cache has to be in the root file system as well, at loader_cache::usual_path: the loader
///   may find a library by it only. All of the cache's variants for some processors are listed.
/// - Not listed is what a program opens later by itself (dlopen), such as glibc's modules for names
///   of users (libnss_*) and character sets (gconv), OpenSSL's providers and Python's modules.
/// - DF_1_NODEFLIB is passed over, and the variants for some processors in other folders are not
///   listed: the loader does without them.
/// - Folders with other tokens than $ORIGIN ($LIB, $PLATFORM) and relative ones are passed over.
///
/// The program is taken to have the path there that it has here. Fails with spawn_failed: no ELF
/// program for this machine, or a library that isn't found, each by its name; with file_not_found
/// where the program was deleted. Blocks. Thread-safe.
result<elf_dependencies> dependencies_of(int executable,
                                         loader_cache const& cache = loader_cache::read());

} // namespace bulkhead::platform
