#include <bulkhead/platform/secret_backend.hpp>

#include <bulkhead/messages/frame_scanner.hpp>

namespace bulkhead::platform {
namespace {

/// C0, DEL and C1 (U+0080 to U+009F, which UTF-8 writes as C2 80 to C2 9F).
bool begins_with_control(std::string_view text) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  return byte(0) < 0x20 || byte(0) == 0x7f ||
         (byte(0) == 0xc2 && text.size() > 1 && byte(1) < 0xa0);
}

bool is_plain_text(std::string_view text) noexcept {
  while (!text.empty()) {
    if (begins_with_control(text))
      return false;
    auto const is_ascii = static_cast<unsigned char>(text.front()) < 0x80;
    auto const length = is_ascii ? 1 : wire::utf8_length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

result<void> check(std::string_view text, std::string const& what) {
  if (!text.empty() && text.size() <= max_secret_name && is_plain_text(text))
    return {};
  return error{errc::invalid_payload, what + " must be UTF-8 text of 1 to " +
                                          std::to_string(max_secret_name) +
                                          " bytes without control characters"};
}

} // namespace

result<void> check(secret_scope const& scope) {
  if (auto const runtime = check(scope.runtime, "the runtime of a secret"); !runtime)
    return runtime;
  return check(scope.host, "the host of a secret");
}

result<void> check(secret_name const& name) {
  if (auto const scope = check(name.scope); !scope)
    return scope;
  return check(name.key, "the key of a secret");
}

result<void> check(secret_name const& name, std::string_view value) {
  if (auto const named = check(name); !named)
    return named;
  if (value.size() > max_secret_value)
    return error{errc::secret_too_large, "the value has " + std::to_string(value.size()) +
                                             " bytes, and a secret at most " +
                                             std::to_string(max_secret_value)};
  return {};
}

result<void> check(secret_limits const& limits, std::size_t keys, std::size_t bytes) {
  if (keys > limits.keys)
    return error{errc::limit_exceeded, "the host holds " + std::to_string(limits.keys) +
                                           " secrets already, which is the most"};
  if (bytes > limits.bytes)
    return error{errc::limit_exceeded, "the host's secrets would take more than " +
                                           std::to_string(limits.bytes) + " bytes altogether"};
  return {};
}

} // namespace bulkhead::platform
