#pragma once

namespace bulkhead::platform {

/// Opens /dev/null in place of each of the descriptors 0 to 2 that is closed, so that nothing which
/// is opened later gets one of these numbers and is written to by a printf. Any thread.
void occupy_standard_streams() noexcept;

} // namespace bulkhead::platform
