#pragma once

#include "attack_launch.hpp"

#include <span>
#include <string>
#include <string_view>

/// What becomes of each attack: the tests compare it with what happens, and the documentation is
/// made of it.
namespace attacks {

/// An attack of the program's, or one of the extension's with ':' in its name.
struct attack_row {
  std::string_view name;
  /// What comes of it in each containment: "through", or what stops it.
  std::string_view cells;

  /// Empty: it is not made there. "A|B": A where the backend is root, B where it is an ordinary
  /// user. At the end, '?' where the machine decides, and '*' where it decides what stops it.
  std::string_view in(containment which) const noexcept;
  /// The number of the claim that it is on; 0: no attack, but what has to work.
  int claim() const noexcept;
};

/// An attack of the extension's on its own resources, in a host of the strong tier.
struct host_row {
  int claim;
  std::string_view name;
  std::string_view by_root; ///< the reason of the host's end
  std::string_view by_user;
};

std::span<attack_row const> attack_table() noexcept;
std::span<host_row const> host_table() noexcept;

bool is_expected(std::string_view outcome, std::string_view cell, bool by_root) noexcept;

/// All of it in Markdown.
std::string attack_document();

} // namespace attacks
