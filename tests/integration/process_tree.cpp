#include "process_tree.hpp"

#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::testing {
namespace {

namespace disk = std::filesystem;
using namespace std::chrono_literals;

std::vector<std::string> words_of(std::string const& command_line) {
  std::vector<std::string> words;
  std::istringstream in{command_line};
  for (std::string word; std::getline(in, word, '\0');)
    words.push_back(std::move(word));
  return words;
}

/// Of a process whose threads come and go.
void collect(pid_t parent, std::vector<descendant>& found) {
  std::error_code gone;
  auto const threads = "/proc/" + std::to_string(parent) + "/task";
  for (disk::directory_iterator each{threads, gone}, end; !gone && each != end;
       each.increment(gone)) {
    std::istringstream children{
        process_file(parent, "task/" + each->path().filename().string() + "/children")};
    for (pid_t child = 0; children >> child;) {
      found.push_back({child, words_of(process_file(child, "cmdline"))});
      collect(child, found);
    }
  }
}

} // namespace

foster_parent::foster_parent() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    throw std::runtime_error{"no subreaper"};
  if (!descendants().empty())
    throw std::runtime_error{"it has children already: " + left()};
}

foster_parent::~foster_parent() {
  while (!has_lost_all(0ms)) {
    for (auto const& each : descendants())
      ::kill(each.pid, SIGKILL);
    has_lost_all(100ms);
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

std::vector<descendant> foster_parent::descendants() const {
  std::vector<descendant> found;
  collect(::getpid(), found);
  return found;
}

bool foster_parent::has_lost_all(std::chrono::milliseconds within) const {
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGCHLD);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &ends, &before);
  auto const until = std::chrono::steady_clock::now() + within;
  auto lost = false;
  for (;;) {
    auto const ended = ::waitpid(-1, nullptr, WNOHANG);
    lost = ended < 0 && errno == ECHILD;
    if (lost || std::chrono::steady_clock::now() >= until)
      break;
    // Some threads of this process may take the signal first: not longer than a moment.
    constexpr timespec moment{0, 5'000'000};
    if (ended == 0)
      ::sigtimedwait(&ends, nullptr, &moment);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return lost;
}

std::string foster_parent::left() const {
  std::string text;
  for (auto const& each : descendants()) {
    text += '\n' + std::to_string(each.pid);
    for (auto const& word : each.words)
      text += ' ' + word.substr(0, 40);
  }
  return text;
}

std::string process_file(pid_t process, std::string const& name) {
  std::ifstream const in{"/proc/" + std::to_string(process) + '/' + name};
  std::ostringstream text;
  text << in.rdbuf(); // what it throws in there ends the text
  return text.str();
}

std::filesystem::path raw_host_program(temporary_directory const& place) {
  auto const code = content_of(test_hosts::folder / "hosts/raw_host.py");
  auto const program = place.write("raw_host", "#!" + test_hosts::python() + " -I\n" +
                                                   code.substr(code.find('\n') + 1));
  disk::permissions(program, disk::perms{0755});
  return program;
}

} // namespace bulkhead::testing
