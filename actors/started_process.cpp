#include <bulkhead/actors/started_process.hpp>

#include <bulkhead/platform/code_file.hpp>

#include <string>
#include <utility>

namespace bulkhead {
namespace {

/// Behind the connection.
constexpr int code_number = 4;

void lend_code(platform::compiled_code const& code, platform::process_spec& process) {
  process.inherited.emplace_back(code_number, code.file.get());
  process.environment.insert_or_assign("BULKHEAD_CODE_CACHE", std::to_string(code_number));
}

} // namespace

pid_t program_of(platform::child_process const& process,
                 platform::contained_host const& contained) {
  auto const program = contained.launch().program;
  return program != 0 ? program : process.pid();
}

start_times::duration time_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<start_times::duration>(std::chrono::steady_clock::now() -
                                                           begin);
}

result<started_process> create_process(runtime_surroundings& runtime, host_policy const& host,
                                       host_start& start, std::uint64_t generation,
                                       std::function<void()> heard) {
  start_times times;
  times.prepared = time_since(start.began);
  auto setup =
      make_connection_setup(host, runtime.place, generation, runtime.on.context().get_executor());
  auto& process = start.launch.process;
  if (auto const ready = setup->prepare(process); !ready)
    return ready.error();
  if (start.code)
    lend_code(*start.code, process);
  auto started =
      runtime.containment.start(std::move(start.contained), std::move(process), std::move(heard));
  if (!started)
    return started.error();
  times.created = time_since(start.began);
  return started_process{std::move(setup), std::move(started->process), std::move(started->host),
                         times};
}

} // namespace bulkhead
