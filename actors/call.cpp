#include <bulkhead/actors/call.hpp>

namespace bulkhead {

result<json> command_result(payload const& reply) {
  auto const* const members = reply.value().if_object();
  auto const* const success = members ? members->if_contains("success") : nullptr;
  if (!success || !success->is_bool() || !success->get_bool())
    return error{errc::remote_error, "the extension did not say that the command succeeded"}
        .with_message_type("executeCommand");
  auto const* const value = members->if_contains("result");
  return value ? *value : json{};
}

} // namespace bulkhead
