#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/audit_file.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::tool {

/// Records in a policy's audit log what its operator does by hand, in the chain of all other
/// records. A backend that runs may write to the same log: whoever comes second waits for the lock,
/// five seconds at the most. What can't be recorded is refused where the policy's audit.required
/// says so, else a warning on standard error.
class operator_audit {
public:
  /// Opens the log. Throws error where it can't be used and is required.
  explicit operator_audit(policy const& rules);

  /// Makes a change to what belongs to a host, on record as allowed before and as failed behind it
  /// where it fails. `what` names the change, `object` what is changed. Throws error, and then
  /// nothing was changed: the record's where it is required, else the change's own.
  template <class Change>
  auto change(std::string const& host, std::string_view what, std::string const& object,
              Change make) {
    audit_record record;
    record.host = host;
    record.what = what;
    record.object = object;
    record.rule = "the operator (bulkhead secrets)";
    append(record, required_);
    auto made = make();
    if (!made) {
      record.outcome = audit_outcome::failed;
      record.code = made.error().code();
      append(record, false);
    }
    return std::move(made).value();
  }

private:
  void append(audit_record& record, bool required);

  bool const required_;
  result<platform::audit_file> log_;
};

} // namespace bulkhead::tool
