#include <bulkhead/harness/adversary.hpp>

#include <bulkhead/config/text_file.hpp>
#include <bulkhead/harness/attack_claims.hpp>
#include <bulkhead/harness/attacked_ground.hpp>
#include <bulkhead/harness/harness.hpp>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace bulkhead::testing {
namespace {

namespace disk = std::filesystem;
using boost::asio::use_future;
using boost::json::array;
using boost::json::object;

/// Above it, claims are about resources, and their attacks take their time.
constexpr int first_claim_on_resources = 50;
constexpr int last_claim_on_resources = 55;

/// Bytes of the audit log of some hundred requests.
constexpr std::size_t longest_log = 16u << 20;

/// What is asked for through the backend, by the name that the report has for it.
using places = std::map<std::string, std::string>;

/// A copy of the attackers that any user can read, as an extension has to be.
class corpus_copy {
public:
  explicit corpus_copy(disk::path const& corpus) {
    disk::permissions(place_.path(), disk::perms{0755});
    disk::create_directories(extension() / "process");
    for (auto const& entry : disk::directory_iterator{corpus})
      if (auto const name = entry.path().filename(); name != "process")
        disk::copy(entry.path(), extension() / name, disk::copy_options::recursive);
    disk::copy(corpus / "process/extension", extension() / "process/extension",
               disk::copy_options::recursive);
    disk::copy_file(corpus / "process/bulkhead_attacks", program());
  }

  disk::path extension() const { return place_.path() / "extension"; }
  disk::path program() const { return place_.path() / "bulkhead_attacks"; }
  attackers_files files() const { return {program(), extension() / "process/extension"}; }

private:
  temporary_directory place_;
};

adversary_attempt attempt_of(std::string attack, bool got_through, std::string by) {
  adversary_attempt made{std::move(attack), 0, {}, got_through, std::move(by)};
  if (auto const* const about = find_claim(made.attack)) {
    made.claim = about->number;
    made.sentence = about->sentence;
  }
  return made;
}

void keep(adversary_report& report, object const& record) {
  auto name = std::string{record.at("attack").as_string()};
  if (gains_something(name))
    report.attempts.push_back(attempt_of(std::move(name), record.at("outcome") == "got_through",
                                         std::string{record.at("by").as_string()}));
}

/// The host with all that its policy says, but ready for another program.
host_policy emptied(host_policy host) {
  host.autostart = false;
  host.restart.max_restarts = 0;
  host.strict_permissions = false; // the attackers ask for all that they try
  host.integrity = {};
  host.rate_limit = {1'000'000, 1'000'000, {}};
  return host;
}

/// The policy with these hosts alone, and nothing of its state.
policy around(policy what, std::vector<host_policy> hosts) {
  what.file.clear();
  what.state_dir.clear();
  what.secrets = {};
  what.secrets.backend = secret_backend_kind::memory;
  what.audit = {};
  what.audit.level = audit_level::everything;
  what.hosts = std::move(hosts);
  return what;
}

places real_places() {
  places found{{"/etc/shadow", "/etc/shadow"}, {"/root", "/root"}, {"/proc/1", "/proc/1/environ"}};
  if (auto const* const home = std::getenv("HOME"); home != nullptr && *home == '/')
    for (auto const* const name : {".ssh", ".gnupg", ".aws", ".config"})
      found.emplace(std::string{"~/"} + name, (disk::path{home} / name).string());
  return found;
}

object process_target(attacked_ground const& ground, host_policy const& host,
                      disk::path const& storage) {
  object target;
  for (auto const& [name, value] : ground.targets()) {
    auto const is_number = name == "victim" || name == "tcp" || name == "udp";
    target[name] = is_number ? json(std::stoi(value)) : json(value);
  }
  array environment;
  for (auto const& [name, value] : host.environment)
    environment.emplace_back(name);
  target["environment"] = std::move(environment);
  target["contained"] = host.sandbox.require != sandbox_tier::none;
  target["folder"] = storage.string();
  target["addon"] = "/usr/lib/none.node";
  return target;
}

json run_command(harness& run, char const* command, object target) {
  auto ended =
      outcome(run.host().async_command(command, {std::move(target)}, patience, use_future));
  if (!ended)
    throw ended.error();
  return std::move(*ended);
}

/// The rule by which the backend decided on each path that was only looked at.
std::map<std::string, std::string> rules_in(disk::path const& audit_log) {
  std::map<std::string, std::string> rules;
  auto const text = read_text_file(audit_log, longest_log, errc::audit_unavailable);
  if (!text)
    throw text.error();
  std::istringstream lines{*text};
  for (std::string line; std::getline(lines, line);) {
    auto const record = boost::json::parse(line).as_object();
    if (record.at("what") == "fs.stat")
      rules[std::string{record.at("object").as_string()}] =
          std::string{record.at("rule").as_string()};
  }
  return rules;
}

void name_rules(adversary_report& report, places const& looked_at,
                std::map<std::string, std::string> const& rules) {
  constexpr std::string_view attacker = "folders-with-secrets: ";
  for (auto& each : report.attempts) {
    if (!each.attack.starts_with(attacker))
      continue;
    auto const place = looked_at.find(each.attack.substr(attacker.size()));
    auto const rule = place == looked_at.end() ? rules.end() : rules.find(place->second);
    if (rule != rules.end() && !rule->second.empty())
      each.by += (each.by.empty() ? "" : ", ") + rule->second;
  }
}

void attack_as_extension(adversary_report& report, policy const& what, host_policy const& tried,
                         corpus_copy const& copy, attacked_ground const& ground) {
  auto host = emptied(tried);
  host.extension = copy.extension();
  harness run{around(what, {host})};
  if (auto const started = outcome(run.host().async_start(use_future)); !started)
    throw started.error();
  auto const rules = run->active_policy();
  auto const storage = rules->state_dir / "storage" / host.id;
  auto const by_itself = run_command(run, "attack", process_target(ground, host, storage));
  for (auto const& each : by_itself.as_array())
    keep(report, each.as_object());

  auto const looked_at = real_places();
  object named;
  for (auto const& [name, path] : looked_at)
    named[name] = path;
  auto const through_backend = run_command(
      run, "attackBackend",
      {{"outside", (ground.outside() / "secret").string()}, {"places", std::move(named)}});
  for (auto const& each : through_backend.as_array())
    keep(report, each.as_object());
  run.destroy(); // so that the log is complete
  name_rules(report, looked_at, rules_in(rules->audit_file()));
}

// ---- in the place of a command ------------------------------------------------------------------

/// Attacks on what is not there: a terminal that was left open, a set-user-ID program of root's.
constexpr std::string_view without_target[] = {"type-into-terminal", "paste-into-console",
                                               "execute-set-user-id"};

/// Whether the native program makes it in no more than a moment, and there is something to attack.
bool is_for_program(claim const& about, std::string_view attack, bool is_contained) {
  auto const is_by_extension = attack.find(':') != attack.npos;
  auto const is_on_resources =
      about.number >= first_claim_on_resources && about.number <= last_claim_on_resources;
  auto const has_target = std::ranges::find(without_target, attack) == std::end(without_target);
  // Uncontained, its keeper is this very process.
  auto const is_safe = is_contained || attack != "kill-keeper";
  return !is_by_extension && !is_of_backend(attack) && !is_on_resources && has_target && is_safe &&
         gains_something(attack);
}

std::vector<std::string> program_attacks(bool is_contained) {
  std::vector<std::string> names;
  for (auto const& about : all_claims())
    for (auto const name : about.attacks)
      if (is_for_program(about, name, is_contained))
        names.emplace_back(name);
  return names;
}

/// What one process of the program printed; nothing where the attack was its end.
std::optional<object> record_in(std::vector<std::string> const& lines, std::string_view attack) {
  for (auto const& line : lines) {
    boost::system::error_code failed;
    auto const read = boost::json::parse(line, failed);
    auto const* const record = failed ? nullptr : read.if_object();
    auto const* const name = record ? record->if_contains("attack") : nullptr;
    if (name && *name == json(attack))
      return *record;
  }
  return std::nullopt;
}

/// In the host of that name.
void attack_by_program(adversary_report& report, harness& run, std::string const& attack) {
  run.host(attack).async_start([](std::exception_ptr, host_state) {}); // it is never ready
  auto const end = run.wait_for_entry(attack, host_state::Crashed);
  if (!end)
    throw std::runtime_error{attack + " did not end"};
  auto status = run.host(attack).status();
  if (status.why == reason::launch_failed || status.why == reason::sandbox_failure ||
      status.why == reason::integrity_failure)
    throw error{errc::host_not_running, status.detail}
        .with_host(report.host)
        .with_host_reason(status.why);
  if (status.last_end == reason::clean_exit && run.wait_for_log("\"attack\":\"" + attack + '"'))
    status = run.host(attack).status(); // its output may come after its end
  if (auto const record = record_in(status.last_lines, attack))
    keep(report, *record);
  else
    report.attempts.push_back(attempt_of(attack, false, status.last_end_detail));
}

void attack_as_command(adversary_report& report, policy const& what, host_policy const& tried,
                       corpus_copy const& copy, attacked_ground const& ground) {
  auto const attacks = program_attacks(tried.sandbox.require != sandbox_tier::none);
  std::vector<host_policy> hosts;
  for (auto const& attack : attacks) {
    auto& host = hosts.emplace_back(emptied(tried));
    host.id = attack;
    host.command = {copy.program().string(), attack};
    for (auto const& [name, value] : ground.targets())
      host.command.push_back(name + '=' + value);
  }
  harness run{around(what, std::move(hosts))};
  for (auto const& attack : attacks)
    attack_by_program(report, run, attack);
}

} // namespace

std::vector<adversary_attempt> adversary_report::got_through() const {
  std::vector<adversary_attempt> found;
  std::ranges::copy_if(attempts, std::back_inserter(found), &adversary_attempt::got_through);
  return found;
}

std::string to_string(adversary_report const& report) {
  auto const through = report.got_through();
  auto text = report.host + ", sandbox.require = " + std::string{to_string(report.required)} +
              ": " + std::to_string(through.size()) + " of " +
              std::to_string(report.attempts.size()) + " attempts got through\n";
  auto const add = [&](adversary_attempt const& each) {
    text.append(each.got_through ? "THROUGH  " : "stopped  ")
        .append(std::to_string(each.claim))
        .append("  ")
        .append(each.attack)
        .append(each.by.empty() ? "" : " (" + each.by + ")")
        .append(": ")
        .append(each.sentence)
        .append("\n");
  };
  std::ranges::for_each(through, add);
  for (auto const& each : report.attempts)
    if (!each.got_through)
      add(each);
  return text;
}

adversary_report attack(policy const& what, std::string_view host, disk::path const& corpus) {
  auto const* const tried = what.find_host(host);
  if (tried == nullptr)
    throw error{errc::unknown_host}.with_host(std::string{host});
  adversary_report report{tried->id, tried->sandbox.require, {}};
  if (report.required == sandbox_tier::none && ::geteuid() == 0) {
    auto const* const about = find_claim("become-root");
    report.attempts.push_back({"run as root, with nothing around it", about->number,
                               about->sentence, true, "sandbox.require = none"});
    return report;
  }
  corpus_copy const copy{corpus};
  attacked_ground const ground{copy.files(), {}};
  auto const run = tried->runtime == host_runtime::node ? attack_as_extension : attack_as_command;
  run(report, what, *tried, copy, ground);
  return report;
}

} // namespace bulkhead::testing
