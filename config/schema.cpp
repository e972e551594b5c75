#include <bulkhead/config/reference.hpp>

#include <bulkhead/config/policy_keys.hpp>
#include <bulkhead/config/units.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <utility>

namespace bulkhead {
namespace {

namespace keys = policy_keys;
using boost::json::array;
using boost::json::object;
using boost::json::value;

array strings(std::span<std::string_view const> texts) {
  array list;
  for (auto const text : texts)
    list.emplace_back(text);
  return list;
}

object reference_to(std::string_view definition) {
  return {{"$ref", "#/$defs/" + std::string{definition}}};
}

object text_like(std::string const& pattern) {
  return {{"type", "string"}, {"pattern", pattern}};
}

object with_unit(std::string_view units) {
  return text_like("^[0-9]+(" + std::string{units} + ")$");
}

template <class T>
object number(std::string_view type, T low, T high) {
  return {{"type", type}, {"minimum", low}, {"maximum", high}};
}

object list_of(object element) {
  return {{"type", "array"}, {"items", std::move(element)}};
}

/// What the key takes, without what is said about it.
object shape_of(keys::key const& row) {
  return std::visit(
      keys::overloaded{
          [](keys::flag) -> object {
            return {{"type", "boolean"}};
          },
          [](keys::choice const& c) -> object {
            return {{"enum", strings(c.names)}};
          },
          [](keys::name) { return text_like(std::string{keys::name_pattern}); },
          [](keys::path) -> object {
            return {{"type", "string"}, {"minLength", 1}};
          },
          [](keys::time const&) { return with_unit(units::time_units); },
          [](keys::size const&) { return with_unit(units::size_units); },
          []<class T>(keys::count<T> const& c) { return number("integer", c.low, c.high); },
          [](keys::fraction const& f) { return number("number", f.low, f.high); },
          [](keys::exit_codes const& e) { return list_of(number("integer", e.low, e.high)); },
          [](keys::command) {
            auto shape = list_of({{"type", "string"}});
            shape["minItems"] = 1;
            return shape;
          },
          [](keys::host_names) {
            auto shape = list_of(text_like(std::string{keys::name_pattern}));
            shape["minItems"] = 1;
            shape["uniqueItems"] = true;
            return shape;
          },
          [](keys::permissions) { return list_of(reference_to("permission")); },
          [](keys::folders) {
            return list_of({{"type", "string"}, {"minLength", 1}});
          },
          [](keys::patterns) {
            return list_of({{"type", "string"}, {"minLength", 1}});
          },
          [](keys::rates const& r) -> object {
            return {{"type", "object"}, {"additionalProperties", number("integer", r.low, r.high)}};
          },
          [](keys::environment) -> object {
            return {{"type", "object"},
                    {"propertyNames", text_like("^[A-Za-z_][A-Za-z0-9_]*$")},
                    {"additionalProperties", {{"type", "string"}}}};
          },
          [](keys::requests) -> object {
            return {{"type", "object"}, {"additionalProperties", reference_to("permission")}};
          },
          [](keys::digest) { return text_like("^([0-9a-f]{64})?$"); },
          [](keys::digests) { return list_of(text_like(std::string{keys::digest_pattern})); },
          [](keys::filter) -> object {
            return {{"type", "string"}, {"minLength", 1}};
          },
          [](keys::planned) -> object {
            return {{"not", object{}}};
          },
      },
      row.takes);
}

object schema_of(keys::key const& row) {
  auto schema = shape_of(row);
  std::string description{row.meaning};
  if (keys::is_planned(row))
    description += ". Not enforced by this version, and refused";
  else if (auto const range = keys::range_of(row); !range.empty() && !schema.contains("enum"))
    description += " (" + range + ')';
  schema["description"] = description + '.';
  if (auto const fallback = keys::default_of(row); !fallback.empty())
    schema["default"] = boost::json::parse(fallback);
  return schema;
}

object closed_table() {
  return {{"type", "object"}, {"properties", object{}}, {"additionalProperties", false}};
}

/// Puts the schema where the path leads, making tables on the way.
void place(object& table, std::string_view path, object schema) {
  auto& properties = table["properties"].as_object();
  auto const dot = path.find('.');
  auto const name = path.substr(0, dot);
  if (dot == std::string_view::npos) {
    properties[name] = std::move(schema);
    return;
  }
  auto& child = properties[name];
  if (child.is_null())
    child = closed_table();
  place(child.as_object(), path.substr(dot + 1), std::move(schema));
}

void indent(std::string& text, std::size_t depth) {
  text.append(2 * depth, ' ');
}

void print(std::string& text, value const& v, std::size_t depth);

template <class Container, class PrintElement>
void print_lines(std::string& text, Container const& elements, std::string_view brackets,
                 std::size_t depth, PrintElement print_element) {
  text += brackets.front();
  char const* separator = "\n";
  for (auto const& element : elements) {
    text += std::exchange(separator, ",\n");
    indent(text, depth + 1);
    print_element(element);
  }
  text += '\n';
  indent(text, depth);
  text += brackets.back();
}

/// As people lay out JSON: a member a line.
void print(std::string& text, value const& v, std::size_t depth) {
  if (auto const* members = v.if_object(); members != nullptr && !members->empty())
    print_lines(text, *members, "{}", depth, [&](auto const& member) {
      text += boost::json::serialize(member.key()) + ": ";
      print(text, member.value(), depth + 1);
    });
  else if (auto const* elements = v.if_array(); elements != nullptr && !elements->empty())
    print_lines(text, *elements, "[]", depth,
                [&](value const& element) { print(text, element, depth + 1); });
  else
    text += boost::json::serialize(v);
}

} // namespace

std::string policy_schema() {
  constexpr std::string_view host_prefix = "hosts.*.";
  constexpr std::string_view group_prefix = "groups.*.";
  auto file = closed_table();
  auto host = closed_table();
  auto group = closed_table();
  auto& tables = file["properties"].as_object();
  tables["defaults"] = reference_to("host");
  tables["hosts"] = {{"type", "object"},
                     {"minProperties", 1},
                     {"propertyNames", text_like(std::string{keys::name_pattern})},
                     {"additionalProperties", reference_to("host")}};
  tables["groups"] = {{"type", "object"},
                      {"propertyNames", text_like(std::string{keys::name_pattern})},
                      {"additionalProperties", reference_to("group")}};
  for (keys::key const& row : keys::all())
    if (row.path.starts_with(host_prefix))
      place(host, row.path.substr(host_prefix.size()), schema_of(row));
    else if (row.path.starts_with(group_prefix))
      place(group, row.path.substr(group_prefix.size()), schema_of(row));
    else
      place(file, row.path, schema_of(row));
  group["required"] = {"hosts"};

  array permissions;
  for (permission const p : all_permissions())
    permissions.emplace_back(to_string(p));

  object schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                {"title", "Bulkhead policy"}};
  for (auto& member : file)
    schema[member.key()] = std::move(member.value());
  schema["required"] = {"hosts"};
  schema["$defs"] = {{"host", std::move(host)},
                     {"group", std::move(group)},
                     {"permission", {{"enum", std::move(permissions)}}}};

  std::string text;
  print(text, schema, 0);
  return text += '\n';
}

} // namespace bulkhead
