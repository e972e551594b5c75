#include "operator_audit.hpp"

#include <bulkhead/platform/output_lines.hpp>
#include <bulkhead/platform/run_directory.hpp>

#include <array>
#include <chrono>
#include <iostream>

namespace bulkhead::tool {
namespace {

result<platform::audit_file> open_log(policy const& rules) {
  auto const file = rules.audit_file();
  // As the backend makes it when it starts, which may be later.
  if (file.parent_path() == rules.state_dir)
    if (auto const opened = platform::open_state_directory(rules.state_dir); !opened)
      return opened.error();
  return platform::audit_file::open({file, rules.audit.rotate_at, rules.audit.keep});
}

error refused(error const& why) {
  return error{why.code(),
               "nothing was changed, as the policy's audit.required has it recorded first: " +
                   why.detail(),
               why.remedy()};
}

} // namespace

operator_audit::operator_audit(policy const& rules)
    : required_{rules.audit.required}
    , log_{open_log(rules)} {
  if (!log_ && required_)
    throw refused(log_.error());
}

void operator_audit::append(audit_record& record, bool required) {
  record.time = std::chrono::system_clock::now();
  auto const appended = log_ ? log_->append(std::array{record}) : log_.error();
  if (appended)
    return;
  if (required)
    throw refused(appended.error());
  std::cerr << platform::escape_line("warning: this is not in the audit log: " +
                                     std::string{appended.error().what()})
            << '\n';
}

} // namespace bulkhead::tool
