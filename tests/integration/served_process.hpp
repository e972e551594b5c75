#pragma once

#include "run_command.hpp"

#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace bulkhead::testing {

/// A program that runs until it is told to end, and whose output is watched meanwhile. Whatever
/// takes longer than half a minute throws. The destructor kills it.
class served_process {
public:
  enum class output_to { pipe, terminal };

  explicit served_process(std::vector<std::string> const& words, output_to where = output_to::pipe);
  served_process(served_process const&) = delete;
  served_process& operator=(served_process const&) = delete;
  ~served_process();

  /// On a terminal, which then is its standard input as well: what a person types.
  void type(std::string_view text) const;
  /// Whether the terminal shows what is typed.
  bool shows_typing() const;
  /// Until the output so far holds `text`.
  void wait_for_output(std::string_view text);
  void signal(int number) const;
  /// Until it has ended.
  ran_command wait();

private:
  /// False at the end of the output.
  bool read_more();

  temporary_directory folder_;
  std::filesystem::path errors_;
  platform::unique_fd output_;
  std::string seen_;
  pid_t pid_ = 0; // 0 once it was waited for
};

} // namespace bulkhead::testing
