#include "exit_code.hpp"
#include "output/json_text.hpp"
#include "output/terminal.hpp"
#include "subcommand.hpp"

#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/output_lines.hpp>
#include <bulkhead/platform/tree_digest.hpp>
#include <bulkhead/platform/verified_file.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <iostream>
#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {
namespace {

using platform::escape_line;
using platform::hashing;
using platform::to_hex;
using platform::verified_file;

command_page const page{
    "bulkhead integrity",
    "Prints the hash by which a policy pins an extension, or an interpreter.",
    {},
    {},
    "EXT is an extension: a folder, or a single script. With --interpreter it is a program, by "
    "its\n"
    "path or its name in PATH; the default is the Node.js that hosts run by. The lines that are\n"
    "printed belong under [hosts.NAME.integrity]. For a script there are two hashes, its own and\n"
    "its interpreter's.\n"
    "\n"
    "What others than root and you can write to is refused, as what was hashed would not stay so.",
    "bulkhead integrity extensions/formatter",
    "EXT"};

/// How much was read so far, in one line that is written over: only where somebody looks, and only
/// for what takes long enough to wonder.
class progress_line {
public:
  progress_line() = default;
  progress_line(progress_line const&) = delete;
  progress_line& operator=(progress_line const&) = delete;
  ~progress_line() {
    if (is_shown_)
      std::cerr << "\r\x1b[K" << std::flush;
  }

  void add(std::uint64_t bytes) {
    constexpr auto patience = std::chrono::seconds{2};
    constexpr auto between = std::chrono::milliseconds{100};
    read_ += bytes;
    auto const now = std::chrono::steady_clock::now();
    if (!is_steerable_ || now < begun_ + patience || now < shown_ + between)
      return;
    shown_ = now;
    is_shown_ = true;
    std::cerr << fmt::format("\rread {} MB so far\x1b[K", read_ / 1'000'000) << std::flush;
  }

private:
  bool is_steerable_ = look_at(output_stream::error).is_steerable;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_{};
  std::uint64_t read_ = 0;
  bool is_shown_ = false;
};

hashing shown_in(progress_line& line) {
  return {.progress = [&line](std::uint64_t bytes) { line.add(bytes); }};
}

std::string counted(std::uint64_t number, std::string_view one) {
  return fmt::format("{} {}{}", number, one, number == 1 ? "" : "s");
}

platform::tree_digest hash_extension(std::string const& path) {
  progress_line line;
  return platform::digest_of_tree(std::filesystem::path{path}, shown_in(line)).value();
}

int print_extension(std::string const& path, bool as_json) {
  auto const hashed = hash_extension(path);
  auto const digest = to_hex(hashed.digest);
  if (as_json)
    std::cout << json_text(boost::json::object{{"path", escape_line(hashed.path)},
                                               {"extension_sha256", digest},
                                               {"files", hashed.files},
                                               {"bytes", hashed.bytes}})
              << '\n';
  else
    std::cout << fmt::format("# {}: {}, {}\nextension_sha256 = \"{}\"\n", escape_line(hashed.path),
                             counted(hashed.files, "file"), counted(hashed.bytes, "byte"), digest);
  return exit_done;
}

platform::verified_program hash_interpreter(arguments const& operands) {
  auto const search_path = platform::environment_search_path();
  auto const path = operands.empty()
                        ? platform::find_node(search_path).value()
                        : platform::resolve_program(operands.front(), {}, search_path).value();
  progress_line line;
  return platform::open_program(path, search_path, shown_in(line)).value();
}

int print_interpreter(arguments const& operands, bool as_json) {
  auto const program = hash_interpreter(operands);
  std::vector<verified_file const*> files{&program.executable};
  if (program.script)
    files.push_back(&*program.script);
  boost::json::array digests;
  boost::json::array described;
  std::string comments;
  for (auto const* const file : files) {
    digests.emplace_back(to_hex(file->digest()));
    described.push_back({{"path", escape_line(file->path())},
                         {"sha256", to_hex(file->digest())},
                         {"bytes", file->identity().size}});
    comments += fmt::format("# {}: {}\n", escape_line(file->path()),
                            counted(file->identity().size, "byte"));
  }
  if (as_json)
    std::cout << json_text(
                     boost::json::object{{"interpreter_sha256", digests}, {"programs", described}})
              << '\n';
  else // an array of such strings is written alike in JSON and TOML
    std::cout << comments << "interpreter_sha256 = " << json_text(digests) << '\n';
  return exit_done;
}

} // namespace

int integrity_subcommand(arguments const& given) {
  boost::program_options::options_description options;
  options.add_options()("interpreter", "Hash an interpreter instead of an extension")(
      "json", "Print the result as one line of JSON");
  auto const line = parse(page, options, given);
  if (!line)
    return exit_done;
  auto const as_json = line->options.contains("json");
  if (line->options.contains("interpreter"))
    return print_interpreter(line->operands, as_json);
  if (line->operands.empty())
    throw usage_error{page.path, "EXT is missing"};
  return print_extension(line->operands.front(), as_json);
}

} // namespace bulkhead::tool
