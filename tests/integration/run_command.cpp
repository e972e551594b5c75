#include "run_command.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/temporary_directory.hpp>

#include <boost/json/parse.hpp>
#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace bulkhead::testing {

// Files and not pipes: nothing can block, however much is written.
ran_command run_command(std::vector<std::string> const& words, std::string_view input) {
  temporary_directory folder;
  auto const in = folder.write("in", input);
  auto const out = folder.path() / "out";
  auto const err = folder.path() / "err";

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
  std::vector<char*> argv;
  for (auto const& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  auto const failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed)
    throw std::runtime_error{"cannot start " + words.front()};

  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  auto const code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, content_of(out), content_of(err)};
}

ran_command run_bulkhead(std::vector<std::string> const& words,
                         std::vector<std::string> const& more) {
  std::vector<std::string> all{BULKHEAD_TEST_COMMAND};
  all.insert(all.end(), words.begin(), words.end());
  all.insert(all.end(), more.begin(), more.end());
  return run_command(all);
}

std::vector<boost::json::object> json_lines(std::string_view output) {
  std::vector<boost::json::object> parsed;
  for (std::size_t end; (end = output.find('\n')) != output.npos; output.remove_prefix(end + 1))
    parsed.push_back(boost::json::parse(output.substr(0, end)).as_object());
  return parsed;
}

} // namespace bulkhead::testing
