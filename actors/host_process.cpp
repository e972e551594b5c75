#include <bulkhead/actors/host_process.hpp>

#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/actors/resource_monitor.hpp>

#include <utility>

namespace bulkhead {
namespace {

/// Hands the end of a control request to a function.
template <class Done>
class control_handler final : public call_handler {
public:
  explicit control_handler(Done done)
      : done_{std::move(done)} {}
  void complete(result<payload> ended) override { done_(std::move(ended)); }
  boost::asio::cancellation_slot cancellation_slot() noexcept override { return {}; }

private:
  Done done_;
};

template <class Done>
std::unique_ptr<call_handler> when_done(Done done) {
  return std::make_unique<control_handler<Done>>(std::move(done));
}

host_folders own_folders(supervisor_surroundings const& around) {
  return folders_of(around.runtime.rules, around.policy, around.runtime.place.path());
}

} // namespace

host_process::host_process(supervisor_surroundings const& around, host_start start,
                           started_process process, std::uint64_t generation, teller tell)
    : around_{around}
    , start_{std::move(start)}
    , generation_{generation}
    , tell_{std::move(tell)}
    , times_{process.times}
    , setup_{std::move(process.setup)}
    , process_{std::move(process.process)}
    , contained_{std::move(process.contained)}
    , output_{around.runtime.on, process_,         around.runtime.log,
              around.record,     around.policy.id, around.policy.limits.output_rate} {
  process_.async_wait_exit(around.runtime.on.context().get_executor(),
                           [this](platform::exit_status status) { tell_(describe_exit(status)); });
}

host_process::~host_process() = default;

void host_process::connect() {
  setup_->connect(process_.pid(), [tell = tell_, generation = generation_,
                                   link = around_.link](result<link_sockets> sockets) {
    if (sockets)
      link->attach(generation, std::move(*sockets));
    else
      tell({host_signal::kind::connect_failed, generation, reason::start_timeout,
            static_cast<std::int32_t>(sockets.error().code()), sockets.error().detail()});
  });
}

void host_process::disconnect() {
  setup_.reset();
}

pid_t host_process::pid() const {
  return program_of(process_, *contained_);
}

start_times host_process::times() const {
  auto times = times_;
  if (times.warm)
    return times;
  auto const launch = contained_->launch();
  auto const reached = [&](auto const& step) {
    return step ? times.created + *step : start_times::duration{};
  };
  times.staged = reached(launch.staged);
  times.contained = reached(launch.contained);
  times.executed = reached(launch.running);
  return times;
}

watched_host_ptr host_process::watched() const {
  auto const& policy = around_.policy;
  auto const& counters = around_.record->counters;
  auto watched = std::make_shared<watched_host>();
  watched->id = policy.id;
  watched->generation = generation_;
  watched->limits = policy.limits;
  watched->process = contained_;
  watched->record = around_.record;
  watched->tell = tell_;
  watched->printed = output_.printed();
  if (policy.sandbox.file_write) {
    auto const own = own_folders(around_);
    watched->storage = {own.storage, own.logs, own.temp};
  }
  watched->operations_before = counters.received;
  watched->bytes_in_before = counters.bytes_in;
  watched->bytes_out_before = counters.bytes_out;
  return watched;
}

std::optional<host_signal> host_process::program_end() const {
  auto const ended = contained_->launch().ended;
  if (!ended || depends_on_output(*ended))
    return std::nullopt;
  return describe_exit(*ended);
}

/// What its exit comes from.
host_signal host_process::describe_exit(platform::exit_status const& status) const {
  exit_facts facts{
      status, 0, contained_->failure(), output_.said_out_of_memory(), 0, around_.policy.limits};
  if (report().tier != sandbox_tier::none) {
    auto const used = around_.runtime.containment.measure({contained_->probe({})}).front();
    facts.oom_kills = used.oom_kills;
    facts.memory_peak = used.memory_peak;
  }
  auto const cause = cause_of(facts);
  return {host_signal::kind::exited, generation_, cause.why, cause.code, cause.detail};
}

// ---- control requests -------------------------------------------------------------------------

/// With the folders that its path rules are about: what the extension needs to ask for files.
json host_process::activation() const {
  auto const own = own_folders(around_);
  boost::json::array workspace;
  for (auto const& folder : around_.policy.filesystem.workspace)
    workspace.emplace_back(folder.string());
  return {{"extensionId", start_.extension_id},
          {"folders",
           {{"workspace", std::move(workspace)},
            {"extension", own.extension.string()},
            {"storage", own.storage.string()},
            {"logs", own.logs.string()},
            {"temp", own.temp.string()}}}};
}

bool host_process::activate() {
  if (start_.extension_id.empty())
    return false;
  around_.link->send_control(
      "activate-extension", payload{activation()}, deadline{around_.policy.request_timeout},
      when_done([tell = tell_, generation = generation_,
                 reads = around_.policy.start.code_cache](result<payload> ended) {
        auto detail = ended ? std::string{reads ? ended->text() : ""} : ended.error().detail();
        tell({host_signal::kind::activated, generation, reason::none, ended ? 0 : 1,
              std::move(detail)});
      }));
  return true;
}

bool host_process::deactivate(deadline by) {
  if (start_.extension_id.empty())
    return false;
  around_.link->send_control(
      "deactivate-extension", payload{json{{"extensionId", start_.extension_id}}}, by,
      when_done([tell = tell_, generation = generation_](result<payload>) {
        tell({host_signal::kind::deactivated, generation, reason::none, 0, {}});
      }));
  return true;
}

void host_process::ping() {
  around_.link->send_control(
      std::string{host_link::ping_type}, payload{json(boost::json::object{})},
      deadline{around_.policy.health.kill_after},
      when_done([tell = tell_, generation = generation_](result<payload> ended) {
        // An error of its own is a sign of life.
        if (ended || ended.error().code() == errc::remote_error)
          tell({host_signal::kind::answered, generation, reason::none, 0, {}});
      }));
}

} // namespace bulkhead
