#pragma once

#include <bulkhead/config/policy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The table of every key that a policy file can have: the one source for the loader, the reference
/// and the schema. Internal to config; a new key is one new row.
namespace bulkhead::policy_keys {

/// What the loader fills: the policy, and the host (or the defaults) or the group that it is
/// reading at the moment.
struct draft {
  policy file;
  host_policy host;
  group_policy group;
};

/// As if the policy file were empty: where every default in the reference and the schema comes
/// from.
draft empty_draft();

/// The place that a key's value goes to.
template <class T>
using slot = T& (*)(draft&);

struct flag {
  slot<bool> of;
};

/// Of one of the names, by its index.
struct choice {
  std::span<std::string_view const> names;
  std::size_t (*get)(draft&);
  void (*set)(draft&, std::size_t);
};

/// A name that can stand in a path and a metric; see valid_name.
struct name {
  slot<std::string> of;
};

struct path {
  slot<std::filesystem::path> of;
};

struct time {
  slot<std::chrono::milliseconds> of;
  std::chrono::milliseconds low, high;
};

struct size {
  slot<std::size_t> of;
  std::size_t low, high;
};

template <class T>
struct count {
  slot<T> of;
  T low, high;
};

struct fraction {
  slot<double> of;
  double low, high;
};

struct exit_codes {
  slot<std::vector<int>> of;
  int low, high;
};

struct command {
  slot<std::vector<std::string>> of;
};

/// Hosts, by their ids.
struct host_names {
  slot<std::vector<std::string>> of;
};

struct permissions {
  slot<permission_set> of;
  slot<std::map<permission, grant_place>> places;
};

/// Folders, by their paths.
struct folders {
  slot<std::vector<std::filesystem::path>> of;
};

/// Paths and globs. Only what denies may begin with "**", wherever it is.
struct patterns {
  slot<std::vector<path_pattern>> of;
  bool may_float;
};

/// Request types, each with a number.
struct rates {
  slot<std::map<std::string, std::uint32_t, std::less<>>> of;
  std::uint32_t low, high;
};

struct environment {
  slot<std::map<std::string, std::string>> of;
};

struct requests {
  slot<std::map<std::string, permission, std::less<>>> of;
};

/// SHA-256 in hexadecimal: one, or none as "".
struct digest {
  slot<std::string> of;
};

struct digests {
  slot<std::vector<std::string>> of;
};

/// A file, or "default" for none.
inline constexpr std::string_view default_filter = "default";
struct filter {
  slot<std::filesystem::path> of;
};

/// A key of a later feature: known, and refused where it is written.
struct planned {};

using value =
    std::variant<flag, choice, name, path, time, size, count<std::uint32_t>, count<std::size_t>,
                 fraction, exit_codes, command, host_names, permissions, folders, patterns, rates,
                 environment, requests, digest, digests, filter, planned>;

/// One key. In a path, `hosts.*` stands for every host and for [defaults], `groups.*` for every
/// group.
struct key {
  std::string_view path; ///< "hosts.*.restart.backoff.initial"
  value takes;
  std::string_view meaning; ///< a sentence without its stop
  std::string_view reason;  ///< why the default is what it is; empty for planned keys
};

/// Every key, grouped by table in the order of the reference.
std::span<key const> all() noexcept;

/// The row of that path; null where there is none.
key const* find(std::string_view path) noexcept;

/// The names that can stand in a table, each once: children("hosts.*") has "extension", …,
/// "restart", … An empty path is the file itself, which has [defaults] too.
std::vector<std::string_view> children(std::string_view table);

inline bool is_planned(key const& k) noexcept {
  return std::holds_alternative<planned>(k.takes);
}

/// What the value is, in one word or two: "time", "list of permissions".
std::string_view type_of(key const& k);

/// The range as a sentence's part, `"1ms" to "24h"`; empty where the type says it all.
std::string range_of(key const& k);

/// The default as TOML (and JSON) writes it; empty where there is none.
std::string default_of(key const& k);

/// The value in a policy, in the same way. Of environment variables the names only.
std::string value_of(key const& k, draft& in);

/// A host's id and a runtime's name: 1 to 64 of A-Z a-z 0-9 _ . - that start with a letter or a
/// digit.
bool valid_name(std::string_view text) noexcept;
inline constexpr std::string_view name_pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$";
inline constexpr std::size_t digest_size = 64;
inline constexpr std::string_view digest_pattern = "^[0-9a-f]{64}$";
inline constexpr std::string_view name_rule =
    "1 to 64 of A-Z a-z 0-9 _ . - that start with a letter or a digit";

/// One of several functions by the type of its argument.
template <class... Functions>
struct overloaded : Functions... {
  using Functions::operator()...;
};
/// C++20 has it without being told, and Clang since 17.
template <class... Functions>
overloaded(Functions...) -> overloaded<Functions...>;

} // namespace bulkhead::policy_keys
