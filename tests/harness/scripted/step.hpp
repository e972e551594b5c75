#pragma once

#include <bulkhead/harness/program/orders.hpp>
#include <bulkhead/messages/json.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

namespace bulkhead::testing {

/// One thing that a scripted host does.
struct script_step {
  struct answer {
    std::string_view suffix; ///< of the reply's type
    std::function<json(json const& asked)> make;
    bool is_result; ///< and so stands inside of a command's reply
  };
  struct request {
    std::string type;
    json payload;
  };
  struct order {
    orders::order what;
    std::string body;
  };
  struct pause {
    std::chrono::milliseconds length;
  };

  std::variant<answer, request, order, pause> what;
};

/// One frame with its prefix.
std::string make_frame(std::string_view id, std::string_view type, json const& payload);

} // namespace bulkhead::testing
