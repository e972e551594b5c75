#pragma once

#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/sandbox.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::platform {

/// What a mechanism is needed for.
enum class purpose : std::uint8_t {
  every_host,      ///< no host runs without it
  node_hosts,      ///< no extension in JavaScript does
  basic_tier,      ///< neither of the tiers that contain
  strong_tier,     ///< not the strong tier
  memory_limit,    ///< limits.memory
  processes_limit, ///< limits.processes
  cpu_limit,       ///< limits.cpu_percent
  improvement,     ///< nothing fails without it
};

/// "every host", "the strong tier", "limits.memory", …
std::string_view to_string(purpose what) noexcept;

/// One thing that containment is made of, and whether this machine lets this user have it.
struct mechanism {
  std::string name; ///< stable: "user namespaces"
  purpose needed_for = purpose::improvement;
  bool holds = false;
  std::string detail{}; ///< how, or why not: one sentence
  std::string remedy{}; ///< what to do about it on this machine; empty where it holds

  friend bool operator==(mechanism const&, mechanism const&) = default;
};

/// What this machine can enforce for the user that it was asked as.
struct machine_report {
  std::uint32_t user = 0; ///< the effective uid
  std::vector<mechanism> mechanisms;

  /// The best tier that nothing is missing for.
  sandbox_tier best_tier() const;
  /// What hosts of that tier need and don't have; limits and Node.js are not looked at.
  std::vector<mechanism const*> missing_for(sandbox_tier tier) const;
  /// What does not hold of that purpose alone.
  std::vector<mechanism const*> missing_for(purpose what) const;

  friend bool operator==(machine_report const&, machine_report const&) = default;
};

/// `{"user": …, "best_tier": …, "missing": {"basic": [NAME…], "strong": [NAME…]}, "mechanisms":
/// [{"name", "holds", "needed_for", "detail", "remedy"}…]}`.
json to_json(machine_report const& report);

} // namespace bulkhead::platform
