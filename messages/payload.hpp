#pragma once

#include <bulkhead/messages/json.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bulkhead {

/// The payload of a message, kept as the bytes that came until somebody asks for the value. Holds
/// valid JSON text always.
class payload {
public:
  /// JSON null.
  payload() = default;
  /// `text` must be valid JSON; it is not checked again.
  explicit payload(std::string text) noexcept
      : text_{std::move(text)} {}
  /// Serialises at once.
  payload(json const& value);

  /// The JSON text as it came.
  std::string_view text() const noexcept { return text_; }
  /// The parsed value; parsed at the first call. Not thread-safe on one and the same object.
  json const& value() const;

  friend std::ostream& operator<<(std::ostream& out, payload const& p);

private:
  std::string text_ = "null";
  mutable std::optional<json> value_;
};

} // namespace bulkhead
