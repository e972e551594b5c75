#include <bulkhead/messages/start_times.hpp>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace bulkhead {
namespace {

using duration = start_phases::duration;

constexpr std::array named_phases{
    std::pair{std::string_view{"prepare"}, &start_phases::prepare},
    std::pair{std::string_view{"spawn"}, &start_phases::spawn},
    std::pair{std::string_view{"sandbox"}, &start_phases::sandbox},
    std::pair{std::string_view{"runtime"}, &start_phases::runtime},
    std::pair{std::string_view{"handshake"}, &start_phases::handshake},
    std::pair{std::string_view{"activate"}, &start_phases::activate},
};

/// In milliseconds, with one digit behind the point.
std::string milliseconds_text(duration time) {
  std::array<char, 32> digits;
  auto const value = std::chrono::duration<double, std::milli>{time}.count();
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                 std::chars_format::fixed, 1)
                       .ptr;
  return {digits.data(), end};
}

} // namespace

start_phases phases_of(start_times const& times) noexcept {
  duration before{};
  auto const since_before = [&](duration reached) {
    if (reached == duration{})
      return duration{};
    return reached - std::exchange(before, reached);
  };
  start_phases phases;
  phases.prepare = since_before(times.prepared);
  phases.spawn = since_before(times.created);
  phases.sandbox = since_before(times.executed);
  phases.runtime = since_before(times.loaded);
  phases.handshake = since_before(times.ready);
  phases.activate = since_before(times.activated);
  return phases;
}

std::string to_string(start_phases const& phases) {
  duration whole{};
  std::string parts;
  for (auto const& [name, phase] : named_phases) {
    auto const took = phases.*phase;
    if (took == duration{})
      continue;
    whole += took;
    parts += (parts.empty() ? ": " : ", ") + std::string{name} + ' ' + milliseconds_text(took);
  }
  return milliseconds_text(whole) + " ms" + parts;
}

json to_json(start_times const& times) {
  boost::json::object parts;
  auto const phases = phases_of(times);
  for (auto const& [name, phase] : named_phases)
    parts[std::string{name} + "_us"] = (phases.*phase).count();
  return {{"warm", times.warm},
          {"prepared_us", times.prepared.count()},
          {"created_us", times.created.count()},
          {"staged_us", times.staged.count()},
          {"contained_us", times.contained.count()},
          {"executed_us", times.executed.count()},
          {"loaded_us", times.loaded.count()},
          {"ready_us", times.ready.count()},
          {"activated_us", times.activated.count()},
          {"phases", std::move(parts)}};
}

} // namespace bulkhead
