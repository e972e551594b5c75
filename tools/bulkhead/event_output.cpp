#include "event_output.hpp"

#include "log.hpp"
#include "output/event_line.hpp"
#include "output/host_table.hpp"
#include "output/json_text.hpp"
#include "output/live_block.hpp"
#include "output/terminal.hpp"

#include <iostream>
#include <spdlog/logger.h>

namespace bulkhead::tool {
namespace {

using clock = std::chrono::system_clock;

class line_output final : public event_output {
public:
  std::shared_ptr<spdlog::logger> log(policy const& rules) override {
    return error_log(rules.log_level, rules.log_format);
  }

  void serving(runtime& hosts, std::string_view policy_path) override {
    print(headline(*hosts.active_policy(), policy_path));
  }
  void happened(host_event const& event) override { std::cout << event_line(event) << std::endl; }
  void ended() override { print("ended"); }

private:
  static void print(std::string_view text) {
    std::cout << time_text(clock::now()) << ' ' << text << std::endl;
  }
};

class json_output final : public event_output {
public:
  std::shared_ptr<spdlog::logger> log(policy const& rules) override {
    return error_log(rules.log_level, rules.log_format);
  }

  void serving(runtime& hosts, std::string_view policy_path) override {
    boost::json::array ids;
    auto const rules = hosts.active_policy();
    for (auto const& host : rules->hosts)
      ids.emplace_back(host.id);
    print({{"time", time_text(clock::now())},
           {"event", "serving"},
           {"version", BULKHEAD_VERSION},
           {"policy", policy_path},
           {"hosts", std::move(ids)}});
    hosts.on_usage([](usage_report const& report) { print(usage_json(report)); });
    hosts_ = &hosts;
  }
  void happened(host_event const& event) override {
    print(event_json(event, hosts_->host(event.host).status()));
  }
  void ended() override { print({{"time", time_text(clock::now())}, {"event", "ended"}}); }

private:
  static void print(json const& value) { std::cout << json_text(value) << std::endl; }

  runtime* hosts_ = nullptr;
};

class table_output final : public event_output {
public:
  std::shared_ptr<spdlog::logger> log(policy const& rules) override {
    return look_at(output_stream::error).is_terminal
               ? log_above(block_, rules.log_level, rules.log_format)
               : error_log(rules.log_level, rules.log_format);
  }

  void serving(runtime& hosts, std::string_view policy_path) override {
    hosts_ = &hosts;
    block_->print_above(headline(*hosts.active_policy(), policy_path));
    draw();
  }
  void happened(host_event const&) override { draw(); }
  void second_passed() override { draw(); }
  void ended() override { draw(); }

private:
  /// Above the table stays a line for what is logged, below it one for the cursor; one is for the
  /// headings, one for "… and N more", and one is blank.
  static constexpr std::size_t other_rows = 5;

  void draw() {
    std::vector<host_status> now;
    for (auto const& host : hosts_->hosts())
      now.push_back(host.status());
    auto const size = current_screen_size();
    auto const most_hosts = size.rows > other_rows ? size.rows - other_rows : 1;
    auto lines = host_table(now, clock::now(), {colours_, size.columns, most_hosts});
    lines.insert(lines.begin(), std::string{});
    block_->show(std::move(lines));
  }

  runtime* hosts_ = nullptr;
  bool colours_ = look_at(output_stream::standard).has_colours;
  std::shared_ptr<live_block> block_ = std::make_shared<live_block>(std::cout);
};

} // namespace

std::unique_ptr<event_output> make_event_output(bool as_json) {
  if (as_json)
    return std::make_unique<json_output>();
  if (look_at(output_stream::standard).is_steerable)
    return std::make_unique<table_output>();
  return std::make_unique<line_output>();
}

} // namespace bulkhead::tool
