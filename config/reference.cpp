#include <bulkhead/config/reference.hpp>

#include <bulkhead/config/policy_keys.hpp>

namespace bulkhead {
namespace {

namespace keys = policy_keys;

constexpr std::string_view preface =
    R"(# The policy file

One TOML file says what runs and what it may do. Paths are relative to the file. A time is a string
of a whole number and one of ms, s, min, h; a size one of B, KiB, MiB, GiB (powers of 1024), KB, MB,
GB (powers of 1000). An unknown key is an error. Every host starts from [defaults], which takes the
keys of [hosts.NAME]: a table is merged key by key, a list is replaced.
)";

/// "runtime" of "runtime.name", "hosts.*.restart" of "hosts.*.restart.window".
std::string_view table_of(keys::key const& row) {
  constexpr std::string_view any_name = ".*.";
  auto const star = row.path.find(any_name);
  auto const from = star == std::string_view::npos ? 0 : star + any_name.size();
  auto const dot = row.path.find('.', from);
  if (dot != std::string_view::npos)
    return row.path.substr(0, dot);
  return from == 0 ? row.path : row.path.substr(0, from - 1);
}

std::string with_name(std::string_view table) {
  std::string shown{table};
  if (auto const star = shown.find('*'); star != std::string::npos)
    shown.replace(star, 1, "NAME");
  return shown;
}

std::string entry(keys::key const& row) {
  auto const table = table_of(row);
  auto const name = row.path == table ? row.path : row.path.substr(table.size() + 1);
  std::string text = "\n- `" + std::string{name} + "`: ";
  if (keys::is_planned(row))
    return text += "not enforced by this version, and refused. " + std::string{row.meaning} + ".\n";

  text += keys::type_of(row);
  if (auto const range = keys::range_of(row); !range.empty())
    text += (std::holds_alternative<keys::choice>(row.takes) ? " " : ", ") + range;
  auto const fallback = keys::default_of(row);
  bool const none = fallback.empty();
  text += none ? "; no default" : "; default `" + fallback + '`';
  text += ".\n  " + std::string{row.meaning} + ".\n";
  text += none ? "  Why none: " : "  Why the default: ";
  return text += std::string{row.reason} + ".\n";
}

} // namespace

std::string policy_reference() {
  std::string text{preface};
  std::string_view table;
  for (keys::key const& row : keys::all()) {
    if (auto const of_row = table_of(row); of_row != table) {
      table = of_row;
      text += "\n## [" + with_name(table) + "]\n";
    }
    text += entry(row);
  }
  text += "\n## Permissions\n\n";
  for (permission const p : all_permissions())
    text += "- `" + std::string{to_string(p)} + "`\n";
  return text;
}

} // namespace bulkhead
