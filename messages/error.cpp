#include <bulkhead/messages/error.hpp>

namespace bulkhead {

error::error(errc code, std::string detail, std::string remedy)
    : code_{code}
    , detail_{detail.empty() ? std::string{describe(code).sentence} : std::move(detail)}
    , remedy_{remedy.empty() ? std::string{describe(code).remedy} : std::move(remedy)} {
  refresh();
}

error&& error::refresh() {
  text_.clear();
  if (!host_.empty())
    text_ += host_ + ": ";
  if (!message_type_.empty())
    text_ += message_type_ + ": ";
  text_ += detail_ + " (" + std::string{to_string(code_)} + ", " +
           std::to_string(static_cast<int>(code_));
  if (!remote_code_.empty())
    text_ += "; " + remote_code_;
  if (host_reason_ != reason::none)
    text_ += "; " + std::string{to_string(host_reason_)};
  text_ += ")";
  if (!remedy_.empty())
    text_ += " - " + remedy_;
  return std::move(*this);
}

} // namespace bulkhead
