#include <bulkhead/platform/linux/cgroup_layout.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>

namespace bulkhead::platform {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    auto const end = std::min(text.find(separator), text.size());
    if (end > 0)
      parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// The kernel writes a space, a tab, a newline and a backslash as a backslash and three octal
/// digits.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto const digits = text.substr(at + 1, 3);
    auto const is_octal = [](char c) { return c >= '0' && c <= '7'; };
    if (text[at] == '\\' && digits.size() == 3 && std::ranges::all_of(digits, is_octal)) {
      plain += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + digits[2] - '0');
      at += digits.size();
    } else {
      plain += text[at];
    }
  }
  return plain;
}

struct mount {
  std::string_view type;
  std::string shown; ///< which directory of the hierarchy is mounted
  fs::path point;
  std::vector<std::string_view> options;
};

/// `36 35 98:0 /shown /point rw,noatime master:1 - type source options`
std::optional<mount> parse_mount(std::string_view line) {
  constexpr std::size_t shown = 3, point = 4;
  auto const fields = split(line, ' ');
  auto const mark = std::ranges::find(fields, "-");
  if (mark - fields.begin() <= static_cast<std::ptrdiff_t>(point) || fields.end() - mark < 4)
    return {};
  return mount{mark[1], unescaped(fields[shown]), unescaped(fields[point]), split(mark[3], ',')};
}

struct membership {
  std::vector<std::string_view> controllers; ///< none: version 2
  std::string_view path;
};

/// `4:memory:/path`, or `0::/path`
std::optional<membership> parse_membership(std::string_view line) {
  auto const first = line.find(':');
  auto const second = first == line.npos ? first : line.find(':', first + 1);
  if (second == line.npos)
    return {};
  return membership{split(line.substr(first + 1, second - first - 1), ','),
                    line.substr(second + 1)};
}

/// In a container without a cgroup namespace the path starts at a root that is not mounted.
fs::path directory_of(std::string_view path, mount const& where) {
  auto const prefix = where.shown == "/" ? std::string_view{} : std::string_view{where.shown};
  if (!path.starts_with(prefix))
    return where.point;
  path.remove_prefix(prefix.size());
  auto const below = fs::path{path}.relative_path();
  return below.empty() ? where.point : where.point / below;
}

std::optional<std::string> content_of(char const* path) {
  std::ifstream file{path};
  if (!file)
    return {};
  return std::string{std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

std::vector<cgroup_hierarchy> parse_cgroups(std::string_view mounts, std::string_view own) {
  std::vector<membership> memberships;
  for (auto const line : split(own, '\n'))
    if (auto parsed = parse_membership(line))
      memberships.push_back(*std::move(parsed));

  std::vector<cgroup_hierarchy> found;
  for (auto const line : split(mounts, '\n')) {
    auto const where = parse_mount(line);
    if (!where || (where->type != "cgroup" && where->type != "cgroup2"))
      continue;
    auto const unified = where->type == "cgroup2";
    auto const is_this = [&](membership const& in) {
      return unified ? in.controllers.empty()
                     : !in.controllers.empty() &&
                           std::ranges::find(where->options, in.controllers.front()) !=
                               where->options.end();
    };
    auto const in = std::ranges::find_if(memberships, is_this);
    auto const is_known = [&](cgroup_hierarchy const& other) {
      return other.unified == unified && std::ranges::equal(other.controllers, in->controllers);
    };
    // One that is mounted twice counts once.
    if (in != memberships.end() && std::ranges::none_of(found, is_known))
      found.push_back({where->point,
                       directory_of(in->path, *where),
                       {in->controllers.begin(), in->controllers.end()},
                       unified});
  }
  std::ranges::stable_partition(found, &cgroup_hierarchy::unified);
  return found;
}

result<std::vector<cgroup_hierarchy>> find_cgroups() {
  auto const mounts = content_of("/proc/self/mountinfo");
  auto const own = content_of("/proc/self/cgroup");
  if (!mounts || !own)
    return error{errc::cgroup_unavailable, "can't read /proc/self/cgroup", "mount /proc"};
  return parse_cgroups(*mounts, *own);
}

} // namespace bulkhead::platform
