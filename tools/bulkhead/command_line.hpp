#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

using arguments = std::vector<std::string>;

/// A mistake in how the command was called.
class usage_error : public std::runtime_error {
public:
  /// `path` is the part of the command whose --help tells more: "bulkhead call".
  usage_error(std::string_view path, std::string const& what)
      : std::runtime_error{what}
      , path_{path} {}
  std::string const& path() const noexcept { return path_; }

private:
  std::string path_;
};

/// What --help says of one part of the command, and what that part takes beside options.
struct command_page {
  std::string_view path; ///< "bulkhead call"
  std::string_view summary;
  std::vector<std::string_view> operands; ///< each must be given
  std::string_view more_operands;         ///< what may follow them any number of times
  std::string_view text;
  std::string_view example;
  std::string_view optional_operand{}; ///< what may follow the operands once
};

struct parsed_line {
  boost::program_options::variables_map options;
  arguments operands;
};

/// Nothing where --help was asked for and has been printed. Throws usage_error. What begins with a
/// hyphen and a digit is an operand, as JSON numbers may.
std::optional<parsed_line> parse(command_page const& page,
                                 boost::program_options::options_description options,
                                 arguments const& given);

/// ` - did you mean "X"?`, or nothing.
std::string suggestion(std::string_view written, std::span<std::string_view const> known);

} // namespace bulkhead::tool
