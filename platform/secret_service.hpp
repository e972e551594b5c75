#pragma once

#include <bulkhead/platform/secret_backend.hpp>

#include <chrono>
#include <string>

namespace bulkhead::platform {

/// Where this process's environment says that the session's D-Bus is: DBUS_SESSION_BUS_ADDRESS, or
/// else the socket `bus` in XDG_RUNTIME_DIR; empty where it names neither. Never starts a bus. Must
/// not run while another thread changes the environment.
std::string session_bus_address();

struct secret_service_options {
  /// How long the service may leave a step without an answer; a step is a search, one secret
  /// written or one removed. Nothing that needs no person takes a second.
  std::chrono::milliseconds patience{10'000};
  /// The service counts keys only: `bytes` is not looked at.
  secret_limits limits{};
};

/// Secrets in the default keyring of the desktop's secret service (org.freedesktop.secrets, such as
/// gnome-keyring), each an item with the schema org.bulkhead.Secret and the attributes runtime,
/// host and key. It never unlocks and never makes anybody be asked: a locked keyring fails with
/// secrets_unavailable, as do none, one that left the bus and one that does not answer in time. A
/// service that comes back is used again. Thread-safe; operations run side by side.
///
/// Each operation has a connection to the bus and a session with the service of its own (about 20
/// ms on two cores), so nothing goes stale and nothing grows. Values cross the bus encrypted where
/// the service can (dh-ietf1024-sha256-aes128-cbc-pkcs7), as the bus may be watched. On their way
/// they are in memory of libsecret's, which is locked, and in a message of GLib's, which is not.
///
/// What GLib does to the whole process at the first operation, and a program that embeds this
/// should know: it starts a thread ("gdbus") that stays, blocked in poll; it ignores SIGPIPE from
/// then on (hosts get the default back); it never looks at the program's own GMainContext.
class secret_service final : public secret_backend {
public:
  /// Touches nothing yet.
  explicit secret_service(std::string bus_address = session_bus_address(),
                          secret_service_options options = {});

  /// Whether secrets could be kept right now; keyring_unusable says why not.
  result<void> probe();

  std::string_view kind() const noexcept override { return "secret-service"; }
  result<std::optional<secret_bytes>> get(secret_name const& name) override;
  result<void> set(secret_name const& name, std::string_view value) override;
  result<bool> remove(secret_name const& name) override;
  result<std::vector<std::string>> list(secret_scope const& scope) override;
  /// Where it fails midway some are removed; calling it again removes the rest.
  result<std::size_t> remove_all(secret_scope const& scope) override;

private:
  std::string const bus_address_;
  secret_service_options const options_;
};

} // namespace bulkhead::platform
