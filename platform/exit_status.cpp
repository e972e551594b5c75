#include <bulkhead/platform/exit_status.hpp>

#include <string.h>

namespace bulkhead::platform {

std::string to_string(exit_status const& status) {
  switch (status.kind) {
  case exit_kind::exited:
    return "exit code " + std::to_string(status.value);
  case exit_kind::signaled: {
    auto const* const name = ::sigabbrev_np(status.value);
    return "signal " + (name ? "SIG" + std::string{name} : std::to_string(status.value)) +
           (status.core_dumped ? ", core dumped" : "");
  }
  case exit_kind::not_started:
    return "never ran: its launch failed at step " + std::to_string(status.value);
  case exit_kind::unknown:
    break;
  }
  return "unknown exit status";
}

} // namespace bulkhead::platform
