#include <bulkhead/messages/host_event.hpp>

namespace bulkhead {

std::string to_string(host_event const& event) {
  auto text = event.host + ": ";
  switch (event.kind) {
  case host_event_kind::state_changed:
    text += to_string(event.from);
    text += " -> ";
    text += to_string(event.to);
    text += " (";
    text += to_string(event.why);
    if (!event.detail.empty())
      text += ": " + event.detail;
    return text += ")";
  case host_event_kind::activated:
    return text += "activated" + (event.detail.empty() ? "" : ", " + event.detail);
  case host_event_kind::activation_failed:
    return text += "activation failed: " + event.detail;
  case host_event_kind::unresponsive:
    return text += "unresponsive: " + event.detail;
  case host_event_kind::responsive:
    return text += "responsive: " + event.detail;
  case host_event_kind::spare_ready:
    return text += "spare ready: " + event.detail;
  case host_event_kind::spare_lost:
    return text += "spare lost: " + event.detail;
  case host_event_kind::code_cached:
    return text += "code cached: " + event.detail;
  case host_event_kind::code_not_cached:
    return text += "code not cached: " + event.detail;
  }
  return text;
}

} // namespace bulkhead
