#pragma once

#include <bulkhead/messages/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// How well a host is contained. Each tier holds all that the one before it does.
enum class sandbox_tier : std::uint8_t {
  none,   ///< a plain process: it can do what its user can
  basic,  ///< Landlock, a seccomp filter and resource limits, without namespaces
  strong, ///< namespaces and a root of its own as well
};

/// "none", "basic" or "strong".
std::string_view to_string(sandbox_tier tier) noexcept;

/// What contains a host: the layers that are in force, and what is missing.
struct sandbox_report {
  struct layer {
    std::string name;   ///< "namespaces", "landlock", "seccomp", "memory", ...
    bool holds = false; ///< whether it is in force
    std::string detail; ///< how, or why not: one sentence

    friend bool operator==(layer const&, layer const&) = default;
  };

  sandbox_tier tier = sandbox_tier::none;
  std::vector<layer> layers;

  friend bool operator==(sandbox_report const&, sandbox_report const&) = default;
};

/// `{"tier": …, "layers": [{"name": …, "holds": …, "detail": …}, …]}`.
json to_json(sandbox_report const& report);

} // namespace bulkhead
