#include "command_line.hpp"

#include <bulkhead/config/nearest.hpp>
#include <bulkhead/config/quote.hpp>

#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <iostream>

namespace bulkhead::tool {
namespace {

namespace po = boost::program_options;

constexpr char const* operand_option = "operand";

void print_help(command_page const& page, po::options_description const& options) {
  std::cout << "Usage: " << page.path << " [OPTION…]";
  for (auto const operand : page.operands)
    std::cout << ' ' << operand;
  if (!page.optional_operand.empty())
    std::cout << " [" << page.optional_operand << ']';
  if (!page.more_operands.empty())
    std::cout << " [" << page.more_operands << "…]";
  std::cout << "\n\n" << page.summary << '\n';
  if (!page.text.empty())
    std::cout << '\n' << page.text << '\n';
  std::cout << "\nOptions:\n" << options << "\nExample:\n  " << page.example << '\n';
}

/// Takes a negative number for what it is: an operand, not an option.
std::vector<po::option> take_negative_number(std::vector<std::string>& left) {
  auto const& next = left.front();
  if (next.size() < 2 || next[0] != '-' || next[1] < '0' || next[1] > '9')
    return {};
  po::option operand;
  operand.value = {next};
  operand.original_tokens = {next};
  left.erase(left.begin());
  return {operand};
}

std::string unknown_option(std::string const& written, po::options_description const& options) {
  std::vector<std::string> spelled;
  for (auto const& option : options.options())
    spelled.push_back("--" + option->long_name());
  std::vector<std::string_view> const known{spelled.begin(), spelled.end()};
  return "there is no option " + quote(written) + suggestion(written, known);
}

po::variables_map read_options(command_page const& page, po::options_description const& visible,
                               arguments const& given) {
  po::options_description all;
  all.add(visible);
  all.add_options()(operand_option, po::value<arguments>());
  po::positional_options_description positions;
  positions.add(operand_option, -1);
  try {
    po::variables_map read;
    po::store(
        po::command_line_parser{given}
            .options(all)
            .positional(positions)
            .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
            .extra_style_parser(take_negative_number)
            .run(),
        read);
    po::notify(read);
    return read;
  } catch (po::unknown_option const& unknown) {
    throw usage_error{page.path, unknown_option(unknown.get_option_name(), visible)};
  } catch (po::error const& wrong) {
    throw usage_error{page.path, wrong.what()};
  }
}

void check_operands(command_page const& page, arguments const& given) {
  if (given.size() < page.operands.size())
    throw usage_error{page.path, std::string{page.operands[given.size()]} + " is missing"};
  auto const most = page.operands.size() + (page.optional_operand.empty() ? 0 : 1);
  if (given.size() > most && page.more_operands.empty())
    throw usage_error{page.path, quote(given[most]) + " is one argument too many"};
}

} // namespace

std::optional<parsed_line> parse(command_page const& page, po::options_description options,
                                 arguments const& given) {
  options.add_options()("help,h", "Print this help");
  auto read = read_options(page, options, given);
  if (read.contains("help")) {
    print_help(page, options);
    return std::nullopt;
  }
  auto operands =
      read.contains(operand_option) ? read[operand_option].as<arguments>() : arguments{};
  check_operands(page, operands);
  return parsed_line{std::move(read), std::move(operands)};
}

std::string suggestion(std::string_view written, std::span<std::string_view const> known) {
  auto const meant = nearest(written, known);
  return meant ? " - did you mean " + quote(*meant) + '?' : std::string{};
}

} // namespace bulkhead::tool
