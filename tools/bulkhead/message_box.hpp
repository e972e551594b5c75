#pragma once

#include <bulkhead/runtime.hpp>

#include <functional>
#include <string>

namespace bulkhead::tool {

/// The one request of extensions that the command itself handles: `window-show-message` with
/// {"message": TEXT}, from hosts that the policy allows it. `show` gets `HOST: TEXT`, escaped, on
/// the loop's thread.
void show_messages(runtime& hosts, std::function<void(std::string const&)> show);

} // namespace bulkhead::tool
