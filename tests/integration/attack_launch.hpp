#pragma once

#include "attack_ground.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace attacks {

/// What an attack is run in: nothing, one layer without the others, or a tier with the filter for
/// Node or for commands.
enum class containment : std::uint8_t {
  nothing,
  namespaces,
  landlock,
  filter, ///< for Node, of the strong tier
  basic,
  basic_command,
  strong,
  strong_command,
};
inline constexpr std::size_t containments = 8;
std::string_view to_string(containment which) noexcept;

/// "through", or what stopped the attack: "EPERM", "SIGSYS", "out of memory".
using outcomes = std::map<std::string, std::string, std::less<>>;

/// Runs attacks in one containment, with a neighbour beside them where it is a tier.
class attack_run {
public:
  attack_run(containment which, attacked_ground& ground);
  attack_run(attack_run&&) = delete;
  ~attack_run();

  /// One of the program's; those that use a resource without end are told limits, and have them in
  /// a tier.
  std::string program(std::string_view attack);
  /// All of the extension's, in one process.
  outcomes extension();
  /// Whether the neighbour still answers; true without one.
  bool neighbour_answers();

private:
  class life;
  std::unique_ptr<life> life_;
};

/// Whether the program's attack is made there: what uses something without end needs a limit, and
/// what kills its parent may not have this process for one.
bool is_tried(std::string_view attack, containment which) noexcept;

} // namespace attacks
