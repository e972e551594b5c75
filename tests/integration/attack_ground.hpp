#pragma once

#include <bulkhead/harness/attacked_ground.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>

/// The attackers of tests/adversary/process, what they attack, and what contains them.
namespace attacks {

/// A terminal of the host's with a session's other end; nobody has it as its own.
class open_terminal {
public:
  open_terminal();
  int descriptor() const noexcept { return inner_.get(); }
  /// Whether something was typed into it that nobody typed.
  bool has_input() const noexcept;

private:
  bulkhead::platform::unique_fd outer_;
  bulkhead::platform::unique_fd inner_;
};

/// Where every user may read them, wherever the checkout lies: copies, made by the first call in a
/// process, which has to come before a change of its user.
struct readable_copies : bulkhead::testing::attackers_files {
  std::filesystem::path neighbour; ///< an extension that echoes
};
readable_copies const& attackers();

using bulkhead::testing::attacked_ground;
using bulkhead::testing::attacker_user;

/// Makes a copy of the attackers' program that belongs to root and has the set-user-ID bit. Empty
/// where this process is not root.
std::filesystem::path make_set_user_id_program(std::filesystem::path const& folder);

} // namespace attacks
