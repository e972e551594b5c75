#include <bulkhead/actors/log_format.hpp>

#include <bulkhead/messages/frame_writer.hpp>

#include <spdlog/details/log_msg.h>
#include <spdlog/details/os.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/formatter.h>

#include <chrono>
#include <ctime>
#include <iterator>
#include <string>
#include <string_view>

namespace bulkhead {
namespace {

/// The host that a line names first, "[formatter] …", taken off it; empty where it names none.
std::string_view take_host(std::string_view& line) {
  constexpr std::string_view end = "] ";
  auto const stop = line.find(end);
  if (!line.starts_with('[') || stop == line.npos)
    return {};
  auto const host = line.substr(1, stop - 1);
  line.remove_prefix(stop + end.size());
  return host;
}

class json_formatter final : public spdlog::formatter {
public:
  void format(spdlog::details::log_msg const& message, spdlog::memory_buf_t& out) override {
    using namespace std::chrono;
    auto const utc = spdlog::details::os::gmtime(spdlog::log_clock::to_time_t(message.time));
    auto const fraction = duration_cast<milliseconds>(message.time.time_since_epoch()) % 1s;
    auto text = std::string_view{message.payload.data(), message.payload.size()};
    auto const level = spdlog::level::to_string_view(message.level);
    std::string line =
        fmt::format(R"({{"time":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","level":"{}")",
                    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                    utc.tm_sec, fraction.count(), std::string_view{level.data(), level.size()});
    if (auto const host = take_host(text); !host.empty()) {
      line += R"(,"host":)";
      wire::append_quoted(line, host);
    }
    line += R"(,"message":)";
    wire::append_quoted(line, text);
    line += "}\n";
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<json_formatter>();
  }
};

} // namespace

std::unique_ptr<spdlog::formatter> json_log_formatter() {
  return std::make_unique<json_formatter>();
}

} // namespace bulkhead
