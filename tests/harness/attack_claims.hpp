#pragma once

#include <span>
#include <string_view>

namespace bulkhead::testing {

/// What is said to hold, and the attacks of the corpus that try whether it does.
struct claim {
  int number; ///< stable; 0: what has to work
  std::string_view sentence;
  /// An attack by its name, or all of one attacker by what its names have before the colon.
  std::span<std::string_view const> attacks;
};

/// Every claim, in the order of its number; what has to work comes last.
std::span<claim const> all_claims() noexcept;

/// Whether an attacker asks the backend, and does not try it by itself.
bool is_of_backend(std::string_view attack) noexcept;

/// The claim that an attack is on; null for one that the corpus does not have.
claim const* find_claim(std::string_view attack) noexcept;

/// False for what an attacker may do everywhere, as it gives it nothing that it had not:
/// docs/attacks.md says why of each.
bool gains_something(std::string_view attack) noexcept;

} // namespace bulkhead::testing
