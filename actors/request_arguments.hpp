#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/payload.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace bulkhead {

/// The members of a request's payload. One that is missing, or of another type than is asked for,
/// is as good as none. What it returns is valid as long as the object.
class request_arguments {
public:
  explicit request_arguments(std::string const& text)
      : payload_{text} {}

  json const* find(std::string_view name) const {
    auto const* const members = payload_.value().if_object();
    return members ? members->if_contains(name) : nullptr;
  }
  bool flag(std::string_view name, bool otherwise) const {
    auto const* const found = find(name);
    return found && found->is_bool() ? found->get_bool() : otherwise;
  }
  std::optional<std::string_view> text(std::string_view name) const {
    auto const* const found = find(name);
    if (!found || !found->is_string())
      return std::nullopt;
    return std::string_view{found->get_string()};
  }

private:
  payload payload_;
};

/// That a payload does not hold what the request needs.
inline error invalid_argument(std::string_view sentence) {
  return error{errc::invalid_payload, std::string{sentence}};
}

} // namespace bulkhead
