#include "shared/forked.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/cgroup_tree.hpp>
#include <bulkhead/platform/pidfd.hpp>
#include <bulkhead/platform/process_birth.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace bulkhead::platform;
using bulkhead::testing::contains;
using bulkhead::testing::text_of_child;
namespace fs = std::filesystem;

namespace {

/// What `program FILE` prints, born with nothing but the standard streams; "failed: " and why.
std::string output_of(char const* program, char const* file, int group = -1) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return "failed: no pipe";
  unique_fd const out{ends[0]};
  unique_fd in{ends[1]};
  unique_fd const null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  auto const first = duplicate(null.get(), 10);
  auto second = duplicate(in.get(), 10);
  std::array const placed{placed_descriptor{0, first.get()}, placed_descriptor{1, second.get()},
                          placed_descriptor{2, first.get()}};
  char const* const arguments[] = {program, file, nullptr};
  char const* const environment[] = {nullptr};
  birth_plan plan;
  plan.descriptors = placed;
  plan.path = program;
  plan.arguments = arguments;
  plan.environment = environment;
  plan.group = group;
  auto const born = give_birth(plan);
  if (born.failed_at != birth_step::none)
    return "failed: " + std::to_string(born.failed);
  in.reset();
  second.reset();
  std::string text;
  std::array<char, 4096> read;
  for (ssize_t size = 0; (size = ::read(out.get(), read.data(), read.size())) > 0;)
    text.append(read.data(), static_cast<std::size_t>(size));
  siginfo_t seen;
  wait_by_descriptor(born.child.descriptor.get(), WEXITED, seen);
  return text;
}

/// From now on this thread's kernel has no such system call.
bool forget_system_call(long number) {
  sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(number)},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  sock_fprog const program{4, code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace

TEST_CASE("a process is born in its control group") {
  auto const found = find_cgroups();
  auto const unified = found ? std::ranges::find_if(*found, &cgroup_hierarchy::unified)
                             : std::vector<cgroup_hierarchy>::const_iterator{};
  if (!found || unified == found->end() || !has_birth_in_group() ||
      ::access(unified->root.c_str(), W_OK) != 0) {
    WARN("no control groups of version 2 for this user on this machine");
    return;
  }
  auto const name = "test-birth-" + std::to_string(::getpid());
  auto const folder = unified->root / name;
  REQUIRE(fs::create_directory(folder));
  {
    unique_fd const group{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    CHECK(contains(output_of("/bin/cat", "/proc/self/cgroup", group.get()), "0::/" + name + "\n"));
    CHECK(!contains(output_of("/bin/cat", "/proc/self/cgroup"), name));
  }
  CHECK(::rmdir(folder.c_str()) == 0);
}

TEST_CASE("before Linux 5.9, which has close_range, a process has no other descriptors either") {
  auto const listed = text_of_child([] {
    unique_fd const null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    unique_fd const low{::fcntl(null.get(), F_DUPFD, 5)}; // stays open in another program
    unique_fd const high{::fcntl(null.get(), F_DUPFD, 500)};
    return forget_system_call(SYS_close_range) ? output_of("/bin/ls", "/proc/self/fd") : "";
  });
  CHECK(listed == "0\n1\n2\n3\n"); // 3 is the folder
}

TEST_CASE("a process that there is no descriptor left for does not live") {
  auto const ended = text_of_child([] {
    rlimit const few{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &few);
    while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
    }
    ::close(STDIN_FILENO); // the only number that is free
    char const* const arguments[] = {"/bin/sleep", "600", nullptr};
    char const* const environment[] = {nullptr};
    birth_plan plan;
    plan.path = arguments[0];
    plan.arguments = arguments;
    plan.environment = environment;
    auto const born = give_birth(plan);
    auto const is_alone = ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
    return std::to_string(born.failed) + (is_alone ? ", alone" : ", with a child");
  });
  CHECK(ended == std::to_string(EMFILE) + ", alone");
}
