#include <bulkhead/platform/linux/bounded_run.hpp>

#include <boost/asio/io_context.hpp>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// Of a stream whose writers have all been killed, or not: it is never waited for.
std::string read_what_is_there(unique_fd const& stream) {
  ::fcntl(stream.get(), F_SETFL, O_NONBLOCK);
  std::string text;
  char part[4096];
  for (ssize_t size = 0; (size = ::read(stream.get(), part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(size));
  return text;
}

} // namespace

result<exit_status> wait_bounded(child_process process) {
  boost::asio::io_context io;
  auto waited_for = std::move(process); // it ends before the loop does
  std::optional<exit_status> ended;
  waited_for.async_wait_exit(io.get_executor(), [&](exit_status status) { ended = status; });
  auto const until = std::chrono::steady_clock::now() + run_patience;
  while (!ended && io.run_one_until(until) != 0) {
  }
  if (ended)
    return *ended;
  return error{errc::spawn_failed,
               "it did not end within " + std::to_string(run_patience.count()) + " ms"};
}

result<bounded_run> run_bounded(process_spec const& spec) {
  auto process = spawn(spec);
  if (!process)
    return process.error();
  auto const output = process->take_output();
  auto const errors = process->take_errors();
  auto const ended = wait_bounded(*std::move(process));
  if (!ended)
    return ended.error();
  return bounded_run{*ended, read_what_is_there(output), read_what_is_there(errors)};
}

} // namespace bulkhead::platform
