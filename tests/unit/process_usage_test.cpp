#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/process_usage.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <array>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using bulkhead::platform::observed_process;
using bulkhead::platform::proportional_memory;
using bulkhead::platform::unique_fd;
using bulkhead::platform::usage_of;

/// A process that does something, says so and then waits; killed with its children, which share its
/// group, by the destructor.
class observed_child {
public:
  template <class Body>
  explicit observed_child(Body body) {
    std::array<int, 2> ready;
    REQUIRE(::pipe2(ready.data(), O_CLOEXEC) == 0);
    unique_fd const out{ready[0]};
    unique_fd in{ready[1]};
    process_ = ::fork();
    if (process_ == 0) {
      ::setpgid(0, 0);
      body();
      if (::write(in.get(), "x", 1) == 1)
        for (;;)
          ::pause();
    }
    ::setpgid(process_, process_);
    in.reset();
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, process_, 0)));
    char byte = 0;
    REQUIRE(::read(out.get(), &byte, 1) == 1);
  }
  observed_child(observed_child&&) = delete;
  ~observed_child() { end(); }

  observed_process get() const { return {process_, pidfd_.get()}; }

  void end() {
    if (process_ <= 0)
      return;
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -process_;
  }

private:
  pid_t process_ = -1;
  unique_fd pidfd_;
};

void fork_and_wait() {
  if (::fork() == 0)
    for (;;)
      ::pause();
}

void use_memory(std::size_t bytes) {
  auto* const pages = static_cast<char volatile*>(
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (std::size_t at = 0; at < bytes; at += 4096)
    pages[at] = 1;
}

void use_cpu(std::chrono::nanoseconds time) {
  timespec used{};
  while (std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec} < time)
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
}

auto usage(observed_child const& child) {
  std::array const one{child.get()};
  return usage_of(one).at(0);
}

} // namespace

TEST_CASE("a process and its descendants are summed up", "[process_usage]") {
  observed_child const alone{[] {}};
  observed_child const family{[] {
    fork_and_wait();
    if (::fork() == 0) {
      fork_and_wait();
      for (;;)
        ::pause();
    }
    // The grandchild is created by a process that runs on: wait until it is there.
    auto const self = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
    std::array const one{observed_process{::getpid(), self}};
    while (usage_of(one).at(0)->processes < 4)
      ;
  }};
  std::array const both{alone.get(), family.get()};
  auto const usages = usage_of(both);
  REQUIRE(usages.size() == 2);
  REQUIRE(usages[0].has_value());
  REQUIRE(usages[1].has_value());
  CHECK(usages[0]->processes == 1);
  CHECK(usages[0]->threads == 1);
  CHECK(usages[1]->processes == 4);
  CHECK(usages[1]->threads == 4);
  CHECK(usages[1]->memory > usages[0]->memory);
}

TEST_CASE("memory, CPU time and open files are counted", "[process_usage]") {
  constexpr std::size_t bytes = 8 << 20;
  observed_child const plain{[] {}};
  observed_child const busy{[] {
    use_memory(bytes);
    use_cpu(40ms);
    for (auto i = 0; i < 20; ++i)
      ::dup(0);
  }};
  auto const little = usage(plain);
  auto const much = usage(busy);
  REQUIRE(little.has_value());
  REQUIRE(much.has_value());
  CHECK(much->memory >= little->memory + bytes / 2);
  // Counted in ticks of 10 ms.
  CHECK(much->cpu_time >= 20ms);
  CHECK(much->open_files >= little->open_files + 20);
  auto const proportional = proportional_memory(busy.get());
  REQUIRE(proportional.has_value());
  CHECK(*proportional >= bytes);
}

TEST_CASE("CPU time of descendants that have ended counts", "[process_usage]") {
  observed_child const parent{[] {
    auto const child = ::fork();
    if (child == 0) {
      use_cpu(40ms);
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }};
  auto const used = usage(parent);
  REQUIRE(used.has_value());
  CHECK(used->processes == 1);
  CHECK(used->cpu_time >= 20ms);
}

TEST_CASE("a process that has ended has no usage, whoever has its number", "[process_usage]") {
  observed_child ended{[] {}};
  auto const before = ended.get();
  CHECK(usage(ended).has_value());
  ended.end();
  // The number of a living process with the descriptor of the dead one.
  std::array const reused{observed_process{::getpid(), before.pidfd}};
  CHECK_FALSE(usage_of(reused).at(0).has_value());
  std::array const gone{before};
  CHECK_FALSE(usage_of(gone).at(0).has_value());
  CHECK_FALSE(proportional_memory(reused[0]).has_value());
}

TEST_CASE("a process's name can't forge its numbers", "[process_usage]") {
  observed_child const child{[] { ::prctl(PR_SET_NAME, "x) S 1 1 1 ("); }};
  auto const used = usage(child);
  REQUIRE(used.has_value());
  CHECK(used->processes == 1);
  CHECK(used->memory > 0);
}
