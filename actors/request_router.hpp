#pragma once

#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/actors/inbound_call.hpp>
#include <bulkhead/actors/request.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace bulkhead {

class loop;

/// Brings every admitted request to whoever answers it: to Bulkhead's own services, else to the
/// handler that the backend registered for its type. Loop thread.
class request_router {
public:
  /// Answers a request of a type that Bulkhead serves itself.
  using service = std::function<void(std::shared_ptr<inbound_call>, host_record&)>;

  request_router(loop& on, std::shared_ptr<spdlog::logger> log);

  /// Who answers requests of a type that belongs to the protocol.
  void set_service(std::string_view type, service answers);
  /// Replaces the handler of that type. A type that Bulkhead serves keeps its service.
  void set_handler(std::string type, request_handler handler);

  void route(std::shared_ptr<inbound_call> call, host_record& record);

private:
  void handle(std::shared_ptr<request_handler const> handler, std::shared_ptr<inbound_call> call);

  loop& loop_;
  std::shared_ptr<spdlog::logger> log_;
  std::map<std::string, service, std::less<>> services_;
  // Shared, because a handler may be replaced while it runs.
  std::map<std::string, std::shared_ptr<request_handler const>, std::less<>> handlers_;
};

} // namespace bulkhead
