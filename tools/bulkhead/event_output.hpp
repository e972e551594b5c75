#pragma once

#include <bulkhead/runtime.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace bulkhead::tool {

/// How `bulkhead run` shows what happens. All of it on the loop's thread.
class event_output {
public:
  virtual ~event_output() = default;
  /// Where logs go so that they don't disturb what is shown.
  virtual std::shared_ptr<spdlog::logger> log(policy const& rules) = 0;
  virtual void serving(runtime& hosts, std::string_view policy_path) = 0;
  virtual void happened(host_event const& event) = 0;
  /// Once a second.
  virtual void second_passed() {}
  /// Every host is stopped.
  virtual void ended() = 0;
};

/// A table on a terminal, else a line for each event; with `as_json` an object for each.
std::unique_ptr<event_output> make_event_output(bool as_json);

} // namespace bulkhead::tool
