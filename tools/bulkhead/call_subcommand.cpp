#include "exit_code.hpp"
#include "log.hpp"
#include "message_box.hpp"
#include "output/json_text.hpp"
#include "output/terminal.hpp"
#include "policy_host.hpp"
#include "subcommand.hpp"

#include <bulkhead/config/quote.hpp>
#include <bulkhead/config/units.hpp>
#include <bulkhead/platform/output_lines.hpp>
#include <bulkhead/runtime.hpp>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/parse.hpp>
#include <csignal>
#include <iostream>
#include <iterator>
#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {
namespace {

namespace po = boost::program_options;

/// What fits below the envelope, its payload and `args` in the 64 levels of the wire protocol.
constexpr std::size_t deepest_argument = 61;

struct command_call {
  std::string host;
  std::string command;
  boost::json::array arguments;
  deadline by;
};

/// One host that lives for one command.
class call_session {
public:
  call_session(policy const& rules, command_call call, runtime_options options)
      : hosts_{loop_, rules, std::move(options)}
      , host_{hosts_.host(call.host)}
      , call_{std::move(call)} {
    show_messages(hosts_, [](std::string const& line) { std::cerr << line << std::endl; });
  }

  /// Blocks until the host is gone.
  int run() {
    signals_.async_wait([this](boost::system::error_code failed, int) { on_signal(failed); });
    start_timer_.expires_at(call_.by.when());
    start_timer_.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled)
        end(error{errc::request_timeout}.with_host(host_.id()));
    });
    host_.async_start([this](std::exception_ptr failed, host_state) {
      if (failed)
        end(error_from(failed));
      else if (!ended_)
        send();
    });
    loop_.run();
    return ended_.value_or(exit_failed);
  }

private:
  void send() {
    start_timer_.cancel();
    host_.async_command(
        std::move(call_.command), std::move(call_.arguments), call_.by,
        [this](std::exception_ptr failed, json value) {
          end(failed ? result<json>{error_from(failed)} : result<json>{std::move(value)});
        },
        progress());
  }

  progress_handler progress() const {
    if (!look_at(output_stream::error).is_terminal)
      return {};
    return [id = host_.id()](payload const& so_far) {
      std::cerr << id << ": " << platform::escape_line(so_far.text()) << std::endl;
    };
  }

  /// The first to come counts: the result, the deadline, or a signal.
  void end(result<json> ended) {
    if (ended_)
      return;
    ended_ = ended ? exit_done : exit_code_of(ended.error());
    start_timer_.cancel();
    // Later: what came along with the reply, such as the commands' names, has then been taken in.
    boost::asio::post(loop_, [this, ended = std::move(ended)] {
      if (ended)
        std::cout << json_text(*ended) << std::endl;
      else
        report(ended.error());
      host_.async_stop([this](std::exception_ptr, host_state) { loop_.stop(); });
    });
  }

  void report(error const& failed) const {
    std::cerr << platform::escape_line(failed.what()) << std::endl;
    auto const now = host_.status();
    if (failed.remote_code() == "unknown_command" && !now.commands.empty())
      std::cerr << fmt::format(
          "  it has: {}\n", platform::escape_line(fmt::to_string(fmt::join(now.commands, ", "))));
    if (failed.host_reason() == reason::none || now.last_lines.empty())
      return;
    std::cerr << "  its last lines:\n";
    for (auto const& line : now.last_lines)
      std::cerr << "  | " << line << '\n';
  }

  void on_signal(boost::system::error_code failed) {
    if (failed)
      return;
    if (ended_)
      return loop_.stop(); // the second signal: the destructor kills the host
    signals_.async_wait([this](boost::system::error_code again, int) { on_signal(again); });
    end(error{errc::request_cancelled, "cancelled by a signal"}.with_host(host_.id()));
  }

  boost::asio::io_context loop_{1};
  boost::asio::signal_set signals_{loop_, SIGINT, SIGTERM};
  boost::asio::steady_timer start_timer_{loop_};
  runtime hosts_;
  host_handle host_;
  command_call call_;
  std::optional<int> ended_;
};

json parse_argument(command_page const& page, std::size_t position, std::string_view text) {
  boost::json::parse_options strict;
  strict.max_depth = deepest_argument;
  boost::system::error_code failed;
  auto value = boost::json::parse(text, failed, {}, strict);
  if (failed)
    throw usage_error{page.path,
                      fmt::format("argument {} is not JSON: {} - text needs quotes of its own "
                                  "inside those of the shell: '\"text\"'",
                                  position, quote(text))};
  return value;
}

boost::json::array parse_arguments(command_page const& page, std::span<std::string const> given) {
  boost::json::array parsed;
  auto input_read = false;
  for (auto const& text : given) {
    auto const position = parsed.size() + 1;
    if (text != "-") {
      parsed.push_back(parse_argument(page, position, text));
      continue;
    }
    if (std::exchange(input_read, true))
      throw usage_error{page.path, "standard input can be one argument only"};
    std::string const input{std::istreambuf_iterator<char>{std::cin}, {}};
    parsed.push_back(parse_argument(page, position, input));
  }
  return parsed;
}

deadline read_deadline(command_page const& page, parsed_line const& line, host_policy const& host) {
  if (!line.options.contains("timeout"))
    return host.request_timeout;
  auto const time = units::parse_time(line.options["timeout"].as<std::string>(), "s");
  if (!time)
    throw usage_error{page.path, "--timeout: " + time.error().detail()};
  return *time;
}

} // namespace

int call_subcommand(arguments const& given) {
  static command_page const page{
      "bulkhead call",
      "Starts one host, runs one command of its extension, prints the result as one line of JSON\n"
      "and stops the host.",
      {"POLICY", "HOST", "COMMAND"},
      "JSON",
      "Each further argument is JSON and reaches the command as such; '-' reads one from standard\n"
      "input. Progress goes to standard error where that is a terminal, and so do messages that "
      "the\n"
      "extension shows. A failure is told on standard error, with exit code 1.",
      "bulkhead call policy.toml greeter greet '\"world\"'"};
  po::options_description options;
  options.add_options()(
      "timeout,t", po::value<std::string>()->value_name("TIME"),
      "How long it may take with the start, as 500ms, 30s or 2min; without it the "
      "host's request_timeout")(
      "verbose,v", "Log to standard error what the policy's log_level lets pass; without it "
                   "warnings and errors only");
  auto const line = parse(page, options, given);
  if (!line)
    return exit_done;

  std::span const operands{line->operands};
  auto values = parse_arguments(page, operands.subspan(page.operands.size()));
  auto const rules = load_policy(operands[0]);
  auto const& host = find_host(rules, operands[1]);
  auto const log =
      error_log(line->options.contains("verbose") ? rules.log_level : "warn", rules.log_format);
  command_call call{host.id, operands[2], std::move(values), read_deadline(page, *line, host)};
  return call_session{rules, std::move(call), {log}}.run();
}

} // namespace bulkhead::tool
