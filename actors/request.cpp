#include <bulkhead/actors/request.hpp>

#include <bulkhead/actors/inbound_call.hpp>

namespace bulkhead {

request::request(std::shared_ptr<inbound_call> call) noexcept
    : call_{std::move(call)} {}

std::string_view request::host() const noexcept {
  return call_->host();
}
std::string_view request::type() const noexcept {
  return call_->type();
}

std::string_view request::traceparent() const noexcept {
  return call_->traceparent();
}
json const& request::payload() const {
  return call_->payload();
}
std::string_view request::payload_text() const noexcept {
  return call_->payload_text();
}
bool request::is_cancelled() const noexcept {
  return call_->is_cancelled();
}
void request::progress(json const& so_far) const {
  call_->progress(so_far);
}

} // namespace bulkhead
