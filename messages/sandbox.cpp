#include <bulkhead/messages/sandbox.hpp>

#include <utility>

namespace bulkhead {

std::string_view to_string(sandbox_tier tier) noexcept {
  switch (tier) {
  case sandbox_tier::none:
    return "none";
  case sandbox_tier::basic:
    return "basic";
  case sandbox_tier::strong:
    return "strong";
  }
  return "unknown";
}

json to_json(sandbox_report const& report) {
  boost::json::array layers;
  for (auto const& each : report.layers)
    layers.push_back({{"name", each.name}, {"holds", each.holds}, {"detail", each.detail}});
  return {{"tier", to_string(report.tier)}, {"layers", std::move(layers)}};
}

} // namespace bulkhead
