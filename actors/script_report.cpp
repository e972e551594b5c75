#include <bulkhead/actors/script_report.hpp>

#include <bulkhead/messages/payload.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {
namespace {

json const* member_of(json const* value, std::string_view key) {
  auto const* const object = value ? value->if_object() : nullptr;
  return object ? object->if_contains(key) : nullptr;
}

} // namespace

bool is_script_name(std::string_view name) noexcept {
  constexpr std::size_t most = longest_script_name * 3;
  if (name.empty() || name.size() > most || name.find('\0') != name.npos)
    return false;
  for (;;) {
    auto const end = std::min(name.find('/'), name.size());
    auto const part = name.substr(0, end);
    if (part.empty() || part == "." || part == "..")
      return false;
    if (end == name.size())
      return true;
    name.remove_prefix(end + 1);
  }
}

script_report read_script_report(std::string_view answer) {
  script_report read;
  if (answer.size() > longest_script_report)
    return read;
  payload const whole{std::string{answer}};
  auto const* const code = member_of(&whole.value(), "code");
  if (auto const* const used = member_of(code, "used"); used && used->is_int64())
    read.used = static_cast<std::uint32_t>(
        std::clamp(used->as_int64(), std::int64_t{0}, std::int64_t{most_scripts}));
  auto const* const loaded = member_of(code, "loaded");
  if (!loaded || !loaded->is_array())
    return read;
  for (auto const& each : loaded->as_array())
    if (auto const* const name = each.if_string();
        name && read.loaded.size() < most_scripts && is_script_name(*name))
      read.loaded.emplace_back(*name);
  return read;
}

} // namespace bulkhead
