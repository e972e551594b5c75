#include "log.hpp"

#include "output/terminal.hpp"

#include <bulkhead/actors/log_format.hpp>

#include <mutex>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

namespace bulkhead::tool {
namespace {

constexpr char const* logger_name = "bulkhead";
constexpr char const* line_format = "%Y-%m-%dT%H:%M:%S.%eZ %^%-8l%$ %v";

class live_block_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit live_block_sink(std::shared_ptr<live_block> block)
      : block_{std::move(block)} {}

private:
  void sink_it_(spdlog::details::log_msg const& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view const text{line.data(), line.size()};
    block_->print_above(text.substr(0, text.find_last_not_of("\r\n") + 1));
  }
  void flush_() override {}

  std::shared_ptr<live_block> block_;
};

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink, std::string const& level,
                                            log_format format) {
  auto logger = std::make_shared<spdlog::logger>(logger_name, std::move(sink));
  logger->set_level(spdlog::level::from_str(level));
  if (format == log_format::json_lines)
    logger->set_formatter(json_log_formatter());
  else
    logger->set_pattern(line_format, spdlog::pattern_time_type::utc);
  return logger;
}

} // namespace

std::shared_ptr<spdlog::logger> error_log(std::string const& level, log_format format) {
  auto const colours = look_at(output_stream::error).has_colours ? spdlog::color_mode::automatic
                                                                 : spdlog::color_mode::never;
  return make_logger(std::make_shared<spdlog::sinks::stderr_color_sink_mt>(colours), level, format);
}

std::shared_ptr<spdlog::logger> log_above(std::shared_ptr<live_block> block,
                                          std::string const& level, log_format format) {
  return make_logger(std::make_shared<live_block_sink>(std::move(block)), level, format);
}

} // namespace bulkhead::tool
