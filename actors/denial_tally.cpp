#include <bulkhead/actors/denial_tally.hpp>

#include <utility>

namespace bulkhead {
namespace {

/// A flood then costs the log a line a second, and a reader still sees when it began and ended.
constexpr std::chrono::seconds tally_time{1};

} // namespace

void denial_tally::add(std::string const& host, std::string_view type, std::uint64_t refused,
                       clock::time_point now, audit_records& into) {
  auto& counted = hosts_[host];
  counted.count += refused;
  counted.type = type;
  if (now - counted.recorded >= tally_time || now < counted.recorded)
    record(host, counted, now, into);
}

void denial_tally::forget(std::string const& host, clock::time_point now, audit_records& into) {
  auto const found = hosts_.find(host);
  if (found == hosts_.end())
    return;
  if (found->second.count != 0)
    record(host, found->second, now, into);
  hosts_.erase(found);
}

void denial_tally::forget_all(clock::time_point now, audit_records& into) {
  while (!hosts_.empty())
    forget(std::string{hosts_.begin()->first}, now, into);
}

void denial_tally::record(std::string const& host, entry& counted, clock::time_point now,
                          audit_records& into) {
  audit_record made;
  made.time = now;
  made.host = host;
  made.what = counted.type;
  made.rule = "rate_limit";
  made.outcome = audit_outcome::denied;
  made.code = errc::rate_limited;
  made.count = std::exchange(counted.count, 0);
  into.push_back(std::move(made));
  counted.recorded = now;
}

} // namespace bulkhead
