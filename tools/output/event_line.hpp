#pragma once

#include <bulkhead/messages/host_event.hpp>
#include <bulkhead/messages/json.hpp>

#include <chrono>
#include <string>

namespace bulkhead::tool {

/// UTC, with milliseconds: `2026-02-03T04:05:06.789Z`.
std::string time_text(std::chrono::system_clock::time_point when);

/// `2026-02-03T04:05:06.789Z greeter: Starting -> Running (ready), pid 412`; escaped.
std::string event_line(host_event const& event);

/// The event with the members that `bulkhead run --help` lists; `now` is its host as it stands.
json event_json(host_event const& event, host_status const& now);

/// What a host uses; the host of the sum over all of them is null.
json usage_json(usage_report const& report);

} // namespace bulkhead::tool
