#pragma once

#include "command_line.hpp"

#include <span>
#include <string_view>

namespace bulkhead::tool {

/// One word of the command line that does something: by itself, or as a group of others.
struct subcommand {
  std::string_view name;
  std::string_view summary;
  /// Takes what follows the name and returns an exit_code. Throws usage_error and bulkhead::error.
  int (*run)(arguments const& given);
};

/// A word that others follow, or the command as a whole.
struct subcommand_group {
  std::string_view path; ///< "bulkhead policy"
  std::string_view summary;
  std::span<subcommand const> members;
  std::string_view text;
  std::string_view example;
};

/// Runs the member that `given` names, or answers --help, --version and `help MEMBER`.
int run_group(subcommand_group const& group, arguments const& given);

// Each in a file of its name.
int run_subcommand(arguments const& given);
int call_subcommand(arguments const& given);
int policy_subcommand(arguments const& given);
int secrets_subcommand(arguments const& given);
int audit_subcommand(arguments const& given);
int integrity_subcommand(arguments const& given);
int doctor_subcommand(arguments const& given);

} // namespace bulkhead::tool
