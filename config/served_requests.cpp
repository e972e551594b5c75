#include <bulkhead/config/served_requests.hpp>

#include <algorithm>

namespace bulkhead {
namespace {

using enum permission;

constexpr served_request table[] = {
    {"log", std::nullopt, false},
    {"command-registered", std::nullopt, false},
    {"command-unregistered", std::nullopt, false},
    {"fs.readFile", file_system_read, true},
    {"fs.stat", file_system_read, true},
    {"fs.readDirectory", file_system_read, true},
    {"fs.watch", file_system_read, true},
    {"fs.unwatch", file_system_read, true},
    {"fs.writeFile", file_system_write, true},
    {"fs.createDirectory", file_system_write, true},
    {"fs.rename", file_system_write, true},
    {"fs.copy", file_system_write, true},
    {"fs.delete", file_system_delete, true},
    {"workspace-find-files", workspace_read, true},
    {"secretGet", secrets_read, true},
    {"secretList", secrets_read, true},
    {"secretStore", secrets_write, true},
    {"secretDelete", secrets_write, true},
};

} // namespace

std::span<served_request const> served_requests() noexcept {
  return table;
}

served_request const* find_served_request(std::string_view type) noexcept {
  auto const* const found = std::ranges::find(table, type, &served_request::type);
  return found != std::end(table) ? found : nullptr;
}

} // namespace bulkhead
