#include <bulkhead/actors/request_router.hpp>

#include <bulkhead/actors/loop.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/logger.h>

#include <algorithm>
#include <exception>
#include <string_view>
#include <variant>

namespace bulkhead {
namespace {

namespace level = spdlog::level;

/// A string member of an object; empty where there is none.
std::string_view text_member(json const& object, std::string_view name) {
  auto const* const members = object.if_object();
  auto const* const found = members ? members->if_contains(name) : nullptr;
  auto const* const text = found ? found->if_string() : nullptr;
  return text ? std::string_view{*text} : std::string_view{};
}

/// `log`: a line of the extension's own.
class log_service {
public:
  explicit log_service(std::shared_ptr<spdlog::logger> log)
      : log_{std::move(log)} {}

  void operator()(std::shared_ptr<inbound_call> const& call, host_record&) const {
    auto const& asked = call->payload();
    auto line = platform::escape_line(text_member(asked, "message"));
    if (auto const* const fields =
            asked.is_object() ? asked.get_object().if_contains("fields") : nullptr)
      line += " " + platform::escape_line(boost::json::serialize(*fields));
    log_->log(level_of(text_member(asked, "level")), "[{}] {}", call->host(), line);
    call->reply(boost::json::object{});
  }

private:
  static level::level_enum level_of(std::string_view name) noexcept {
    if (name == "debug" || name == "trace")
      return level::debug;
    if (name == "warn" || name == "warning")
      return level::warn;
    return name == "error" ? level::err : level::info;
  }

  std::shared_ptr<spdlog::logger> log_;
};

/// As many commands as a host may register; more than any real extension has.
constexpr std::size_t command_cap = 10'000;

void register_command(std::shared_ptr<inbound_call> const& call, host_record& record) {
  auto const name = text_member(call->payload(), "command");
  auto full = false;
  record.update([&](host_status& now) {
    full = now.commands.size() >= command_cap;
    if (!full && !name.empty() && std::ranges::find(now.commands, name) == now.commands.end())
      now.commands.emplace_back(name);
  });
  if (name.empty())
    return call->fail(errc::invalid_payload, "command must be a string that is not empty");
  if (full)
    return call->fail(errc::overloaded, "too many commands are registered");
  call->reply(boost::json::object{});
}

void unregister_command(std::shared_ptr<inbound_call> const& call, host_record& record) {
  auto const name = text_member(call->payload(), "command");
  record.update([&](host_status& now) { std::erase(now.commands, name); });
  call->reply(boost::json::object{});
}

void fail_from_exception(inbound_call& call, spdlog::logger& log,
                         std::exception_ptr const& failed) {
  try {
    std::rethrow_exception(failed);
  } catch (request_error const& told) {
    call.fail(told.code(), told.what());
  } catch (std::exception const& hidden) {
    log.error("[{}] the handler for {} failed: {}", call.host(), platform::escape_line(call.type()),
              hidden.what());
    call.fail(errc::handler_failed, describe(errc::handler_failed).sentence);
  } catch (...) {
    call.fail(errc::handler_failed, describe(errc::handler_failed).sentence);
  }
}

} // namespace

request_router::request_router(loop& on, std::shared_ptr<spdlog::logger> log)
    : loop_{on}
    , log_{std::move(log)} {
  services_.emplace("log", log_service{log_});
  services_.emplace("command-registered", register_command);
  services_.emplace("command-unregistered", unregister_command);
}

void request_router::set_service(std::string_view type, service answers) {
  services_.insert_or_assign(std::string{type}, std::move(answers));
}

void request_router::set_handler(std::string type, request_handler handler) {
  handlers_.insert_or_assign(std::move(type),
                             std::make_shared<request_handler const>(std::move(handler)));
}

void request_router::route(std::shared_ptr<inbound_call> call, host_record& record) {
  if (auto const served = services_.find(call->type()); served != services_.end())
    return served->second(std::move(call), record);
  auto const found = handlers_.find(call->type());
  if (found == handlers_.end())
    return call->fail(errc::unsupported_request, describe(errc::unsupported_request).sentence);
  handle(found->second, std::move(call));
}

void request_router::handle(std::shared_ptr<request_handler const> handler,
                            std::shared_ptr<inbound_call> call) {
  using at_once = std::function<json(request const&)>;
  if (auto const* const plain = std::get_if<at_once>(handler.get())) {
    try {
      call->reply((*plain)(request{call}));
    } catch (...) {
      fail_from_exception(*call, *log_, std::current_exception());
    }
    return;
  }
  // The handler's function lives as long as the coroutine that it made, which may use its captures.
  auto start = [handler, call]() -> boost::asio::awaitable<json> {
    using coroutine = std::function<boost::asio::awaitable<json>(request)>;
    return std::get<coroutine>(*handler)(request{call});
  };
  auto const slot = call->cancellation_slot();
  boost::asio::co_spawn(
      loop_.context(), std::move(start),
      boost::asio::bind_cancellation_slot(
          slot, [call, handler, log = log_](std::exception_ptr failed, json const& answer) {
            if (failed)
              fail_from_exception(*call, *log, failed);
            else
              call->reply(answer);
          }));
}

} // namespace bulkhead
