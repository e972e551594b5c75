#include <bulkhead/config/load.hpp>
#include <bulkhead/config/policy_keys.hpp>
#include <bulkhead/config/reference.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <boost/json.hpp>
#include <set>

using namespace bulkhead;

namespace {

/// Every leaf of a schema's properties, as paths in the table of keys.
void collect(boost::json::object const& schema, std::string const& prefix,
             std::set<std::string>& paths) {
  for (auto const& [name, child] : schema.at("properties").as_object()) {
    if (child.as_object().contains("$ref"))
      continue;
    auto const path = prefix + std::string{name};
    if (child.as_object().contains("properties"))
      collect(child.as_object(), path + '.', paths);
    else
      paths.insert(path);
  }
}

boost::json::object schema() {
  return boost::json::parse(policy_schema()).as_object();
}

} // namespace

TEST_CASE("every key has a path of its own, a meaning, and a reason for its default") {
  std::set<std::string_view> paths;
  for (auto const& row : policy_keys::all()) {
    CHECK(paths.insert(row.path).second);
    CHECK_FALSE(row.meaning.empty());
    CHECK(row.reason.empty() == policy_keys::is_planned(row));
  }
}

TEST_CASE("the reference has every key in its table, with its default") {
  auto const reference = policy_reference();
  std::size_t entries = 0;
  for (auto at = reference.find("\n- `"); at != std::string::npos;
       at = reference.find("\n- `", at + 1))
    ++entries;
  CHECK(entries == policy_keys::all().size() + permission_count);
  for (auto const& row : policy_keys::all()) {
    auto const name = row.path.substr(row.path.rfind('.') + 1);
    CHECK(reference.find(std::string{name} + "`: ") != std::string::npos);
    CHECK(reference.find(row.meaning) != std::string::npos);
  }
  CHECK(reference.find(
            "## [hosts.NAME.restart]\n\n- `max_restarts`: whole number, 0 to 1000; default `3`.\n"
            "  How often a failed host is started again within the window; 0 is never.\n"
            "  Why the default: a fault that three fresh starts don't mend is not transient.\n") !=
        std::string::npos);
  CHECK(reference.find(
            "- `transport`: one of \"socketpair\" or \"sockets\"; default `\"socketpair\"`.") !=
        std::string::npos);
}

TEST_CASE("the schema's keys are the table's") {
  auto const file = schema();
  std::set<std::string> in_schema;
  auto top = file;
  top.at("properties").as_object().erase("hosts");
  top.at("properties").as_object().erase("groups");
  collect(top, "", in_schema);
  collect(file.at("$defs").at("host").as_object(), "hosts.*.", in_schema);
  collect(file.at("$defs").at("group").as_object(), "groups.*.", in_schema);

  std::set<std::string> in_table;
  for (auto const& row : policy_keys::all())
    in_table.emplace(row.path);
  CHECK(in_schema == in_table);
}

TEST_CASE("the schema describes hosts, defaults and permissions") {
  auto const file = schema();
  CHECK(file.at("$schema") == "https://json-schema.org/draft/2020-12/schema");
  CHECK(file.at("additionalProperties") == false);
  CHECK(file.at("required").as_array().front() == "hosts");
  auto const& properties = file.at("properties").as_object();
  CHECK(properties.at("defaults").at("$ref") == "#/$defs/host");
  CHECK(properties.at("hosts").at("additionalProperties").at("$ref") == "#/$defs/host");
  CHECK(file.at("$defs").at("permission").at("enum").as_array().size() == permission_count);

  auto const& host = file.at("$defs").at("host").at("properties").as_object();
  auto const& in_flight = host.at("limits").at("properties").at("in_flight").as_object();
  CHECK(in_flight.at("type") == "integer");
  CHECK(in_flight.at("minimum") == 1);
  CHECK(in_flight.at("maximum") == 1 << 19);
  CHECK(in_flight.at("default") == defaults::in_flight);
  CHECK(host.at("start_timeout").at("default") == "10s");
  CHECK(host.at("limits").at("properties").at("network_requests").as_object().contains("not"));
}

TEST_CASE("every default that the reference names loads and changes nothing") {
  // Not these: a host of its own has to say them.
  std::set<std::string_view> const own{"hosts.*.sandbox.require", "hosts.*.command"};
  for (auto const& row : policy_keys::all()) {
    auto const fallback = policy_keys::default_of(row);
    if (fallback.empty() || own.contains(row.path))
      continue;
    constexpr std::string_view host = "hosts.*.";
    constexpr std::string_view group = "groups.*.";
    std::string path{row.path};
    if (row.path.starts_with(host))
      path = "defaults." + std::string{row.path.substr(host.size())};
    else if (row.path.starts_with(group))
      path = "groups.g.hosts = [\"x\"]\ngroups.g." + std::string{row.path.substr(group.size())};
    auto const loaded = parse_policy(
        path + " = " + fallback + "\n[hosts.x]\nextension = \"x\"\nsandbox.require = \"none\"\n",
        "/etc");
    CHECK(loaded.hosts.at(0).limits.frame == defaults::frame);
    CHECK(loaded.state_dir == "/etc/state");
  }
}
