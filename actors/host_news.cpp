#include <bulkhead/actors/host_news.hpp>

#include <utility>

namespace bulkhead {

host_event news_of(host_record const& host, host_event_kind kind, std::string detail) {
  auto const now = host.snapshot();
  host_event event;
  event.kind = kind;
  event.host = now.host;
  event.from = event.to = now.state;
  event.detail = std::move(detail);
  event.pid = now.pid;
  event.restarts = now.restarts;
  event.when = std::chrono::system_clock::now();
  if (now.state == host_state::Running) {
    event.sandbox = now.sandbox;
    event.start = now.start;
  }
  return event;
}

} // namespace bulkhead
