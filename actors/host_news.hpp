#pragma once

#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/messages/host_event.hpp>

#include <string>

namespace bulkhead {

/// An event of a host whose state stays what it is. Loop thread.
host_event news_of(host_record const& host, host_event_kind kind, std::string detail);

} // namespace bulkhead
