#include <bulkhead/platform/linux/process_usage.hpp>

#include <bulkhead/platform/unique_fd.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <iterator>
#include <memory>
#include <poll.h>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>

namespace bulkhead::platform {
namespace {

using std::chrono::microseconds;

/// More than any /proc/PID/stat, and than a smaps_rollup.
constexpr std::size_t max_text = 4096;

struct process_record {
  pid_t parent = 0;
  std::uint64_t ticks = 0;   ///< clock ticks of CPU time
  std::uint64_t started = 0; ///< clock ticks since the machine's start
  std::uint64_t pages = 0;
  std::uint32_t threads = 0;
};

using process_table = std::unordered_map<pid_t, process_record>;
using directory_stream = std::unique_ptr<DIR, int (*)(DIR*)>;

directory_stream open_stream(unique_fd folder) {
  directory_stream stream{folder ? ::fdopendir(folder.get()) : nullptr, &::closedir};
  if (stream)
    folder.release();
  return stream;
}

std::string read_text(int folder, std::string const& file) {
  unique_fd const opened{::openat(folder, file.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string text(max_text, '\0');
  auto const got = opened ? ::read(opened.get(), text.data(), text.size()) : 0;
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

/// proc(5): the fields of /proc/PID/stat behind the name, which may hold anything but ends with the
/// last parenthesis.
std::optional<process_record> parse_stat(std::string_view text) {
  constexpr std::size_t parent = 1, first_time = 11, last_time = 14, threads = 17, started = 19,
                        pages = 21, needed = 22;
  auto const name_end = text.rfind(')');
  if (name_end == text.npos || name_end + 4 > text.size())
    return {};
  std::array<std::uint64_t, needed> fields{};
  // The state is a letter: its field stays 0.
  auto const* at = text.data() + name_end + 4;
  auto const* const end = text.data() + text.size();
  for (std::size_t field = 1; field < needed; ++field) {
    std::int64_t number = 0;
    auto const parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc{} || parsed.ptr == end)
      return {};
    fields[field] = static_cast<std::uint64_t>(number);
    at = parsed.ptr + 1;
  }
  process_record record;
  record.parent = static_cast<pid_t>(fields[parent]);
  for (auto field = first_time; field <= last_time; ++field)
    record.ticks += fields[field];
  record.threads = static_cast<std::uint32_t>(fields[threads]);
  record.started = fields[started];
  record.pages = fields[pages];
  return record;
}

std::optional<pid_t> parse_process(std::string_view name) {
  pid_t process = 0;
  auto const [end, failed] = std::from_chars(name.data(), name.data() + name.size(), process);
  if (failed != std::errc{} || end != name.data() + name.size())
    return {};
  return process;
}

process_table read_table(DIR* stream) {
  process_table table;
  while (auto const* const entry = ::readdir(stream))
    if (auto const process = parse_process(entry->d_name))
      if (auto const record =
              parse_stat(read_text(::dirfd(stream), std::string{entry->d_name} + "/stat")))
        table.emplace(*process, *record);
  return table;
}

/// Since Linux 6.2 the folder's size; before, its entries are counted.
std::uint32_t count_open_files(int processes, std::string const& process) {
  unique_fd folder{
      ::openat(processes, (process + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  struct stat seen;
  if (folder && ::fstat(folder.get(), &seen) == 0 && seen.st_size > 0)
    return static_cast<std::uint32_t>(seen.st_size);
  std::uint32_t count = 0;
  if (auto const stream = open_stream(std::move(folder)))
    while (auto const* const entry = ::readdir(stream.get()))
      if (entry->d_name[0] != '.')
        ++count;
  return count;
}

bool has_ended(int pidfd) noexcept {
  pollfd waiting{pidfd, POLLIN, 0};
  return ::poll(&waiting, 1, 0) != 0;
}

/// Ancestors before descendants. A child whose number was given away while the table was read would
/// be older than its parent.
std::unordered_multimap<pid_t, pid_t> children_of(process_table const& table) {
  std::unordered_multimap<pid_t, pid_t> children;
  for (auto const& [process, record] : table)
    if (auto const parent = table.find(record.parent);
        parent != table.end() && parent->second.started <= record.started)
      children.emplace(record.parent, process);
  return children;
}

} // namespace

std::vector<std::optional<process_usage>> usage_of(std::span<observed_process const> observed) {
  static auto const page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  static auto const ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  std::vector<std::optional<process_usage>> usages(observed.size());
  auto const stream = open_stream(unique_fd{::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)});
  if (!stream)
    return usages;
  auto const table = read_table(stream.get());
  auto const children = children_of(table);
  for (std::size_t i = 0; i < observed.size(); ++i) {
    process_usage usage;
    std::uint64_t ticks = 0;
    std::vector<pid_t> tree{observed[i].process};
    while (!tree.empty()) {
      auto const process = tree.back();
      tree.pop_back();
      auto const found = table.find(process);
      if (found == table.end())
        continue;
      usage.memory += found->second.pages * page_size;
      usage.threads += found->second.threads;
      usage.open_files += count_open_files(::dirfd(stream.get()), std::to_string(process));
      ++usage.processes;
      ticks += found->second.ticks;
      auto const [first, last] = children.equal_range(process);
      std::transform(first, last, std::back_inserter(tree),
                     [](auto const& child) { return child.second; });
    }
    usage.cpu_time =
        microseconds{ticks * microseconds{std::chrono::seconds{1}}.count() / ticks_per_second};
    // Still alive: its number was its own all the time.
    if (usage.processes > 0 && !has_ended(observed[i].pidfd))
      usages[i] = usage;
  }
  return usages;
}

std::uint32_t open_files_of(pid_t process) {
  return count_open_files(AT_FDCWD, "/proc/" + std::to_string(process));
}

std::optional<std::uint64_t> proportional_memory(observed_process const& observed) {
  auto const text =
      read_text(AT_FDCWD, "/proc/" + std::to_string(observed.process) + "/smaps_rollup");
  if (has_ended(observed.pidfd))
    return {};
  std::istringstream words{text};
  for (std::string word; words >> word;)
    if (std::uint64_t kibibytes = 0; word == "Pss:" && words >> kibibytes)
      return kibibytes * 1024;
  return {};
}

} // namespace bulkhead::platform
