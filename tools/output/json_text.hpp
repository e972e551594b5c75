#pragma once

#include <bulkhead/messages/json.hpp>

#include <string>

namespace bulkhead::tool {

/// JSON on one line. Numbers look as one would write them (0.5), where Boost writes 5E-1.
std::string json_text(json const& value);

} // namespace bulkhead::tool
