#pragma once

#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace bulkhead::testing {

/// A message bus of its own and, once started, a real gnome-keyring-daemon on it, with folders of
/// their own: nothing of the user's session is seen or touched. What can't be done, or takes longer
/// than half a minute, throws std::runtime_error. The destructor kills both, and so does the end of
/// the thread that made it.
class keyring_session {
public:
  /// The bus only.
  keyring_session();
  keyring_session(keyring_session const&) = delete;
  keyring_session& operator=(keyring_session const&) = delete;
  ~keyring_session();

  std::string const& bus_address() const noexcept { return bus_address_; }

  /// Returns when the service is on the bus. The first start makes a default keyring with that
  /// password; a later one unlocks it.
  void start_keyring(std::string_view password = "");
  /// Ends it at once, as a crash would; returns when it has left the bus.
  void kill_keyring();
  void signal_keyring(int number) const;
  void signal_bus(int number) const;
  /// Locks the default keyring, through a connection of its own.
  void lock_keyring() const;
  /// How many items with these attributes there are, through a connection of its own.
  std::size_t count_items(std::map<std::string, std::string> const& attributes) const;

private:
  std::vector<std::string> environment() const;
  void wait_for_owner(bool wanted) const;

  temporary_directory folder_;
  std::string bus_address_;
  pid_t bus_ = 0;
  pid_t keyring_ = 0; // 0 while there is none
};

} // namespace bulkhead::testing
