#include "output/event_line.hpp"

#include <bulkhead/platform/output_lines.hpp>

#include <ctime>
#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {
namespace {

std::string_view name_of(host_event_kind kind) noexcept {
  switch (kind) {
  case host_event_kind::state_changed:
    return "state_changed";
  case host_event_kind::activated:
    return "activated";
  case host_event_kind::activation_failed:
    return "activation_failed";
  case host_event_kind::unresponsive:
    return "unresponsive";
  case host_event_kind::responsive:
    return "responsive";
  case host_event_kind::spare_ready:
    return "spare_ready";
  case host_event_kind::spare_lost:
    return "spare_lost";
  case host_event_kind::code_cached:
    return "code_cached";
  case host_event_kind::code_not_cached:
    return "code_not_cached";
  }
  return "unknown";
}

} // namespace

std::string time_text(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  auto const second = floor<seconds>(when);
  auto const since_epoch = system_clock::to_time_t(second);
  std::tm parts{};
  ::gmtime_r(&since_epoch, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     duration_cast<milliseconds>(when - second).count());
}

std::string event_line(host_event const& event) {
  auto line = time_text(event.when) + ' ' + platform::escape_line(to_string(event));
  if (event.pid != 0)
    line += ", pid " + std::to_string(event.pid);
  return line;
}

json event_json(host_event const& event, host_status const& now) {
  boost::json::object line{{"time", time_text(event.when)},
                           {"event", name_of(event.kind)},
                           {"host", event.host},
                           {"from", to_string(event.from)},
                           {"to", to_string(event.to)},
                           {"reason", to_string(event.why)},
                           {"reason_code", static_cast<int>(event.why)},
                           {"detail", event.detail},
                           {"pid", event.pid},
                           {"restarts", event.restarts},
                           {"warm_starts", now.warm_starts},
                           {"cold_starts", now.cold_starts},
                           {"spares", now.spares},
                           {"spares_lost", now.spares_lost},
                           {"code_cached", now.code_cached}};
  if (event.to == host_state::Running && event.kind == host_event_kind::state_changed) {
    line["sandbox"] = to_json(event.sandbox);
    line["start"] = to_json(event.start);
  }
  if (event.kind == host_event_kind::activated)
    line["start"] = to_json(event.start);
  return line;
}

json usage_json(usage_report const& report) {
  return {{"time", time_text(std::chrono::system_clock::now())},
          {"event", "usage"},
          {"host", report.host.empty() ? json(nullptr) : json(report.host)},
          {"at_exit", report.at_exit},
          {"usage", to_json(report.usage)}};
}

} // namespace bulkhead::tool
