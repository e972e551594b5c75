#include "sandbox_launches.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/linux/elf_dependencies.hpp>
#include <bulkhead/platform/linux/sealed_memory.hpp>

#include <algorithm>
#include <cstddef>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <map>
#include <memory>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sandbox_test {

using namespace bulkhead::platform;

namespace {

/// A user that has nothing on this machine.
constexpr uid_t host_user = 70'123;
constexpr uid_t ordinary_user = 60'123;

opened_program const& program_at(char const* path) {
  static std::map<std::string, std::unique_ptr<opened_program>> opened;
  auto& each = opened[path];
  if (!each)
    each = std::make_unique<opened_program>(path);
  return *each;
}

sandbox_spec run(char const* path, sandbox_tier tier, std::vector<std::string> arguments) {
  auto const& program = program_at(path);
  sandbox_spec spec;
  spec.tier = tier;
  spec.program = program.descriptor.get();
  spec.program_path = program.path;
  spec.arguments = std::move(arguments);
  spec.libraries = program.libraries;
  spec.loader = program.loader;
  spec.filter = open_filter();
  if (is_root())
    spec.run_as = identity{host_user, host_user};
  return spec;
}

} // namespace

open_folder::open_folder() {
  std::string pattern = "/tmp/bulkhead-launch-XXXXXX";
  ::mkdtemp(pattern.data());
  path_ = pattern;
  ::chmod(path_.c_str(), 0755);
}

open_folder::~open_folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path open_folder::make(std::string const& name) const {
  auto folder = path_ / name;
  fs::create_directories(folder);
  ::chmod(folder.c_str(), 0777);
  return folder;
}

opened_program::opened_program(fs::path at)
    : path{fs::canonical(at)}
    , descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
  auto const needed = dependencies_of(descriptor.get());
  REQUIRE(needed.has_value());
  for (auto const& each : needed->files)
    libraries.emplace_back(each.path);
  loader = needed->loader;
}

int open_filter() {
  static auto const filter = [] {
    sock_filter const allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    return seal_in_memory("filter", std::as_bytes(std::span{&allow, 1})).value();
  }();
  return filter.get();
}

unique_fd filter_that_forbids(long call) {
  sock_filter const program[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(call)},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  return seal_in_memory("filter", std::as_bytes(std::span{program})).value();
}

sandbox_spec shell(sandbox_tier tier, std::string script) {
  return run("/bin/sh", tier, {"-c", std::move(script)});
}

sandbox_spec node(sandbox_tier tier, std::string script) {
  auto spec = run("/usr/bin/node", tier, {"-e", std::move(script)});
  if (auto const parts = node_parts_folder(); !parts.empty())
    spec.bound.push_back({parts, parts, false, false});
  // In the basic tier OpenSSL sees its configuration and may not read it, which ends Node.
  spec.environment = {{"OPENSSL_CONF", "/dev/null"}};
  return spec;
}

watched_launch::watched_launch(sandbox_spec const& spec) {
  auto launch = start_sandboxed(spec);
  if (!launch)
    throw launch.error();
  started = std::move(*launch);
  auto const stream = [this](unique_fd pipe, lines& to) {
    return output_reader{io.get_executor(), std::move(pipe),
                         [&to](std::string_view line) { to.emplace_back(line); },
                         [this] { --open_streams_; }};
  };
  output_reader_.emplace(stream(started->process.take_output(), output));
  errors_reader_.emplace(stream(started->process.take_errors(), errors));
  started->process.async_wait_exit(io.get_executor(),
                                   [this](exit_status ended) { status = ended; });
}

bool watched_launch::finish() {
  return run_until([this] { return status && open_streams_ == 0; });
}

bool watched_launch::wait_for_line() {
  return run_until([this] { return !output.empty(); });
}

std::string summary_of(sandbox_spec const& spec) {
  try {
    watched_launch launch{spec};
    if (!launch.finish())
      return "it did not end";
    auto text = to_string(*launch.status);
    if (auto const& failure = launch.started->launch->failure)
      text += "; " + to_error(*failure).detail();
    for (auto const& line : launch.output)
      text += '\n' + line;
    for (auto const& line : launch.errors)
      text += "\nerror: " + line;
    return text;
  } catch (bulkhead::error const& failed) {
    return failed.what();
  }
}

bool is_root() noexcept {
  return ::geteuid() == 0;
}

std::string as_ordinary_user(std::function<std::string()> const& work) {
  if (!is_root())
    return work();
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  auto const child = ::fork();
  if (child == 0) {
    auto text = std::string{"it could not become an ordinary user"};
    if (::setgroups(0, nullptr) == 0 &&
        ::setresgid(ordinary_user, ordinary_user, ordinary_user) == 0 &&
        ::setresuid(ordinary_user, ordinary_user, ordinary_user) == 0) {
      // As after exec, so that /proc/self is its own.
      ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
      text = work();
    }
    auto const written = ::write(ends[1], text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  return text;
}

tether::tether() {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  seen_.reset(ends[0]);
  held_.reset(ends[1]);
}

void tether::tie(sandbox_spec& spec) const {
  constexpr int any_number = 20;
  spec.inherited.emplace_back(any_number, held_.get());
}

bool tether::is_free_within(int wait_ms) {
  held_.reset();
  pollfd end{seen_.get(), 0, 0};
  return ::poll(&end, 1, wait_ms) == 1;
}

} // namespace sandbox_test
