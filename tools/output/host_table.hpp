#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/host_event.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

struct table_style {
  bool colours = false;
  /// Longer lines are cut, as one that wraps would throw the cursor off; 0: none is.
  std::size_t columns = 0;
  /// Of hosts; further ones are counted in a last line. 0: all are shown.
  std::size_t most_hosts = 0;
};

/// `bulkhead 0.1.0 · policy P · 3 hosts · contained: strong`.
std::string headline(policy const& what, std::string_view policy_path);

/// One line of headings and one for each host, without line ends. What comes from an extension is
/// escaped.
std::vector<std::string> host_table(std::span<host_status const> hosts,
                                    std::chrono::system_clock::time_point now,
                                    table_style const& style = {});

/// "0:07", "12:03", "1:00:00".
std::string uptime_text(std::chrono::system_clock::duration time);

} // namespace bulkhead::tool
