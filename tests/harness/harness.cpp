#include <bulkhead/harness/harness.hpp>

#include <bulkhead/actors/loop_timer.hpp>

#include <boost/asio/post.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace bulkhead::testing {
namespace {

using namespace std::chrono_literals;

/// Hands every line to a function.
class line_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit line_sink(std::function<void(spdlog::level::level_enum, std::string)> keep)
      : keep_{std::move(keep)} {}

private:
  void sink_it_(spdlog::details::log_msg const& message) override {
    keep_(message.level, std::string{message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

  std::function<void(spdlog::level::level_enum, std::string)> keep_;
};

host_policy quick_host(std::string id) {
  host_policy host;
  host.id = std::move(id);
  host.sandbox.require = sandbox_tier::none;
  host.restart.backoff_initial = 10ms;
  host.restart.backoff_max = 50ms;
  host.stop.deactivate_timeout = 2s;
  host.stop.term_timeout = 2s;
  return host;
}

} // namespace

host_policy command_host(std::string id, std::vector<std::string> command) {
  auto host = quick_host(std::move(id));
  host.runtime = host_runtime::command;
  host.command = std::move(command);
  return host;
}

host_policy node_host(std::string id, std::filesystem::path extension) {
  auto host = quick_host(std::move(id));
  host.extension = std::move(extension);
  return host;
}

policy policy_of(std::vector<host_policy> hosts) {
  policy what;
  what.drain_timeout = 2s;
  what.hosts = std::move(hosts);
  return what;
}

policy policy_from(std::filesystem::path const& file) {
  auto what = load_policy(file);
  what.state_dir.clear();
  return what;
}

std::string policy_text(std::string_view hosts) {
  return "[defaults.sandbox]\nrequire = \"none\"\n" + std::string{hosts};
}

struct harness::record {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<host_event> events;
  std::vector<std::string> lines;
  std::vector<std::string> critical_lines;

  template <class T>
  void keep(std::vector<T>& where, T what) {
    std::lock_guard const lock{mutex};
    where.push_back(std::move(what));
    changed.notify_all();
  }

  /// Waits for an element that `wanted` says yes to.
  template <class T, class Wanted>
  std::optional<T> wait(std::vector<T> const& among, std::chrono::milliseconds within,
                        Wanted const& wanted) {
    std::unique_lock lock{mutex};
    std::optional<T> found;
    changed.wait_for(lock, within, [&] {
      auto const at = std::ranges::find_if(among, wanted);
      if (at != among.end())
        found = *at;
      return found.has_value();
    });
    return found;
  }
};

harness::harness(boost::asio::io_context* loop, policy what)
    : record_{std::make_shared<record>()} {
  if (what.state_dir.empty())
    what.state_dir = directory_.path() / "state";
  runtime_options options;
  options.logger = std::make_shared<spdlog::logger>(
      "bulkhead", std::make_shared<line_sink>([kept = record_](auto level, std::string line) {
        if (level == spdlog::level::critical)
          kept->keep(kept->critical_lines, line);
        kept->keep(kept->lines, std::move(line));
      }));
  options.logger->set_level(spdlog::level::debug);
  runtime_ = loop ? std::make_unique<runtime>(*loop, std::move(what), std::move(options))
                  : std::make_unique<runtime>(std::move(what), std::move(options));
  runtime_->on_event(
      [kept = record_](host_event const& event) { kept->keep(kept->events, event); });
}

harness::harness(policy what)
    : harness{nullptr, std::move(what)} {}

harness::harness(boost::asio::io_context& loop, policy what)
    : harness{&loop, std::move(what)} {}

harness::harness(std::string_view toml, std::filesystem::path const& base)
    : harness{nullptr, [&] {
                auto what = parse_policy(toml, base);
                what.state_dir.clear();
                return what;
              }()} {}

harness::~harness() = default;

runtime& harness::operator*() noexcept {
  return *runtime_;
}

host_handle harness::host(std::string_view id) {
  return runtime_->host(id.empty() ? runtime_->active_policy()->hosts.front().id : id);
}

void harness::destroy() {
  runtime_.reset();
}

void harness::settle() {
  // A timer that is due now fires after all that were due before. What these set off are messages
  // to actors, which have had their turns some turns of the loop later.
  constexpr int turns = 16;
  auto const executor = runtime_->loop_executor();
  std::promise<void> fired;
  loop_timer marker{executor};
  boost::asio::post(executor, [&] {
    marker.expires_at(monotonic_clock::now());
    marker.async_wait([&](boost::system::error_code) { fired.set_value(); });
  });
  outcome(fired.get_future());
  for (int i = 0; i < turns; ++i)
    outcome(boost::asio::post(executor, boost::asio::use_future));
}

bool harness::start() {
  runtime_->start();
  return std::ranges::all_of(runtime_->active_policy()->hosts, [&](host_policy const& host) {
    return !host.autostart || wait_for(host.id, host_state::Running);
  });
}

std::future<payload> harness::request(std::string_view id, std::string type, json const& asked,
                                      std::chrono::milliseconds within) {
  auto done = std::make_shared<std::promise<payload>>();
  auto ended = done->get_future();
  host(id).async_request(
      std::move(type), asked, within,
      [done, count = tally_.one(), first = true](std::exception_ptr failed, payload reply) mutable {
        count(failed);
        if (!std::exchange(first, false))
          return; // the tally tells
        if (failed)
          done->set_exception(std::move(failed));
        else
          done->set_value(std::move(reply));
      });
  return ended;
}

result<payload> harness::call(std::string type, json const& asked,
                              std::chrono::milliseconds within) {
  return call_host(runtime_->active_policy()->hosts.front().id, std::move(type), asked, within);
}

result<payload> harness::call_host(std::string_view id, std::string type, json const& asked,
                                   std::chrono::milliseconds within) {
  return outcome(request(id, std::move(type), asked, within), within + patience);
}

bool harness::every_request_ended_once(std::chrono::milliseconds within) {
  return tally_.wait(within) && tally_.started() != 0 && tally_.each_ended_once();
}

bool harness::wait_for(std::string_view id, host_state state, std::chrono::milliseconds within) {
  return wait_for(id, state, after_restarts{0}, within);
}

bool harness::wait_for(std::string_view id, host_state state, after_restarts restarts,
                       std::chrono::milliseconds within) {
  // By its events, so that whoever looks at them afterwards finds them all.
  auto const is_so = [&] {
    host_event stopped;
    auto const* last = &stopped;
    for (auto const& event : record_->events)
      if (event.host == id && event.kind == host_event_kind::state_changed)
        last = &event;
    return last->to == state && last->restarts >= restarts.count;
  };
  std::unique_lock lock{record_->mutex};
  return record_->changed.wait_for(lock, within, is_so);
}

std::optional<host_event>
harness::wait_for_event(std::function<bool(host_event const&)> const& wanted,
                        std::chrono::milliseconds within) {
  return record_->wait(record_->events, within, wanted);
}

std::optional<host_event> harness::wait_for_entry(std::string_view id, host_state to,
                                                  std::chrono::milliseconds within) {
  return wait_for_event(
      [&](host_event const& event) {
        return event.host == id && event.kind == host_event_kind::state_changed && event.to == to;
      },
      within);
}

std::vector<host_event> harness::events(std::string_view id) const {
  std::lock_guard const lock{record_->mutex};
  std::vector<host_event> found;
  std::ranges::copy_if(record_->events, std::back_inserter(found),
                       [&](host_event const& event) { return event.host == id; });
  return found;
}

std::optional<std::string> harness::wait_for_log(std::string_view text,
                                                 std::chrono::milliseconds within) {
  return record_->wait(record_->lines, within,
                       [&](std::string const& line) { return line.find(text) != line.npos; });
}

std::vector<std::string> harness::critical_lines() const {
  std::lock_guard const lock{record_->mutex};
  return record_->critical_lines;
}

std::string harness::path_of(std::string_view id) const {
  std::string path{to_string(host_state::Stopped)};
  for (auto const& event : events(id))
    if (event.kind == host_event_kind::state_changed)
      path += " " + std::string{to_string(event.to)};
  return path;
}

bool harness::every_transition_was_legal() const {
  std::lock_guard const lock{record_->mutex};
  std::map<std::string, host_state> last;
  return std::ranges::all_of(record_->events, [&](host_event const& event) {
    if (event.kind != host_event_kind::state_changed)
      return true;
    auto const from = std::exchange(last[event.host], event.to); // starts out as Stopped
    return from == event.from && is_legal_transition(event.from, event.to);
  });
}

} // namespace bulkhead::testing
