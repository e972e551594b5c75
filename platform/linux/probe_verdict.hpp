#pragma once

#include <bulkhead/platform/machine_report.hpp>

#include <utility>

namespace bulkhead::platform {

/// How each probe ends.
inline mechanism held(mechanism what, std::string how) {
  what.holds = true;
  what.detail = std::move(how);
  return what;
}

inline mechanism not_held(mechanism what, std::string why, std::string remedy) {
  what.detail = std::move(why);
  what.remedy = std::move(remedy);
  return what;
}

} // namespace bulkhead::platform
