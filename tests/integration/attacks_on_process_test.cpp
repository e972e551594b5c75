#include "attack_table.hpp"
#include "shared/forked.hpp"
#include "shared/open_directory.hpp"
#include "test_hosts.hpp"

#include <bulkhead/config/text_file.hpp>
#include <bulkhead/platform/containment.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

using namespace attacks;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using bulkhead::host_state;
using bulkhead::json;
using bulkhead::sandbox_tier;
namespace disk = std::filesystem;

namespace {

disk::path const corpus{BULKHEAD_TEST_SOURCE_DIR "/tests/adversary/process/extension"};

/// What tests give back, one line each: all that is not as it should be.
using faults = std::string;

void add(faults& to, std::string_view where, std::string_view what) {
  to.append(where).append(": ").append(what).append("\n");
}

faults caught(std::function<faults()> const& work) {
  try {
    return work();
  } catch (std::exception const& failed) {
    return std::string{"it ended early: "} + failed.what();
  }
}

/// Compares all attacks that are made in one containment with the table.
faults attack_all(containment which, disk::path const& set_user_id) {
  faults found;
  attacked_ground ground{attackers(), set_user_id};
  attack_run run{which, ground};
  auto const is_tier = which >= containment::basic;
  auto const compare = [&](attack_row const& row, std::string const& outcome) {
    auto const cell = row.in(which);
    if (!is_expected(outcome, cell, is_root()))
      add(found, row.name, outcome + ", and not " + std::string{cell});
    if (!is_tier)
      return;
    if (auto const damage = ground.damage(); !damage.empty())
      add(found, row.name, damage);
    if (!run.neighbour_answers())
      add(found, row.name, "the neighbour does not answer any more");
  };
  auto const by_extension = [](std::string_view name) { return name.find(':') != name.npos; };
  outcomes extension;
  for (auto const& row : attack_table()) {
    if (row.in(which).empty() || (row.name == "execute-set-user-id" && set_user_id.empty()))
      continue;
    if (by_extension(row.name) && extension.empty())
      extension = run.extension();
    compare(row, by_extension(row.name) ? extension[std::string{row.name}] : run.program(row.name));
  }
  for (auto const& [name, outcome] : extension)
    if (std::ranges::find(attack_table(), name, &attack_row::name) == attack_table().end())
      add(found, name, "is in no line of the table: " + outcome);
  return found;
}

void expect_as_in_table(containment which) {
  open_directory const place;
  auto const set_user_id = make_set_user_id_program(place.path());
  attackers();
  INFO(to_string(which));
  if (is_root()) {
    INFO("by root");
    CHECK(caught([&] { return attack_all(which, set_user_id); }) == "");
  }
  INFO("by an ordinary user");
  CHECK(as_ordinary_user([&] { return attack_all(which, set_user_id); }) == "");
}

// ---- in a host ----------------------------------------------------------------------------------

bulkhead::host_policy strong_host(std::string id, disk::path const& extension) {
  auto host = node_host(std::move(id), extension);
  host.sandbox.require = sandbox_tier::strong;
  host.restart.max_restarts = 0;
  host.limits.cpu_percent = is_root() ? host.limits.cpu_percent : 0; // it takes a control group
  return host;
}

/// An attacker of the strong tier beside a neighbour, in a runtime of their own.
struct two_hosts {
  explicit two_hosts(std::function<void(bulkhead::host_policy&)> const& change)
      : run{[&] {
        disk::copy(attackers().extension, place.path() / "attacker", disk::copy_options::recursive);
        disk::copy(attackers().neighbour, place.path() / "echo", disk::copy_options::recursive);
        auto attacker = strong_host("attacker", place.path() / "attacker");
        attacker.sandbox.file_write = true;
        change(attacker);
        return policy_of({attacker, strong_host("neighbour", place.path() / "echo")});
      }()} {
    for (auto const* const id : {"attacker", "neighbour"})
      if (auto const started = test_hosts::start(run.host(id)); !started)
        throw started.error();
  }

  disk::path storage() { return run->active_policy()->state_dir / "storage/attacker"; }

  bool neighbour_answers() {
    return outcome(run.host("neighbour").async_command("echo", {"hello"}, use_future)).has_value();
  }

  open_directory place;
  harness run;
};

faults attack_from_host() {
  faults found;
  attacked_ground ground{attackers(), {}};
  two_hosts hosts{[](bulkhead::host_policy&) {}};
  boost::json::object target{{"contained", true}, {"addon", "/usr/lib/none.node"}};
  for (auto const& [name, value] : ground.targets()) {
    auto const is_number = name == "victim" || name == "tcp" || name == "udp";
    target[name] = is_number ? json(std::stoi(value)) : json(value);
  }
  target["folder"] = hosts.storage().string();
  auto const ended =
      outcome(hosts.run.host("attacker").async_command("attack", {target}, use_future));
  if (!ended)
    throw ended.error();
  for (auto const& each : ended->as_array()) {
    auto const& record = each.as_object();
    auto const& name = record.at("attack").as_string();
    auto const got = record.at("outcome") == "got_through"
                         ? std::string{"through"}
                         : std::string{record.at("by").as_string()};
    auto const row = std::ranges::find(attack_table(), std::string_view{name}, &attack_row::name);
    if (row == attack_table().end() || !is_expected(got, row->in(containment::strong), is_root()))
      add(found, name, got);
  }
  if (ended->as_array().size() < 40)
    add(found, "attacks", "there are only " + std::to_string(ended->as_array().size()));
  if (auto const damage = ground.damage(); !damage.empty())
    add(found, "the machine", damage);
  if (!hosts.neighbour_answers())
    add(found, "the neighbour", "it does not answer");
  if (hosts.run.host("attacker").status().state != host_state::Running)
    add(found, "the attacker", "it does not run any more");
  return found;
}

/// What is written to a tmpfs is memory of the control group that wrote it.
bool is_in_memory(disk::path const& folder) {
  struct statfs seen {};
  return ::statfs(folder.c_str(), &seen) == 0 && seen.f_type == TMPFS_MAGIC;
}

std::string_view expected_end(host_row const& row, disk::path const& storage) {
  if (!is_root())
    return row.by_user;
  return row.name == "fill its storage" && is_in_memory(storage) ? "out_of_memory" : row.by_root;
}

faults use_without_end(host_row const& row) {
  faults found;
  two_hosts hosts{[&](bulkhead::host_policy& attacker) {
    attacker.limits.memory = 128u << 20;
    attacker.limits.storage = 4u << 20;
    if (row.name == "spin") // a busy machine may take longer to fill what the others fill
      attacker.limits.cpu_time = 1s;
    attacker.limits.cpu_percent = 0;
    attacker.limits.output_rate = 64u << 10;
  }};
  hosts.run.host("attacker")
      .async_command("provoke", {row.name, hosts.storage().string()}, 60s,
                     [](std::exception_ptr, json const&) {});
  auto const end = hosts.run.wait_for_entry("attacker", host_state::Unhealthy, 20s);
  if (!end)
    add(found, row.name, "the host goes on");
  else if (auto const why = to_string(end->why); why != expected_end(row, hosts.storage())) {
    add(found, row.name, std::string{why} + ", " + end->detail);
    for (auto const& line : hosts.run.host("attacker").status().last_lines)
      found += "  " + line + '\n';
  }
  if (!hosts.neighbour_answers())
    add(found, row.name, "the neighbour does not answer");
  return found;
}

} // namespace

TEST_CASE("what each attack comes to without containment is as documented", "[attacks]") {
  expect_as_in_table(containment::nothing);
}

TEST_CASE("what namespaces stop by themselves is as documented", "[attacks]") {
  expect_as_in_table(containment::namespaces);
}

TEST_CASE("what Landlock stops by itself is as documented", "[attacks]") {
  expect_as_in_table(containment::landlock);
}

TEST_CASE("what the filter stops by itself is as documented", "[attacks]") {
  expect_as_in_table(containment::filter);
}

TEST_CASE("the basic tier stops what it is documented to stop", "[attacks]") {
  expect_as_in_table(containment::basic);
}

TEST_CASE("the basic tier stops commands as documented", "[attacks]") {
  expect_as_in_table(containment::basic_command);
}

TEST_CASE("the strong tier stops what it is documented to stop", "[attacks]") {
  expect_as_in_table(containment::strong);
}

TEST_CASE("the strong tier stops commands as documented", "[attacks]") {
  expect_as_in_table(containment::strong_command);
}

TEST_CASE("an extension in a host comes to what the table says, and its neighbour is served",
          "[attacks]") {
  attackers();
  if (is_root())
    CHECK(caught(attack_from_host) == "");
  CHECK(as_ordinary_user(attack_from_host) == "");
}

TEST_CASE("a host that uses something without end is ended for that by root", "[attacks]") {
  for (auto const& row : host_table())
    if (is_root()) {
      INFO(row.name);
      CHECK(caught([&] { return use_without_end(row); }) == "");
    }
}

TEST_CASE("a host that uses something without end is ended for that by a user", "[attacks]") {
  attackers();
  for (auto const& row : host_table()) {
    INFO(row.name);
    CHECK(as_ordinary_user([&] { return use_without_end(row); }) == "");
  }
}

TEST_CASE("what deceives a reader of the log is shown and not done", "[attacks]") {
  two_hosts hosts{[](bulkhead::host_policy&) {}};
  REQUIRE(outcome(hosts.run.host("attacker")
                      .async_command("provoke", {"print what deceives a reader"}, use_future)));
  auto const line = hosts.run.wait_for_log("cleared");
  REQUIRE(line);
  CHECK(std::ranges::none_of(*line, [](char each) { return each == '\x1b' || each == '\0'; }));
  CHECK(line->find(R"(\x1b[2Jcleared \u{202e}esrever)") != std::string::npos);
}

TEST_CASE("names that look like options are names", "[attacks]") {
  open_directory const place;
  auto const extension = place.path() / R"(--bind "$HOME")" / "--ro-bind ' ;";
  disk::create_directories(extension.parent_path());
  disk::copy(test_hosts::folder / "extensions/echo", extension, disk::copy_options::recursive);
  harness run{policy_of({strong_host("one", extension)})};
  REQUIRE(run.start());
  CHECK(outcome(run.host().async_command("echo", {"--dev-bind"}, use_future)));
}

TEST_CASE("a program that others may write is not started", "[attacks]") {
  open_directory const place;
  auto const program = place.path() / "program";
  disk::copy_file(BULKHEAD_TEST_ATTACKS, program);
  ::chmod(program.c_str(), 0757);
  auto host = command_host("one", {program.string()});
  host.sandbox.require = sandbox_tier::strong;
  host.limits.cpu_percent = 0;
  harness run{policy_of({host})};
  auto const started = test_hosts::start(run.host());
  REQUIRE(!started);
  CHECK(run.host().status().detail.find("integrity_unsafe_owner") != std::string::npos);
}

TEST_CASE("a program that is replaced after it was verified does not run", "[attacks]") {
  namespace platform = bulkhead::platform;
  open_directory const place;
  auto const program = place.path() / "program";
  disk::copy_file("/bin/true", program);
  auto const contained = platform::containment::create(
      {.runtime = "attacks-swap", .scripts = corpus, .first_uid = attacker_user});
  platform::containment_spec spec;
  spec.host = "one";
  spec.process.program = program;
  spec.is_node = false;
  auto prepared = contained->prepare(spec);
  REQUIRE(prepared.has_value());
  SECTION("in its place") {
    disk::copy_file(BULKHEAD_TEST_ATTACKS, place.path() / "other");
    disk::rename(place.path() / "other", program);
  }
  SECTION("in the file itself") {
    std::ofstream{program, std::ios::app} << "more";
  }
  auto const started = contained->start(*prepared, spec.process, [] {});
  REQUIRE(!started.has_value());
  CHECK(started.error().code() == bulkhead::errc::integrity_mismatch);
}

TEST_CASE("the documentation of the attacks is the table that the tests compare", "[attacks]") {
  disk::path const file{BULKHEAD_TEST_SOURCE_DIR "/docs/attacks.md"};
  auto text = bulkhead::read_text_file(file, 1u << 20, bulkhead::errc::policy_unreadable).value();
  constexpr std::string_view begin = "<!-- the table begins -->\n";
  auto const at = text.find(begin);
  REQUIRE(at != text.npos);
  auto const current = text.substr(0, at + begin.size()) + attack_document();
  if (std::getenv("BULKHEAD_WRITE_DOCUMENTS"))
    std::ofstream{file} << current;
  else
    CHECK((text == current || !"out of date: run this test with BULKHEAD_WRITE_DOCUMENTS=1"));
}
