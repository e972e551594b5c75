#pragma once

namespace bulkhead::launcher {

/// Closes every descriptor but these, which are in ascending order. False with errno where the
/// kernel refuses.
bool close_all_but(int const* kept, int count) noexcept;

/// Two connected ends of packets; both are closed on exec. Negative with errno on failure.
int make_rope(int (&ends)[2]) noexcept;

} // namespace bulkhead::launcher
