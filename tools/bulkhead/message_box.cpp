#include "message_box.hpp"

#include <bulkhead/platform/output_lines.hpp>

namespace bulkhead::tool {

void show_messages(runtime& hosts, std::function<void(std::string const&)> show) {
  hosts.on_request("window-show-message", [show = std::move(show)](request const& asked) {
    auto const* const members = asked.payload().if_object();
    auto const* const message = members ? members->if_contains("message") : nullptr;
    if (!message || !message->is_string())
      throw request_error{"invalid_payload", "window-show-message takes {\"message\": TEXT}"};
    show(std::string{asked.host()} + ": " + platform::escape_line(message->get_string()));
  });
}

} // namespace bulkhead::tool
