#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/file_digest.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bulkhead::platform {

/// A file that may be executed, opened once: whoever uses the descriptor uses what was hashed,
/// whatever happens to the name. Only root and its owner, who is root or this process's user, could
/// have changed it. May be passed between threads; const members are thread-safe.
class verified_file {
public:
  /// Follows symbolic links. Fails with
  /// - spawn_failed: there is no such file, or this user may not read and execute it;
  /// - integrity_unsafe_owner: see require_safe_path;
  /// - integrity_mismatch: it was written to meanwhile;
  /// - request_cancelled.
  /// Blocks for as long as the file takes to be hashed: a tenth of a second for Node.
  static result<verified_file> open(std::filesystem::path const& path, hashing const& how = {});

  /// Open for reading, closed on exec: for fexecve, execveat and bind mounts.
  int fd() const noexcept { return fd_.get(); }
  /// Absolute and without symbolic links, as it was when the file was opened.
  std::string const& path() const noexcept { return path_; }
  file_identity const& identity() const noexcept { return identity_; }
  sha256_digest const& digest() const noexcept { return digest_; }

  /// Whether one of the pins, 64 hexadecimal digits of either case, is the digest.
  bool matches(std::span<std::string const> pins) const;

  /// Looks again whether the file was changed since it was hashed, which its owner still can; to
  /// be called as late as possible. Fails with integrity_mismatch.
  result<void> require_unchanged() const;

private:
  verified_file(unique_fd fd, std::string path, file_identity identity,
                sha256_digest digest) noexcept;

  unique_fd fd_;
  std::string path_;
  file_identity identity_;
  sha256_digest digest_;
};

/// What a script's first line, `#!INTERPRETER [ARGUMENT]`, asks for.
struct script_line {
  std::string interpreter; ///< an absolute path
  std::string argument;    ///< one word for all of the rest, as Linux has it; empty where none is

  friend bool operator==(script_line const&, script_line const&) = default;
};

/// Reads it from the beginning of a file, of which 256 bytes matter (BINPRM_BUF_SIZE of Linux).
/// Nothing where the file is no script. Fails with spawn_failed where Linux would not run it, or
/// the interpreter's path is relative.
result<std::optional<script_line>> parse_script_line(std::string_view beginning);

/// All files that decide what a program does when it starts.
///
/// A script can't be executed through its descriptor: Linux hands the interpreter /dev/fd/N in
/// place of the script's name, which a descriptor that is closed on exec does not survive (ENOENT),
/// and looks the interpreter up by its name again. So what has to be executed is the interpreter,
/// through its own descriptor, with `argument` (if any) and a path of the script as its first
/// arguments, and the script's descriptor has to be what that path shows.
struct verified_program {
  verified_file executable; ///< what is executed: the program or the script's interpreter
  std::optional<verified_file> script; ///< none: the program is no script
  std::string argument;                ///< of the script's first line; empty where there is none

  /// Whether every one of the files is pinned. No pin at all: nothing matches.
  bool matches(std::span<std::string const> pins) const;
  /// The same as a failure, integrity_mismatch, that names the file and its digest. No pin at all:
  /// everything passes, as nothing was asked for.
  result<void> require_pinned(std::span<std::string const> pins) const;
  /// See verified_file.
  result<void> require_unchanged() const;
};

/// Opens a program. `#!/usr/bin/env NAME` is looked up here, in a search path of the form of PATH,
/// so that NAME is verified too. Fails as verified_file::open, and with spawn_failed for a script
/// of a script and for an `env` that gets more than a name.
result<verified_program> open_program(std::filesystem::path const& path,
                                      std::string_view search_path, hashing const& how = {});

} // namespace bulkhead::platform
