#include <bulkhead/config/served_requests.hpp>

#include <algorithm>

namespace bulkhead {
namespace {

using enum permission;
using path_member = served_request::path_member;

constexpr path_member reads[] = {{"path", path_action::read}};
constexpr path_member writes[] = {{"path", path_action::write}};
constexpr path_member moves[] = {{"from", path_action::write}, {"to", path_action::write}};
constexpr path_member copies[] = {{"from", path_action::read}, {"to", path_action::write}};

// Sorted by type, for find_served_request.
constexpr served_request table[] = {
    {"command-registered", std::nullopt, {}, false},
    {"command-unregistered", std::nullopt, {}, false},
    {"fs.copy", file_system_write, copies, true},
    {"fs.createDirectory", file_system_write, writes, true},
    {"fs.delete", file_system_delete, writes, true},
    {"fs.readDirectory", file_system_read, reads, false},
    {"fs.readFile", file_system_read, reads, false},
    {"fs.rename", file_system_write, moves, true},
    {"fs.stat", file_system_read, reads, false},
    {"fs.unwatch", file_system_read, {}, false},
    {"fs.watch", file_system_read, reads, false},
    {"fs.writeFile", file_system_write, writes, true},
    {"log", std::nullopt, {}, false},
    {"secretDelete", secrets_write, {}, true},
    {"secretGet", secrets_read, {}, true},
    {"secretList", secrets_read, {}, true},
    {"secretStore", secrets_write, {}, true},
    {"workspace-find-files", workspace_read, {}, false},
};
static_assert(std::ranges::is_sorted(table, {}, &served_request::type));

} // namespace

std::span<served_request const> served_requests() noexcept {
  return table;
}

served_request const* find_served_request(std::string_view type) noexcept {
  auto const* const found = std::ranges::lower_bound(table, type, {}, &served_request::type);
  return found != std::end(table) && found->type == type ? found : nullptr;
}

std::string served_requests_table() {
  std::string text = "| request | permission | path rules |\n|---|---|---|\n";
  for (auto const& served : table) {
    text += "| `" + std::string{served.type} + "` | ";
    text += served.needs ? '`' + std::string{to_string(*served.needs)} + '`' : "none";
    text += " | ";
    for (auto const& member : served.paths) {
      if (&member != served.paths.data())
        text += ", ";
      text += '`' + std::string{member.name} + "` ";
      text += member.action == path_action::read ? "read" : "write";
    }
    text += " |\n";
  }
  return text;
}

} // namespace bulkhead
