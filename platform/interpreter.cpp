#include <bulkhead/platform/interpreter.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

namespace fs = std::filesystem;

/// What a login without any configuration has, on Debian (login.defs, ENV_PATH).
constexpr auto default_search_path = "/usr/local/bin:/usr/bin:/bin";

/// 0 where this user may run the file, or the error number.
int why_not_executable(fs::path const& file) noexcept {
  struct stat seen;
  if (::stat(file.c_str(), &seen) != 0)
    return errno;
  if (S_ISDIR(seen.st_mode))
    return EISDIR;
  if (!S_ISREG(seen.st_mode))
    return EACCES;
  return ::faccessat(AT_FDCWD, file.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

std::optional<fs::path> look_up(std::string_view name, std::string_view search_path) {
  while (!search_path.empty()) {
    auto const end = search_path.find(':');
    auto const folder = fs::path{search_path.substr(0, end)};
    if (auto file = folder / name; folder.is_absolute() && why_not_executable(file) == 0)
      return file.lexically_normal();
    search_path.remove_prefix(end == search_path.npos ? search_path.size() : end + 1);
  }
  return std::nullopt;
}

error not_found(errc code, std::string const& what, std::string_view search_path) {
  return error{code, "no " + what + " in " +
                         (search_path.empty() ? "an empty PATH" : std::string{search_path})};
}

} // namespace

std::string environment_search_path() {
  auto const* const path = std::getenv("PATH");
  return path && *path ? path : default_search_path;
}

result<fs::path> find_node(std::string_view search_path) {
  // Some distributions have the program by its second name only.
  for (auto const* const name : {"node", "nodejs"})
    if (auto found = look_up(name, search_path))
      return *std::move(found);
  return not_found(errc::interpreter_missing, "node or nodejs", search_path);
}

std::filesystem::path node_parts_folder() {
  std::filesystem::path const folder = "/usr/share/nodejs";
  std::error_code absent;
  return std::filesystem::is_directory(folder, absent) ? folder : std::filesystem::path{};
}

result<fs::path> resolve_program(std::string_view name, fs::path const& base_dir,
                                 std::string_view search_path) {
  if (name.empty())
    return error{errc::spawn_failed, "the command's first word is empty"};
  if (name.find('/') == name.npos) {
    if (auto found = look_up(name, search_path))
      return *std::move(found);
    return not_found(errc::spawn_failed, "executable " + std::string{name}, search_path);
  }
  auto program = (base_dir / name).lexically_normal();
  if (auto const failed = why_not_executable(program))
    return error{errc::spawn_failed, "can't run " + program.string() + ": " + errno_text(failed)};
  return program;
}

} // namespace bulkhead::platform
