#include <bulkhead/config/served_requests.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace bulkhead {
namespace {

using enum permission;
using path_member = served_request::path_member;

constexpr path_member reads[] = {{"path", path_action::read}};
constexpr path_member writes[] = {{"path", path_action::write}};
constexpr path_member moves[] = {{"from", path_action::write}, {"to", path_action::write}};
constexpr path_member copies[] = {{"from", path_action::read}, {"to", path_action::write}};

constexpr served_request table[] = {
    {"command-registered", std::nullopt, {}, false},
    {"command-unregistered", std::nullopt, {}, false},
    {"fs.closeFile", std::nullopt, {}, false},
    {"fs.commitFile", file_system_write, {}, false},
    {"fs.copy", file_system_write, copies, true},
    {"fs.createDirectory", file_system_write, writes, true},
    {"fs.delete", file_system_delete, writes, true},
    {"fs.openRead", file_system_read, reads, false},
    {"fs.openWrite", file_system_write, writes, true},
    {"fs.readChunk", file_system_read, {}, false},
    {"fs.readDirectory", file_system_read, reads, false},
    {"fs.readFile", file_system_read, reads, false},
    {"fs.rename", file_system_write, moves, true},
    {"fs.stat", file_system_read, reads, false},
    {"fs.unwatch", file_system_read, {}, false},
    {"fs.watch", file_system_read, reads, false},
    {"fs.writeChunk", file_system_write, {}, false, true},
    {"fs.writeFile", file_system_write, writes, true, true},
    {"log", std::nullopt, {}, false},
    {"secretDelete", secrets_write, {}, true},
    {"secretGet", secrets_read, {}, true},
    {"secretList", secrets_read, {}, true},
    {"secretStore", secrets_write, {}, true},
    {"workspace-find-files", workspace_read, {}, false},
};
static_assert(std::ranges::is_sorted(table, {}, &served_request::type)); // for people

// ---- one look for a type, since every request is looked up ------------------------------------

constexpr std::size_t slots = 256;
constexpr std::uint32_t seeds_tried = 1000;

/// From the size and three letters: enough to tell the types above apart.
constexpr std::size_t slot_of(std::string_view type, std::uint32_t seed) noexcept {
  auto const letter = [type](std::size_t at) {
    return std::uint32_t{static_cast<unsigned char>(type[at])};
  };
  auto const key = static_cast<std::uint32_t>(type.size()) ^ letter(type.size() - 1) << 8 ^
                   letter(type.size() / 2) << 16 ^ letter(type.size() * 3 / 4) << 24;
  return key * seed >> 24;
}

constexpr bool is_perfect(std::uint32_t seed) {
  std::array<bool, slots> taken{};
  return std::ranges::none_of(table, [&](auto const& each) {
    return std::exchange(taken[slot_of(each.type, seed)], true);
  });
}

/// 0: there is none.
constexpr std::uint32_t seed = [] {
  constexpr std::uint32_t golden = 0x9E3779B1; // a prime next to 2^32 / phi: its multiples mix well
  for (std::uint32_t i = 1; i < seeds_tried; ++i)
    if (is_perfect(i * golden))
      return i * golden;
  return 0u;
}();
static_assert(seed != 0, "two types share a slot under every seed: look at another letter");

constexpr auto place_of_slot = [] {
  std::array<std::uint8_t, slots> made{};
  made.fill(std::size(table));
  for (std::size_t i = 0; i < std::size(table); ++i)
    made[slot_of(table[i].type, seed)] = static_cast<std::uint8_t>(i);
  return made;
}();

} // namespace

std::span<served_request const> served_requests() noexcept {
  return table;
}

served_request const* find_served_request(std::string_view type) noexcept {
  if (type.empty())
    return nullptr;
  auto const* const found = std::begin(table) + place_of_slot[slot_of(type, seed)];
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
