#include <bulkhead/platform/script_states.hpp>

#include <system_error>

namespace bulkhead::platform {

script_states look_at_scripts(std::filesystem::path const& extension,
                              std::vector<std::string> const& names) {
  script_states seen;
  std::error_code ignored;
  auto const is_folder = std::filesystem::is_directory(extension, ignored);
  for (auto const& name : names)
    if (auto const state = identity_at(is_folder ? extension / name : extension))
      seen.emplace(name, *state);
  return seen;
}

} // namespace bulkhead::platform
