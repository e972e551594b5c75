#include <bulkhead/platform/linux/sandbox.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/linux/contained_process.hpp>
#include <bulkhead/platform/linux/host_guard.hpp>
#include <bulkhead/platform/linux/launcher_birth.hpp>
#include <bulkhead/platform/linux/launcher_image.hpp>
#include <bulkhead/platform/linux/plan_writer.hpp>
#include <bulkhead/platform/linux/sandbox_root.hpp>
#include <bulkhead/platform/linux/sealed_memory.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

constexpr int first_inherited = STDERR_FILENO + 1;

error refused(std::string sentence, std::string remedy = {}) {
  return error{errc::spawn_failed, std::move(sentence), std::move(remedy)};
}

error no_descriptor(std::string const& what, int failed) {
  return refused("can't have " + what + ": " + errno_text(failed));
}

// ---- what can be said of a spec before anything is opened ---------------------------------------

/// exec, bubblewrap and the kernel would cut a string there, silently.
bool has_null_byte(std::string_view text) {
  return text.find('\0') != text.npos;
}

/// Every path of a spec.
std::vector<std::filesystem::path const*> paths_of(sandbox_spec const& spec) {
  std::vector<std::filesystem::path const*> paths{&spec.program_path, &spec.working_directory};
  for (auto const& each : spec.libraries)
    paths.push_back(&each);
  for (auto const& each : spec.bound)
    paths.insert(paths.end(), {&each.outside, &each.inside});
  for (auto const& each : spec.placed)
    paths.push_back(&each.inside);
  return paths;
}

result<void> check_strings(sandbox_spec const& spec) {
  for (auto const* const path : paths_of(spec))
    if (!path->is_absolute() || has_null_byte(path->native()))
      return refused("not an absolute path without null bytes: \"" + path->string() + '"');
  if (std::ranges::any_of(spec.arguments, has_null_byte))
    return refused("a null byte in the arguments of " + spec.program_path.string());
  for (auto const& [name, value] : spec.environment)
    if (name.empty() || name.find('=') != name.npos || has_null_byte(name) || has_null_byte(value))
      return refused("not an environment variable: \"" + name + '"');
  return {};
}

result<void> check_inherited(sandbox_spec const& spec) {
  std::vector<int> numbers;
  for (auto const& [number, ours] : spec.inherited)
    numbers.push_back(number);
  std::ranges::sort(numbers);
  if (!numbers.empty() &&
      (numbers.front() < first_inherited || numbers.back() >= launch::first_own))
    return refused("an inherited descriptor is not in the range of 3 to 255");
  if (std::ranges::adjacent_find(numbers) != numbers.end())
    return refused("a descriptor is to be inherited twice");
  return {};
}

result<void> check_tier(sandbox_spec const& spec) {
  auto const as_root = ::geteuid() == 0;
  if (as_root && (!spec.run_as || spec.run_as->user == 0 || spec.run_as->group == 0))
    return refused("a host would run as root", "give it a user of its own");
  if (!as_root && spec.run_as)
    return refused("only root can give a host a user of its own");
  switch (spec.tier) {
  case sandbox_tier::strong:
    return {};
  case sandbox_tier::basic:
    if (!spec.landlock)
      return refused("the basic tier is nothing without Landlock");
    if (!spec.placed.empty())
      return refused("the basic tier has no place for files of its own");
    return {};
  case sandbox_tier::none:
    break;
  }
  return refused("a sandbox of no tier was asked for");
}

result<void> check(sandbox_spec const& spec) {
  for (auto const each : {check_strings, check_inherited, check_tier})
    if (auto checked = each(spec); !checked)
      return checked;
  return {};
}

// ---- the descriptors ----------------------------------------------------------------------------

/// The descriptors of a launch: those that the child gets and ours of the same pipes and sockets.
class launch_descriptors {
public:
  /// The child gets a duplicate. Its number is above all that the child uses.
  result<void> lend(int number, int ours) {
    auto copy = duplicate(ours, first_free);
    if (!copy)
      return no_descriptor("descriptor " + std::to_string(ours), errno);
    placed_.push_back({number, copy.get()});
    lent_.push_back(std::move(copy));
    return {};
  }

  /// The same for one that is not needed here any more.
  result<void> give(int number, result<unique_fd> taken) {
    if (!taken)
      return taken.error();
    return lend(number, taken->get());
  }

  std::span<placed_descriptor const> in_order() {
    std::ranges::sort(placed_);
    return placed_;
  }

private:
  static constexpr int first_free = launch::first_bind + static_cast<int>(launch::max_binds);

  std::vector<placed_descriptor> placed_;
  std::vector<unique_fd> lent_;
};

result<unique_fd> open_path(std::filesystem::path const& path, int flags) {
  auto opened = unique_fd{::open(path.c_str(), flags | O_CLOEXEC)};
  if (!opened)
    return no_descriptor(path.string(), errno);
  return opened;
}

bool is_folder(int descriptor) noexcept {
  struct stat seen {};
  return ::fstat(descriptor, &seen) == 0 && S_ISDIR(seen.st_mode);
}

std::span<std::byte const> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text});
}

/// One launch, while it is put together.
class preparation {
public:
  explicit preparation(sandbox_spec const& spec)
      : spec_{spec} {
    ours_.own_root = spec.tier == sandbox_tier::strong;
  }

  result<sandboxed_process> start(launch_listener listener) {
    for (auto const next :
         {&preparation::make_channels, &preparation::add_program, &preparation::add_groups,
          &preparation::add_root, &preparation::add_plan})
      if (auto done = (this->*next)(); !done)
        return done.error();
    auto report = std::make_shared<launch_report>();
    report->created = launch_report::clock::now();
    auto created =
        create_launcher(launcher_part::stage_one, given_.in_order(), born_in_, spec_.fail_at);
    if (!created)
      return created.error();
    auto const pidfd = created->descriptor.get();
    ours_.pid = created->pid;
    ours_.outer = std::move(created->descriptor);
    child_process process{
        std::make_unique<contained_process>(std::move(ours_), report, std::move(listener)),
        std::move(output_), std::move(errors_)};
    if (spec_.guard)
      if (auto guarded = spec_.guard->watch(process.pid(), pidfd); !guarded)
        return guarded.error();
    return sandboxed_process{std::move(process), std::move(report)};
  }

private:
  /// Makes a pipe of which the child gets the other end.
  result<unique_fd> make_stream(int number, int flags = 0) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | flags) != 0)
      return no_descriptor("a pipe", errno);
    auto ours = above_standard_streams(unique_fd{ends[0]});
    if (auto given = given_.give(number, unique_fd{ends[1]}); !given)
      return given.error();
    return ours;
  }

  result<void> make_channels() {
    auto output = make_stream(STDOUT_FILENO);
    auto errors = make_stream(launch::program_errors);
    // What bubblewrap prints is read when it has ended, whoever else has the other end.
    auto said = make_stream(STDERR_FILENO, O_NONBLOCK);
    for (auto const* const each : {&output, &errors, &said})
      if (!*each)
        return each->error();
    output_ = std::move(*output);
    errors_ = std::move(*errors);
    ours_.said = std::move(*said);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
      return no_descriptor("a socket", errno);
    ours_.status = above_standard_streams(unique_fd{ends[0]});
    if (auto given = given_.give(launch::status_socket, unique_fd{ends[1]}); !given)
      return given;
    ours_.news = above_standard_streams(unique_fd{::epoll_create1(EPOLL_CLOEXEC)});
    if (!ours_.news)
      return no_descriptor("an epoll set", errno);
    return given_.give(STDIN_FILENO, open_path("/dev/null", O_RDONLY));
  }

  result<void> add_program() {
    auto const launcher = launcher_program();
    if (!launcher)
      return launcher.error();
    auto lent = given_.lend(launch::launcher_file, *launcher);
    if (lent)
      lent = given_.lend(launch::program_file, spec_.program);
    if (lent && spec_.filter >= 0)
      lent = given_.lend(launch::filter_file, spec_.filter);
    for (auto const& [number, ours] : spec_.inherited)
      if (lent)
        lent = given_.lend(number, ours);
    return lent;
  }

  result<void> add_groups() {
    for (auto const file : spec_.joined_groups)
      if (auto lent = join(file); !lent)
        return lent;
    if (spec_.group < 0)
      return {};
    ours_.group = duplicate(spec_.group, first_inherited);
    if (!ours_.group)
      return no_descriptor("the control group", errno);
    if (has_birth_in_group()) {
      born_in_ = spec_.group;
      return {};
    }
    auto const file = unique_fd{::openat(spec_.group, "cgroup.procs", O_WRONLY | O_CLOEXEC)};
    return file ? join(file.get()) : no_descriptor("the control group", errno);
  }

  result<void> join(int file) {
    if (joins_ == launch::max_joins)
      return refused("too many control groups to join");
    return given_.lend(launch::first_join + joins_++, file);
  }

  /// What bubblewrap mounts, and what it is told.
  result<void> add_root() {
    if (spec_.tier != sandbox_tier::strong)
      return {};
    auto bubblewrap = open_path(spec_.bubblewrap, O_PATH);
    if (!bubblewrap)
      return error{errc::sandbox_unavailable, bubblewrap.error().detail(), "install bubblewrap"};
    if (auto given = given_.give(launch::bubblewrap_file, std::move(bubblewrap)); !given)
      return given;
    mounts_ = mounts_of(spec_);
    if (mounts_.size() > launch::max_binds)
      return refused("a sandbox takes at most " + std::to_string(launch::max_binds) +
                     " folders and files");
    for (auto const& mount : mounts_) {
      auto source = open_source(mount);
      if (!source)
        return source.error();
      folders_.push_back(is_folder(source->get()));
      auto const number = launch::first_bind + static_cast<int>(folders_.size()) - 1;
      if (auto given = given_.give(number, std::move(source)); !given)
        return given;
    }
    auto const words = bubblewrap_options(spec_, mounts_, as_root_);
    return given_.give(launch::bubblewrap_words, seal_in_memory("bubblewrap", bytes_of(words)));
  }

  result<unique_fd> open_source(root_mount const& mount) {
    switch (mount.from) {
    case mount_source::bytes:
      return seal_in_memory("file", bytes_of(mount.content));
    case mount_source::host:
      return open_path(mount.outside, O_PATH);
    case mount_source::program:
      break;
    }
    auto copy = duplicate(spec_.program, first_inherited);
    if (!copy)
      return no_descriptor("the program", errno);
    return copy;
  }

  result<void> add_plan() {
    auto const plan = write_plan(spec_, {.mounts = mounts_,
                                         .folders = folders_,
                                         .staged = as_root_,
                                         .joins = static_cast<std::size_t>(joins_)});
    if (!plan)
      return plan.error();
    return given_.give(launch::plan_file, seal_in_memory("plan", *plan));
  }

  sandbox_spec const& spec_;
  bool as_root_ = ::geteuid() == 0;
  launch_descriptors given_;
  std::vector<root_mount> mounts_;
  std::vector<bool> folders_; ///< which of the mounts
  int joins_ = 0;
  int born_in_ = -1;
  contained_process::parts ours_;
  unique_fd output_;
  unique_fd errors_;
};

} // namespace

result<sandboxed_process> start_sandboxed(sandbox_spec const& spec, launch_listener listener) {
  if (auto checked = check(spec); !checked)
    return checked.error();
  return preparation{spec}.start(std::move(listener));
}

} // namespace bulkhead::platform
