#include "output/host_table.hpp"

#include <bulkhead/platform/output_lines.hpp>

#include <algorithm>
#include <array>
#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {
namespace {

constexpr std::size_t column_count = 10;
using row = std::array<std::string, column_count>;
using widths = std::array<std::size_t, column_count>;

/// Wide enough for what mostly comes (the longest state, a pid, minutes of uptime), so that columns
/// don't jump while hosts start and stop.
constexpr widths least_widths{0, 10, 5, 4, 0, 7, 4, 0, 0, 0};
constexpr std::string_view nothing = "–";
constexpr std::string_view gap = "  ";

bool begins_character(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

/// In characters, each of which is taken to be one column wide.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string cut(std::string text, std::size_t columns) {
  if (columns == 0 || width_of(text) <= columns)
    return text;
  std::size_t kept = 0;
  for (std::size_t seen = 0; kept < text.size(); ++kept)
    if (begins_character(text[kept]) && ++seen == columns)
      break;
  return text.substr(0, kept) + "…";
}

std::string_view colour_of(host_state state) noexcept {
  switch (state) {
  case host_state::Running:
    return "\x1b[32m"; // green
  case host_state::Starting:
  case host_state::Restarting:
  case host_state::Stopping:
    return "\x1b[33m"; // yellow
  case host_state::Unhealthy:
  case host_state::Crashed:
    return "\x1b[31m"; // red
  case host_state::Stopped:
    break;
  }
  return "\x1b[2m"; // dim
}

constexpr std::string_view colour_end = "\x1b[0m";

std::string last_reason(host_status const& host, std::chrono::system_clock::time_point now) {
  if (host.unresponsive_since != std::chrono::system_clock::time_point{})
    return "no answer for " + uptime_text(now - host.unresponsive_since);
  if (host.last_end == reason::none)
    return std::string{nothing};
  return host.last_end_detail.empty() ? std::string{to_string(host.last_end)}
                                      : platform::escape_line(host.last_end_detail);
}

row row_of(host_status const& host, std::chrono::system_clock::time_point now) {
  auto const is_up = host.running_since != std::chrono::system_clock::time_point{};
  return {host.host,
          std::string{to_string(host.state)},
          host.pid == 0 ? std::string{nothing} : std::to_string(host.pid),
          is_up ? uptime_text(now - host.running_since) : std::string{nothing},
          is_up ? std::string{to_string(host.sandbox.tier)} : std::string{nothing},
          is_up ? fmt::format("{:.1f} MB", static_cast<double>(host.usage.memory) / 1e6)
                : std::string{nothing},
          is_up ? fmt::format("{:.0f} %", host.usage.cpu_percent) : std::string{nothing},
          std::to_string(host.restarts),
          std::to_string(host.requests),
          last_reason(host, now)};
}

std::string line_of(row const& cells, widths const& wide, std::size_t columns) {
  std::string line = " ";
  for (std::size_t i = 0; i + 1 < column_count; ++i) {
    line += cells[i];
    line.append(wide[i] - width_of(cells[i]), ' ');
    line += gap;
  }
  return cut(line + cells.back(), columns);
}

void colour_state(std::string& line, host_state state, widths const& wide) {
  auto const begin = 1 + wide[0] + gap.size(); // the names are ASCII
  auto const name = to_string(state);
  if (line.compare(begin, name.size(), name) != 0)
    return; // cut off
  line.insert(begin + name.size(), colour_end);
  line.insert(begin, colour_of(state));
}

/// "strong", or "2 strong, 1 none".
std::string required_tiers(policy const& what) {
  std::string text;
  for (auto const tier : {sandbox_tier::strong, sandbox_tier::basic, sandbox_tier::none}) {
    auto const count = std::ranges::count_if(
        what.hosts, [&](auto const& host) { return host.sandbox.require == tier; });
    if (count == std::ssize(what.hosts))
      return std::string{to_string(tier)};
    if (count != 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, to_string(tier));
  }
  return text;
}

} // namespace

std::string headline(policy const& what, std::string_view policy_path) {
  return fmt::format("bulkhead {} · policy {} · {} host{} · contained: {}", BULKHEAD_VERSION,
                     policy_path, what.hosts.size(), what.hosts.size() == 1 ? "" : "s",
                     required_tiers(what));
}

std::vector<std::string> host_table(std::span<host_status const> hosts,
                                    std::chrono::system_clock::time_point now,
                                    table_style const& style) {
  auto const shown =
      style.most_hosts == 0 ? hosts.size() : std::min(hosts.size(), style.most_hosts);
  std::vector<row> rows{{"host", "state", "pid", "up", "contained", "memory", "cpu", "restarts",
                         "requests", "last reason"}};
  for (auto const& host : hosts.first(shown))
    rows.push_back(row_of(host, now));

  auto wide = least_widths;
  for (auto const& cells : rows)
    for (std::size_t i = 0; i < column_count; ++i)
      wide[i] = std::max(wide[i], width_of(cells[i]));

  std::vector<std::string> lines;
  for (auto const& cells : rows)
    lines.push_back(line_of(cells, wide, style.columns));
  if (style.colours)
    for (std::size_t i = 0; i < shown; ++i)
      colour_state(lines[i + 1], hosts[i].state, wide);
  if (shown < hosts.size())
    lines.push_back(fmt::format(" … and {} more", hosts.size() - shown));
  return lines;
}

std::string uptime_text(std::chrono::system_clock::duration time) {
  using namespace std::chrono;
  // A clock that was set back must not show a negative time.
  auto const seconds = std::max<std::int64_t>(0, duration_cast<std::chrono::seconds>(time).count());
  auto const minutes = seconds / 60;
  if (minutes < 60)
    return fmt::format("{}:{:02}", minutes, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, seconds % 60);
}

} // namespace bulkhead::tool
