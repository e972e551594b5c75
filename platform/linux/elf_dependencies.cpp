#include <bulkhead/platform/linux/elf_dependencies.hpp>

#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/file_digest.hpp>
#include <bulkhead/platform/linux/elf_object.hpp>
#include <bulkhead/platform/regular_file.hpp>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace bulkhead::platform {
namespace {

/// Ten times what the largest desktop programs load.
constexpr std::size_t max_objects = 1000;

/// Debian's folders first, then those of the distributions that have lib64; the order decides only
/// where two folders have a library of one name and the cache has none.
constexpr std::array default_folders = {
#if defined(__x86_64__)
    std::string_view{"/lib/x86_64-linux-gnu"},
    std::string_view{"/usr/lib/x86_64-linux-gnu"},
#elif defined(__aarch64__)
    std::string_view{"/lib/aarch64-linux-gnu"},
    std::string_view{"/usr/lib/aarch64-linux-gnu"},
#endif
    std::string_view{"/lib64"},
    std::string_view{"/usr/lib64"},
    std::string_view{"/lib"},
    std::string_view{"/usr/lib"}};

/// One that the loader has mapped.
struct loaded_object {
  std::string path;
  elf_object elf;
  std::optional<std::size_t> asked_by; ///< none: the program itself
};

struct opened_library {
  elf_object elf;
  std::string real_path;
};

/// Nothing where it is no shared library for the machine: the loader looks on, too.
std::optional<opened_library> open_library(std::string const& path, std::uint16_t machine) {
  unique_fd const object{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  if (!object)
    return std::nullopt;
  auto const file = open_regular(object.get());
  if (!file)
    return std::nullopt;
  auto elf = read_elf(file->get());
  auto real_path = real_path_of(file->get());
  if (!elf || !real_path || elf->machine != machine)
    return std::nullopt;
  return opened_library{*std::move(elf), *std::move(real_path)};
}

/// A path of the dynamic section with $ORIGIN replaced by the folder of the object that has it.
/// Nothing where it is then not absolute or has other tokens.
std::optional<std::string> expand(std::string_view path, std::string const& object_path) {
  auto const origin = std::filesystem::path{object_path}.parent_path().string();
  std::string expanded;
  while (!path.empty()) {
    if (path.front() != '$') {
      expanded += path.front();
      path.remove_prefix(1);
      continue;
    }
    auto const is_token = [&](std::string_view token) { return path.starts_with(token); };
    constexpr auto tokens = std::array{std::string_view{"${ORIGIN}"}, std::string_view{"$ORIGIN"}};
    auto const token = std::ranges::find_if(tokens, is_token);
    if (token == tokens.end())
      return std::nullopt;
    expanded += origin;
    path.remove_prefix(token->size());
  }
  return expanded.starts_with('/') ? std::optional{std::move(expanded)} : std::nullopt;
}

void append_folders(std::vector<std::string>& folders, std::string_view list,
                    std::string const& object_path) {
  while (!list.empty()) {
    auto const end = list.find(':');
    if (auto folder = expand(list.substr(0, end), object_path))
      folders.push_back(*std::move(folder));
    list.remove_prefix(end == list.npos ? list.size() : end + 1);
  }
}

/// Follows what the loader does, in its order: breadth first.
class library_search {
public:
  library_search(std::string program_path, elf_object program, loader_cache const& cache)
      : machine_{program.machine}
      , cache_{cache} {
    objects_.push_back({std::move(program_path), std::move(program), std::nullopt});
  }

  result<elf_dependencies> run() {
    auto loader = objects_.front().elf.interpreter;
    if (loader.empty())
      return elf_dependencies{};
    // It is there before all others, so that nobody looks for it by its soname.
    if (!load(loader, 0))
      return missing(loader, objects_.front());
    for (std::size_t i = 0; i < objects_.size(); ++i)
      for (std::size_t n = 0; n < objects_[i].elf.needed.size(); ++n)
        if (auto const found = find(objects_[i].elf.needed[n], i); !found)
          return found.error();
    elf_dependencies all{std::move(loader), {}};
    for (auto& [path, real_path] : real_paths_)
      all.files.push_back({path, std::move(real_path)});
    return all;
  }

private:
  static error missing(std::string const& name, loaded_object const& by) {
    return error{errc::spawn_failed,
                 by.path + " needs the shared library " + name + ", which isn't found",
                 "install it, or run ldconfig as root where it is new"};
  }

  /// Loads an absolute path. False where it is no library; true as well where it was loaded before.
  bool load(std::string const& asked, std::size_t asked_by) {
    auto path = std::filesystem::path{asked}.lexically_normal().string();
    if (real_paths_.contains(path))
      return true;
    auto library = open_library(asked, machine_);
    if (!library)
      return false;
    if (!library->elf.soname.empty())
      names_.insert(library->elf.soname);
    real_paths_.emplace(path, std::move(library->real_path));
    objects_.push_back({std::move(path), std::move(library->elf), asked_by});
    return true;
  }

  result<void> find(std::string const name, std::size_t asked_by) {
    if (!names_.insert(name).second)
      return {};
    if (objects_.size() >= max_objects)
      return error{errc::spawn_failed, objects_.front().path + " needs more than " +
                                           std::to_string(max_objects) + " shared libraries"};
    auto const has_slash = name.find('/') != name.npos;
    if (has_slash ? find_at(name, asked_by) : find_by_name(name, asked_by))
      return {};
    return missing(name, objects_[asked_by]);
  }

  bool find_at(std::string const& name, std::size_t asked_by) {
    auto const path = expand(name, objects_[asked_by].path);
    return path && load(*path, asked_by);
  }

  bool find_by_name(std::string const& name, std::size_t asked_by) {
    auto const in = [&](std::string const& folder) { return load(folder + '/' + name, asked_by); };
    if (std::ranges::any_of(own_folders(asked_by), in))
      return true;
    auto is_found = false;
    for (auto const& path : cache_.paths_of(name))
      is_found |= load(path, asked_by);
    return is_found || std::ranges::any_of(default_folders, [&](std::string_view folder) {
             return in(std::string{folder});
           });
  }

  /// The folders that the objects themselves name: without DT_RUNPATH, DT_RPATH of the object and
  /// of all that led to it.
  std::vector<std::string> own_folders(std::size_t asked_by) const {
    std::vector<std::string> folders;
    auto const& object = objects_[asked_by];
    if (!object.elf.runpath.empty()) {
      append_folders(folders, object.elf.runpath, object.path);
      return folders;
    }
    for (auto at = std::optional{asked_by}; at; at = objects_[*at].asked_by)
      if (auto const& above = objects_[*at]; above.elf.runpath.empty())
        append_folders(folders, above.elf.rpath, above.path);
    return folders;
  }

  std::uint16_t machine_;
  loader_cache const& cache_;
  std::vector<loaded_object> objects_;
  std::set<std::string, std::less<>> names_; ///< asked for, or a soname of what is loaded
  std::map<std::string, std::string> real_paths_;
};

} // namespace

result<elf_dependencies> dependencies_of(int executable, loader_cache const& cache) {
  auto path = real_path_of(executable);
  if (!path)
    return path.error();
  auto program = read_elf(executable);
  if (!program)
    return with_path(*path, program.error());
  return library_search{*std::move(path), *std::move(program), cache}.run();
}

} // namespace bulkhead::platform
