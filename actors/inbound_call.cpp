#include <bulkhead/actors/inbound_call.hpp>

#include <bulkhead/actors/host_link.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>

namespace bulkhead {

inbound_call::inbound_call(inbound_batch_ptr batch, std::size_t index,
                           std::weak_ptr<host_link> link, std::shared_ptr<void> counted) noexcept
    : batch_{std::move(batch)}
    , index_{index}
    , link_{std::move(link)}
    , counted_{std::move(counted)} {}

json const& inbound_call::payload() const {
  if (!value_)
    value_ = bulkhead::payload{std::string{payload_text()}}.value();
  return *value_;
}

void inbound_call::reply(json const& value) {
  if (!link_.expired())
    reply_text(boost::json::serialize(value));
}

void inbound_call::reply_text(std::string_view text) {
  if (auto const link = std::exchange(link_, {}).lock())
    link->reply(*this, text);
}

void inbound_call::reply(json const& value, shared_bytes attachment) {
  if (auto const link = std::exchange(link_, {}).lock())
    link->reply(*this, boost::json::serialize(value), std::move(attachment));
}

bool inbound_call::takes_attachments() const noexcept {
  auto const link = link_.lock();
  return link && link->takes_attachments();
}

void inbound_call::fail(errc code, std::string_view text,
                        std::initializer_list<wire::error_member> more) {
  fail(to_string(code), text, more);
}

void inbound_call::fail(std::string_view code, std::string_view text,
                        std::initializer_list<wire::error_member> more) {
  if (auto const link = std::exchange(link_, {}).lock())
    link->reply_error(*this, code, text, more);
}

void inbound_call::refuse() {
  auto const say = [&](errc code) { fail(code, describe(code).sentence); };
  switch (decision()) {
  case verdict::rate_limited:
    return fail(errc::rate_limited, describe(errc::rate_limited).sentence,
                {{"retry_after_ms", std::to_string(batch_->retry_after_ms(index_))}});
  case verdict::path_denied:
    return say(errc::path_denied);
  case verdict::path_invalid:
    return fail(errc::invalid_payload, "a path is missing, or is no path");
  case verdict::audit_unavailable:
    return say(errc::audit_unavailable);
  default:
    break;
  }
  if (std::string const missing{batch_->missing(index_)}; !missing.empty())
    return fail(errc::permission_denied, "the extension lacks the permission " + missing,
                {{"permission", '"' + missing + '"'}});
  fail(errc::permission_denied, "no permission is defined for requests of this type");
}

void inbound_call::progress(json const& value) {
  if (auto const link = link_.lock())
    link->reply_partial(*this, boost::json::serialize(value));
}

void inbound_call::cancel() {
  if (!std::exchange(cancelled_, true))
    cancellation_.emit(boost::asio::cancellation_type::terminal);
}

void inbound_call::abandon() {
  link_.reset();
  cancel();
}

} // namespace bulkhead
