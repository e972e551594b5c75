#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bulkhead {

/// What an extension may be granted. The names are the wire protocol's (docs/protocol.md); the
/// numbers are not part of it.
enum class permission : std::uint8_t {
  file_system_read,
  file_system_write,
  file_system_delete,
  workspace_read,
  workspace_write,
  workspace_execute,
  network_http,
  network_https,
  network_web_socket,
  clipboard_read,
  clipboard_write,
  secrets_read,
  secrets_write,
  ui_notifications,
  ui_dialogs,
  ui_quick_pick,
  text_editor_read,
  text_editor_write,
  text_editor_selection,
  debug_start,
  debug_stop,
  debug_breakpoints,
  terminal_create,
  terminal_send,
  tasks_execute,
  commands_execute,
  authentication_get_session,
  authentication_create_session,
  env_read,
  process_spawn,
  ai_client,
  project_metadata,
};

inline constexpr std::size_t permission_count = 32;

/// Every permission, in the order of the enumeration.
std::span<permission const> all_permissions() noexcept;

/// Its name on the wire and in a policy: "fileSystem.read".
std::string_view to_string(permission p) noexcept;

/// The inverse; nothing for a name that no permission has.
std::optional<permission> permission_from_string(std::string_view name) noexcept;

/// For the name of no permission: `unknown permission "fileSystem.raed" - did you mean
/// "fileSystem.read"?`.
std::string unknown_permission_sentence(std::string_view name);

/// A set of permissions; empty unless filled. Intersection is what holds: asked for and granted.
class permission_set {
public:
  constexpr permission_set() noexcept = default;

  void insert(permission p) noexcept { bits_.set(static_cast<std::size_t>(p)); }
  bool contains(permission p) const noexcept { return bits_.test(static_cast<std::size_t>(p)); }
  bool empty() const noexcept { return bits_.none(); }
  std::size_t size() const noexcept { return bits_.count(); }

  /// As a number, for a message: one bit a permission, in the order of the enumeration.
  std::uint64_t to_bits() const noexcept { return bits_.to_ullong(); }
  static permission_set from_bits(std::uint64_t bits) noexcept {
    permission_set set;
    set.bits_ = std::bitset<permission_count>{bits};
    return set;
  }

  friend permission_set operator&(permission_set a, permission_set b) noexcept {
    a.bits_ &= b.bits_;
    return a;
  }
  /// What is in `a` and not in `b`.
  friend permission_set operator-(permission_set a, permission_set b) noexcept {
    a.bits_ &= ~b.bits_;
    return a;
  }
  friend bool operator==(permission_set const&, permission_set const&) = default;

private:
  std::bitset<permission_count> bits_;
};

/// Their names in the order of the enumeration: "fileSystem.read, clipboard.read"; empty for none.
std::string to_string(permission_set const& permissions);

} // namespace bulkhead
