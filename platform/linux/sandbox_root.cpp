#include <bulkhead/platform/linux/sandbox_root.hpp>

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace bulkhead::platform {
namespace {

using namespace std::string_view_literals;

/// What programs take for granted: where nothing goes, and where randomness comes from. No terminal
/// and no /dev/shm, which has no size.
constexpr std::string_view devices[] = {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"};

/// What Node looks up about itself and the machine. Not the whole of /proc: there are the numbers
/// of everything in the namespace.
constexpr std::string_view own_proc[] = {"/proc/self",    "/proc/meminfo", "/proc/stat",
                                         "/proc/cpuinfo", "/proc/version", "/proc/loadavg",
                                         "/proc/uptime"};

/// os.userInfo() wants an entry. Nothing of the host's users shows.
constexpr auto users_file = "/etc/passwd"sv;
constexpr auto users = "host:x:1000:1000::/tmp:/\n"sv;
/// What the program sees of itself, whoever it is outside.
constexpr auto inside_user = "1000"sv;

constexpr std::uint64_t reading = launch::read_file | launch::read_folder;
constexpr std::uint64_t writing = launch::write_file | launch::truncate | launch::remove_file |
                                  launch::remove_folder | launch::make_file | launch::make_folder |
                                  launch::make_symlink | launch::move_between_folders;

/// Arguments as bubblewrap reads them from a descriptor.
class option_list {
public:
  void add(std::initializer_list<std::string_view> words) {
    for (auto const word : words) {
      text_ += word;
      text_ += '\0';
    }
  }
  std::string take() && { return std::move(text_); }

private:
  std::string text_;
};

void add_isolation(option_list& options, sandbox_spec const& spec) {
  // Not --unshare-all, whose -try variants go on with less in silence.
  options.add({"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts",
               "--unshare-cgroup", "--disable-userns"});
  if (!spec.network)
    options.add({"--unshare-net"});
  // Not --die-with-parent: that is the end of the thread that started it. The launcher watches.
  options.add({"--uid", inside_user, "--gid", inside_user, "--hostname", "host", "--new-session",
               "--cap-drop", "ALL", "--clearenv", "--as-pid-1"});
}

void add_mount(option_list& options, root_mount const& mount, std::size_t index, bool staged) {
  auto const descriptor = std::to_string(launch::first_bind + index);
  auto const& inside = mount.inside.native();
  if (mount.from == mount_source::bytes)
    options.add({"--perms", "0444", "--ro-bind-data", descriptor, inside});
  else if (staged)
    options.add({mount.writable ? "--bind" : "--ro-bind", staged_path(index), inside});
  else
    options.add({mount.writable ? "--bind-fd" : "--ro-bind-fd", descriptor, inside});
}

} // namespace

std::vector<root_mount> mounts_of(sandbox_spec const& spec) {
  std::vector<root_mount> mounts;
  mounts.push_back({.from = mount_source::program,
                    .outside = {},
                    .content = {},
                    .inside = spec.program_path,
                    .writable = false,
                    .executable = true});
  for (auto const& each : spec.bound)
    mounts.push_back({.from = mount_source::host,
                      .outside = each.outside,
                      .content = {},
                      .inside = each.inside,
                      .writable = each.writable,
                      .executable = each.executable});
  auto const place = [&](std::filesystem::path const& inside, std::string_view content) {
    mounts.push_back({.from = mount_source::bytes,
                      .outside = {},
                      .content = std::string{content},
                      .inside = inside,
                      .writable = false,
                      .executable = false});
  };
  place(users_file, users);
  for (auto const& each : spec.placed)
    place(each.inside, each.content);
  return mounts;
}

std::string staged_path(std::size_t mount) {
  return std::string{staging_folder} + '/' + std::to_string(mount);
}

std::string bubblewrap_options(sandbox_spec const& spec, std::vector<root_mount> const& mounts,
                               bool staged) {
  option_list options;
  add_isolation(options, spec);
  // First, so that something can be bound below it.
  if (spec.tmp_size != 0)
    options.add({"--perms", "0700", "--size", std::to_string(spec.tmp_size), "--tmpfs", "/tmp"});
  for (auto const& library : spec.libraries)
    options.add({"--ro-bind", library.native(), library.native()});
  for (std::size_t i = 0; i < mounts.size(); ++i)
    add_mount(options, mounts[i], i, staged);
  options.add({"--dir", "/dev"});
  for (auto const device : devices)
    options.add({"--dev-bind", device, device});
  options.add({"--proc", "/proc", "--remount-ro", "/proc", "--remount-ro", "/"});
  return std::move(options).take();
}

std::vector<granted_path> grants_of(sandbox_spec const& spec) {
  auto const own_root = spec.tier == sandbox_tier::strong;
  std::vector<granted_path> grants;
  grants.push_back({spec.program_path, reading | launch::execute});
  for (auto const& library : spec.libraries)
    grants.push_back({library, library == spec.loader ? reading | launch::execute : reading});
  for (auto const& each : spec.bound)
    grants.push_back({own_root ? each.inside : each.outside,
                      reading | (each.writable ? writing : 0) |
                          (each.executable ? std::uint64_t{launch::execute} : 0)});
  for (auto const& each : spec.placed)
    grants.push_back({each.inside, reading});
  for (auto const device : devices)
    grants.push_back({device, reading | launch::write_file | launch::truncate});
  if (spec.processes && own_root)
    grants.push_back({"/proc", reading});
  else
    for (auto const file : own_proc)
      grants.push_back({file, reading});
  if (own_root) {
    grants.push_back({users_file, reading});
    if (spec.tmp_size != 0)
      grants.push_back({"/tmp", reading | writing});
  }
  return grants;
}

} // namespace bulkhead::platform
