#include <bulkhead/harness/scripted_host.hpp>

#include <bulkhead/harness/harness.hpp>
#include <bulkhead/harness/scripted/player.hpp>
#include <bulkhead/harness/scripted/program_image.hpp>
#include <bulkhead/harness/temporary_directory.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace bulkhead::testing {

struct scripted_host::parts {
  explicit parts(std::string called)
      : name{std::move(called)} {
    write_scripted_program(program());
  }

  std::filesystem::path program() const { return folder.path() / "bulkhead-scripted-host"; }
  std::filesystem::path socket() const { return folder.path() / "script"; }

  behaviour::sink sets(script_occasion when) {
    return [this, when = std::move(when)](std::vector<script_turn> turns) {
      player.set(when, std::move(turns));
    };
  }

  std::string name;
  temporary_directory folder;
  script_player player{socket()};
};

scripted_host::scripted_host(std::string name)
    : parts_{std::make_unique<parts>(std::move(name))} {
  on_start().ready();
}

scripted_host::~scripted_host() = default;

std::string const& scripted_host::name() const noexcept {
  return parts_->name;
}

host_policy scripted_host::policy() const {
  return command_host(parts_->name, {parts_->program().string(), parts_->socket().string()});
}

policy scripted_host::take_over(bulkhead::policy what) const {
  auto const found = std::ranges::find(what.hosts, parts_->name, &host_policy::id);
  if (found == what.hosts.end())
    throw std::invalid_argument{"the policy has no host named " + parts_->name};
  auto const played = policy();
  found->runtime = played.runtime;
  found->command = played.command;
  found->transport = played.transport;
  found->sandbox.require = played.sandbox.require;
  found->integrity.interpreter_sha256.clear();
  return what;
}

behaviour scripted_host::on(std::string type) {
  return {parts_->sets({std::move(type), {}}), true};
}

behaviour scripted_host::on_command(std::string command) {
  return {parts_->sets({"executeCommand", std::move(command)}), true};
}

behaviour scripted_host::on_start() {
  return {parts_->sets({}), false};
}

behaviour scripted_host::now() {
  return {[this](std::vector<script_turn> turns) { parts_->player.play(std::move(turns)); }, false};
}

result<payload> scripted_host::request(std::string type, json const& asked,
                                       std::chrono::milliseconds within) {
  return outcome(async_request(std::move(type), asked, within), within + patience);
}

std::future<payload> scripted_host::async_request(std::string type, json const& asked,
                                                  std::chrono::milliseconds within) {
  return parts_->player.request(std::move(type), asked, within);
}

std::vector<json> scripted_host::received(std::string_view type) const {
  return parts_->player.received(type);
}

bool scripted_host::wait_for_requests(std::string_view type, std::size_t count,
                                      std::chrono::milliseconds within) const {
  return parts_->player.wait_for_received(type, count, within);
}

std::size_t scripted_host::starts() const {
  return parts_->player.starts();
}

bool scripted_host::wait_for_starts(std::size_t count, std::chrono::milliseconds within) const {
  return parts_->player.wait_for_starts(count, within);
}

std::optional<int> scripted_host::wait_for_orphan(std::chrono::milliseconds within) const {
  return parts_->player.wait_for_orphan(within);
}

} // namespace bulkhead::testing
