#pragma once

#include <bulkhead/messages/json.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What extensions/hostile tries, and what has to come of it.
namespace demo {

/// What came of one attack.
struct finding {
  std::string what;       ///< "reads the users' passwords"
  std::string code;       ///< what it was refused with, or what it got
  std::string stopped_by; ///< the layer; empty: nothing stopped it
};

/// Judges what the command "attack" returned: only the codes that a layer answers with count as
/// stopped. An attack that was left out, or that nobody here knows, is not stopped.
std::vector<finding> judge(bulkhead::json const& results);

} // namespace demo
