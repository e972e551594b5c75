#include <bulkhead/actors/host_process.hpp>

#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/actors/resource_monitor.hpp>

#include <utility>

namespace bulkhead {
namespace {

using std::chrono::duration_cast;
using clock = std::chrono::steady_clock;

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

start_times::duration since(clock::time_point begin) {
  return duration_cast<start_times::duration>(clock::now() - begin);
}

host_folders own_folders(supervisor_surroundings const& around) {
  return folders_of(around.runtime.rules, around.policy, around.runtime.place.path());
}

} // namespace

result<std::unique_ptr<host_process>> host_process::create(supervisor_surroundings const& around,
                                                           host_start start,
                                                           std::uint64_t generation, teller tell) {
  auto& runtime = around.runtime;
  auto const prepared = since(start.began);
  auto setup = make_connection_setup(around.policy, runtime.place, generation,
                                     runtime.on.context().get_executor());
  if (auto const ready = setup->prepare(start.spec); !ready)
    return ready.error();
  auto started = runtime.containment.start(
      std::move(start.contained), std::move(start.spec), [tell, generation] {
        tell({host_signal::kind::launched, generation, reason::none, 0, {}});
      });
  if (!started)
    return started.error();
  auto made = std::unique_ptr<host_process>{new host_process{around, std::move(start), generation,
                                                             std::move(tell), std::move(setup),
                                                             std::move(*started)}};
  made->prepared_ = prepared;
  return made;
}

host_process::host_process(supervisor_surroundings const& around, host_start start,
                           std::uint64_t generation, teller tell,
                           std::unique_ptr<connection_setup> setup,
                           platform::containment::started started)
    : around_{around}
    , start_{std::move(start)}
    , generation_{generation}
    , tell_{std::move(tell)}
    , prepared_{}
    , created_{since(start_.began)}
    , setup_{std::move(setup)}
    , process_{std::move(started.process)}
    , contained_{std::move(started.host)}
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
  auto const program = contained_->launch().program;
  return program != 0 ? program : process_.pid();
}

start_times host_process::times() const {
  auto const launch = contained_->launch();
  start_times times;
  times.prepared = prepared_;
  times.created = created_;
  auto const reached = [&](auto const& step) {
    return step ? created_ + *step : start_times::duration{};
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

/// What its exit comes from.
host_signal host_process::describe_exit(platform::exit_status const& status) const {
  exit_facts facts{
      status, 0, contained_->failure(), output_.said_out_of_memory(), 0, around_.policy.limits};
  if (report().tier != sandbox_tier::none) {
    auto const used = around_.runtime.containment.measure({contained_->probe()}).front();
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
      when_done([tell = tell_, generation = generation_](result<payload> ended) {
        tell({host_signal::kind::activated, generation, reason::none, ended ? 0 : 1,
              ended ? std::string{} : ended.error().detail()});
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
