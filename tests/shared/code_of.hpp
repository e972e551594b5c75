#pragma once

#include <bulkhead/messages/error.hpp>

namespace bulkhead::testing {

inline constexpr auto no_error = errc{};

/// The code with which something failed; no_error where it did not.
template <class T>
errc code_of(result<T> const& ended) {
  return ended ? no_error : ended.error().code();
}

} // namespace bulkhead::testing
