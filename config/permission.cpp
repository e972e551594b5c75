#include <bulkhead/config/permission.hpp>

#include <bulkhead/config/nearest.hpp>
#include <bulkhead/config/quote.hpp>

#include <algorithm>
#include <array>

namespace bulkhead {
namespace {

struct named_permission {
  permission value;
  std::string_view name;
};

constexpr std::array<named_permission, permission_count> names{{
    {permission::file_system_read, "fileSystem.read"},
    {permission::file_system_write, "fileSystem.write"},
    {permission::file_system_delete, "fileSystem.delete"},
    {permission::workspace_read, "workspace.read"},
    {permission::workspace_write, "workspace.write"},
    {permission::workspace_execute, "workspace.execute"},
    {permission::network_http, "network.http"},
    {permission::network_https, "network.https"},
    {permission::network_web_socket, "network.webSocket"},
    {permission::clipboard_read, "clipboard.read"},
    {permission::clipboard_write, "clipboard.write"},
    {permission::secrets_read, "secrets.read"},
    {permission::secrets_write, "secrets.write"},
    {permission::ui_notifications, "ui.notifications"},
    {permission::ui_dialogs, "ui.dialogs"},
    {permission::ui_quick_pick, "ui.quickPick"},
    {permission::text_editor_read, "textEditor.read"},
    {permission::text_editor_write, "textEditor.write"},
    {permission::text_editor_selection, "textEditor.selection"},
    {permission::debug_start, "debug.start"},
    {permission::debug_stop, "debug.stop"},
    {permission::debug_breakpoints, "debug.breakpoints"},
    {permission::terminal_create, "terminal.create"},
    {permission::terminal_send, "terminal.send"},
    {permission::tasks_execute, "tasks.execute"},
    {permission::commands_execute, "commands.execute"},
    {permission::authentication_get_session, "authentication.getSession"},
    {permission::authentication_create_session, "authentication.createSession"},
    {permission::env_read, "env.read"},
    {permission::process_spawn, "process.spawn"},
    {permission::ai_client, "ai.client"},
    {permission::project_metadata, "project.metadata"},
}};

constexpr bool in_order_of_the_enumeration() {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (static_cast<std::size_t>(names[i].value) != i)
      return false;
  return true;
}
static_assert(in_order_of_the_enumeration());

constexpr auto every_permission = [] {
  std::array<permission, permission_count> all{};
  std::ranges::transform(names, all.begin(), &named_permission::value);
  return all;
}();

} // namespace

std::span<permission const> all_permissions() noexcept {
  return every_permission;
}

std::string_view to_string(permission p) noexcept {
  return names[static_cast<std::size_t>(p)].name;
}

std::optional<permission> permission_from_string(std::string_view name) noexcept {
  auto const found = std::ranges::find(names, name, &named_permission::name);
  if (found == names.end())
    return std::nullopt;
  return found->value;
}

std::string unknown_permission_sentence(std::string_view name) {
  std::array<std::string_view, permission_count> known;
  std::ranges::transform(names, known.begin(), &named_permission::name);
  auto const suggestion = nearest(name, known);
  return "unknown permission " + quote(name) +
         (suggestion ? " - did you mean " + quote(*suggestion) + '?'
                     : " - \"bulkhead policy reference\" lists them all");
}

std::string to_string(permission_set const& permissions) {
  std::string text;
  for (permission const p : all_permissions()) {
    if (!permissions.contains(p))
      continue;
    if (!text.empty())
      text += ", ";
    text += to_string(p);
  }
  return text;
}

} // namespace bulkhead
