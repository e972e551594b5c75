#include <bulkhead/messages/payload.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <ostream>

namespace bulkhead {

payload::payload(json const& value)
    : text_{boost::json::serialize(value)} {}

json const& payload::value() const {
  if (!value_) {
    // The codec accepts what this parser's default depth does not.
    boost::json::parse_options options;
    options.max_depth = 64;
    value_ = boost::json::parse(text_, {}, options);
  }
  return *value_;
}

std::ostream& operator<<(std::ostream& out, payload const& p) {
  return out << p.text();
}

} // namespace bulkhead
