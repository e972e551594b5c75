#pragma once

#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace bulkhead::testing {

/// The user that attackers are where this process is root and nothing else gives them one.
inline constexpr uid_t attacker_user = 70'321;

/// Where the attackers' files are, of which a ground has copies of its own.
struct attackers_files {
  std::filesystem::path program;   ///< of the native attacks
  std::filesystem::path extension; ///< that attacks
};

/// Everything that is to be attacked, open to every user of the machine: what stops an attack is
/// the containment and nothing else. Undone by the destructor.
class attacked_ground {
public:
  /// `set_user_id` is a program that only root could have made; may be empty.
  attacked_ground(attackers_files const& copied, std::filesystem::path set_user_id);
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

  /// The folder of what is secret, with the file `secret` in it.
  std::filesystem::path outside() const { return root_ / "outside"; }

  /// What is not as it was; empty if all is.
  std::string damage() const;

private:
  void add_files(attackers_files const& copied);
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
  std::vector<platform::unique_fd> held_;
  pid_t victim_ = 0;
  int shared_memory_ = -1;
  int semaphore_ = -1;
  int message_queue_ = -1;
};

} // namespace bulkhead::testing
