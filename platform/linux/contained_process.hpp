#pragma once

#include <bulkhead/platform/linux/launch_report.hpp>
#include <bulkhead/platform/process_source.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <memory>

namespace bulkhead::platform {

/// A process in a sandbox, from the launcher's first instruction to the end of everything inside:
/// it has ended when the launch's outermost process is a zombie, nobody holds the status socket any
/// more and the sandbox's first process, which the kernel lets end last, is gone.
class contained_process final : public process_source {
public:
  struct parts {
    pid_t pid = 0;         ///< of the outermost process
    unique_fd outer;       ///< its pidfd
    unique_fd status;      ///< our end of the status socket
    unique_fd said;        ///< what bubblewrap prints; does not block
    unique_fd news;        ///< an empty epoll set
    unique_fd group;       ///< the folder of its control group (v2); empty: it has none
    bool own_root = false; ///< the sandbox's first process is one inside of bubblewrap
  };

  /// `report` is kept up to date; `listener` may be empty.
  contained_process(parts started, std::shared_ptr<launch_report> report, launch_listener listener);

  pid_t pid() const noexcept override { return parts_.pid; }
  int descriptor() const noexcept override { return parts_.news.get(); }
  std::optional<exit_status> collect() noexcept override;
  /// Before the program runs there is nobody who could heed a signal: the launch is ended.
  bool signal(int number) noexcept override;
  void kill_tree() noexcept override;

private:
  void watch(unique_fd const& descriptor) noexcept;
  void forget(unique_fd const& descriptor) noexcept;
  void read_records() noexcept;
  void hear(received_record received) noexcept;
  void look_for_ends() noexcept;
  std::string read_said() noexcept;

  parts parts_;
  unique_fd first_;   ///< the pidfd of the sandbox's first process
  unique_fd program_; ///< the program's pidfd
  std::shared_ptr<launch_report> report_;
  launch_listener listener_;
  bool outer_ended_ = false;
  bool first_ended_ = true; ///< as long as there is none
  bool killed_ = false;
};

} // namespace bulkhead::platform
