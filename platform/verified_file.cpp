#include <bulkhead/platform/verified_file.hpp>

#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/ownership.hpp>
#include <bulkhead/platform/regular_file.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t script_line_room = 256;

error cannot_run(std::string_view path, std::string const& why) {
  return error{errc::spawn_failed, "can't run " + std::string{path} + ": " + why};
}

error not_pinned(verified_file const& file) {
  return error{errc::integrity_mismatch,
               file.path() + " is not what the policy pins: its SHA-256 is " +
                   to_hex(file.digest()),
               "find out who changed it; add the hash to integrity.interpreter_sha256 if the "
               "change is yours"};
}

/// In the C locale, as all that is compared is hexadecimal.
bool is_equal_in_any_case(char one, char other) noexcept {
  auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return lower(one) == lower(other);
}

/// Why this user may not execute an open object, or 0.
int why_not_executable(int object) {
  return ::faccessat(AT_FDCWD, proc_path(object).c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

result<std::optional<script_line>> script_line_of(verified_file const& file) {
  std::array<char, script_line_room> beginning;
  auto const count = ::pread(file.fd(), beginning.data(), beginning.size(), 0);
  if (count < 0)
    return cannot_run(file.path(), errno_text(errno));
  auto line = parse_script_line({beginning.data(), static_cast<std::size_t>(count)});
  if (!line)
    return cannot_run(file.path(), line.error().detail());
  return line;
}

/// What `env` would do, which is to look a name up; everything else that it can do is refused.
result<void> look_through_env(script_line& line, std::string_view search_path) {
  if (fs::path{line.interpreter}.filename() != "env")
    return {};
  if (line.argument.empty() || line.argument.starts_with('-') ||
      line.argument.find_first_of("= \t/") != line.argument.npos)
    return error{errc::spawn_failed, "its first line has env do more than look up a name",
                 "name the interpreter by its path"};
  auto program = resolve_program(line.argument, "/", search_path);
  if (!program)
    return program.error();
  line = {program->string(), {}};
  return {};
}

} // namespace

verified_file::verified_file(unique_fd fd, std::string path, file_identity identity,
                             sha256_digest digest) noexcept
    : fd_{std::move(fd)}
    , path_{std::move(path)}
    , identity_{identity}
    , digest_{digest} {}

result<verified_file> verified_file::open(fs::path const& path, hashing const& how) {
  unique_fd const object{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  if (!object)
    return cannot_run(path.string(), errno_text(errno));
  auto file = open_regular(object.get());
  if (!file)
    return cannot_run(path.string(), file.error().detail());
  if (auto const failed = why_not_executable(object.get()))
    return cannot_run(path.string(), errno_text(failed));
  auto real_path = require_safe_path(file->get());
  if (!real_path)
    return real_path.error();
  auto const identity = identity_of(file->get());
  if (!identity)
    return cannot_run(*real_path, identity.error().detail());
  auto const digest = how.wanted ? cached_digest(file->get(), *identity, *real_path, how)
                                 : result<sha256_digest>{sha256_digest{}};
  if (!digest)
    return digest.error();
  return verified_file{std::move(*file), std::move(*real_path), *identity, *digest};
}

bool verified_file::matches(std::span<std::string const> pins) const {
  auto const digits = to_hex(digest_);
  return std::ranges::any_of(
      pins, [&](auto const& pin) { return std::ranges::equal(pin, digits, is_equal_in_any_case); });
}

result<void> verified_file::require_unchanged() const {
  auto const now = identity_of(fd());
  if (!now)
    return with_path(path_, now.error());
  if (*now != identity_)
    return error{errc::integrity_mismatch, path_ + " was changed after it was hashed",
                 "try again when nothing writes to it"};
  return {};
}

result<std::optional<script_line>> parse_script_line(std::string_view beginning) {
  if (!beginning.starts_with("#!"))
    return std::optional<script_line>{};
  auto const line = beginning.substr(0, std::min(beginning.size(), script_line_room));
  auto const end = line.find('\n');
  if (end == line.npos && line.size() == script_line_room)
    return error{errc::spawn_failed, "its first line is longer than 255 bytes"};
  auto const words = trimmed(line.substr(2, end == line.npos ? end : end - 2));
  if (words.find('\0') != words.npos)
    return error{errc::spawn_failed, "its first line holds a NUL character"};
  auto const interpreter = words.substr(0, words.find_first_of(" \t"));
  if (!interpreter.starts_with('/'))
    return error{errc::spawn_failed, "its first line names no interpreter by an absolute path"};
  return script_line{std::string{interpreter},
                     std::string{trimmed(words.substr(interpreter.size()))}};
}

bool verified_program::matches(std::span<std::string const> pins) const {
  return executable.matches(pins) && (!script || script->matches(pins));
}

result<void> verified_program::require_pinned(std::span<std::string const> pins) const {
  if (pins.empty() || matches(pins))
    return {};
  return not_pinned(executable.matches(pins) ? *script : executable);
}

result<void> verified_program::require_unchanged() const {
  if (auto const unchanged = executable.require_unchanged(); !unchanged || !script)
    return unchanged;
  return script->require_unchanged();
}

result<verified_program> open_program(fs::path const& path, std::string_view search_path,
                                      hashing const& how) {
  auto file = verified_file::open(path, how);
  if (!file)
    return file.error();
  auto line = script_line_of(*file);
  if (!line)
    return line.error();
  if (!*line)
    return verified_program{std::move(*file), std::nullopt, {}};
  if (auto const found = look_through_env(**line, search_path); !found)
    return with_path(file->path(), found.error());
  auto interpreter = verified_file::open((*line)->interpreter, how);
  if (!interpreter)
    return interpreter.error();
  auto const nested = script_line_of(*interpreter);
  if (!nested)
    return nested.error();
  if (*nested)
    return cannot_run(file->path(),
                      "its interpreter " + interpreter->path() + " is itself a script");
  return verified_program{std::move(*interpreter), std::move(*file), std::move((*line)->argument)};
}

} // namespace bulkhead::platform
