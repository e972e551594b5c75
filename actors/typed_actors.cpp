#include <bulkhead/actors/typed_actors.hpp>

#include <bulkhead/messages/error.hpp>

namespace bulkhead {

typed_actors::host_actors const& typed_actors::find(std::string_view host) const {
  auto const found = hosts_.find(host);
  if (found == hosts_.end())
    throw error{errc::unknown_host}.with_host(std::string{host});
  return found->second;
}

void add_message_types(caf::actor_system_config& config) {
  config.add_message_type<host_signal>("bulkhead::host_signal");
  config.add_message_type<host_event>("bulkhead::host_event");
  config.add_message_type<host_status>("bulkhead::host_status");
  config.add_message_type<host_state>("bulkhead::host_state");
  config.add_message_type<reason>("bulkhead::reason");
  add_error_category(config);
}

} // namespace bulkhead
