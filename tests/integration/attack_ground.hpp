#pragma once

#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

/// The attackers of tests/adversary/process, what they attack, and what contains them.
namespace attacks {

/// The user that attackers are where this process is root.
inline constexpr uid_t attacker_user = 70'321;

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
struct readable_copies {
  std::filesystem::path program;   ///< of the attacks, without leave to execute it
  std::filesystem::path extension; ///< that attacks
  std::filesystem::path neighbour; ///< an extension that echoes
};
readable_copies const& attackers();

/// Everything that is to be attacked, open to every user of the machine: what stops an attack is
/// the containment and nothing else. Undone by the destructor.
class attacked_ground {
public:
  /// `set_user_id` is a program that only root could have made; may be empty.
  explicit attacked_ground(std::filesystem::path set_user_id);
  attacked_ground(attacked_ground&&) = delete;
  ~attacked_ground();

  /// The names and values that the attackers are told.
  std::vector<std::pair<std::string, std::string>> const& targets() const noexcept {
    return targets_;
  }
  std::filesystem::path const& program() const noexcept { return program_; }
  std::filesystem::path const& extension() const noexcept { return extension_; }
  std::filesystem::path const& own_folder() const noexcept { return own_; }
  std::filesystem::path const& set_user_id() const noexcept { return set_user_id_; }

  /// What is not as it was; empty if all is.
  std::string damage() const;

private:
  void add_files();
  void add_victim();
  void add_sockets();
  void add_shared_objects();
  void tell(std::string name, std::string value);
  int listen_on(int family, int type, void const* address, unsigned size);

  std::filesystem::path root_;
  std::filesystem::path program_;
  std::filesystem::path extension_;
  std::filesystem::path own_;
  std::filesystem::path set_user_id_;
  std::string core_pattern_;
  std::vector<std::pair<std::string, std::string>> targets_;
  std::vector<bulkhead::platform::unique_fd> held_;
  pid_t victim_ = 0;
  int shared_memory_ = -1;
  int semaphore_ = -1;
  int message_queue_ = -1;
};

/// Makes a copy of the attackers' program that belongs to root and has the set-user-ID bit. Empty
/// where this process is not root.
std::filesystem::path make_set_user_id_program(std::filesystem::path const& folder);

} // namespace attacks
