#include <bulkhead/actors/file_service.hpp>

#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace bulkhead {
namespace {

using service_ptr = service_actor::stateful_pointer<file_service_state>;
using host_files_ptr = std::shared_ptr<host_files>;

/// A thread serves so many requests of a host before it reports back, and no more once it has
/// worked for so long: a hop costs more than a small file, and an answer does not wait for the ones
/// behind it.
constexpr std::size_t most_together = 64;
constexpr auto longest_together = std::chrono::milliseconds{1};

struct served_call {
  inbound_call_ptr call;
  file_request asked;
  std::shared_ptr<open_files> files;
  std::optional<result<file_answer>> answer; // nothing: it is still to be served
  std::optional<opened_watch> watch;         // of fs.watch, if there is an answer
};
using served_calls = std::vector<served_call>;

result<file_answer> serve(served_call& one) {
  if (open_files::serves(one.asked.type))
    return one.files->serve(one.asked);
  if (one.asked.type != "fs.watch")
    return serve_file_request(one.asked);
  auto watch = open_watch(one.asked);
  if (!watch)
    return watch.error();
  one.watch.emplace(std::move(*watch));
  return json{};
}

void serve_some(served_calls& calls) {
  auto const begin = std::chrono::steady_clock::now();
  kept_root kept;
  for (auto& each : calls) {
    auto const* const known = find_served_request(each.asked.type);
    if (!known || known->changes)
      kept = {};
    each.asked.kept = &kept;
    try {
      each.answer = serve(each);
    } catch (std::exception const& failed) { // no memory for what it is to hold
      each.answer = error{errc::file_unavailable, failed.what()};
    }
    each.asked.kept = nullptr;
    if (std::chrono::steady_clock::now() - begin > longest_together)
      break;
  }
}

void reply(inbound_call& call, file_answer answer) {
  if (answer.attachment)
    call.reply(answer.payload, std::move(*answer.attachment));
  else
    call.reply(answer.payload);
}

void answer(service_ptr self, host_files& host, served_call& one) {
  auto& call = *one.call;
  if (*one.answer)
    return one.watch ? host.watches->begin(call, std::move(*one.watch))
                     : reply(call, std::move(**one.answer));
  auto const& failed = one.answer->error();
  if (failed.code() == errc::file_unavailable)
    self->state.around->log->warn("[{}] {}: {}", call.host(), platform::escape_line(call.type()),
                                  failed.what());
  call.fail(failed.code(), failed.detail());
}

file_request request_of(inbound_call& call, host_files const& host) {
  file_request asked;
  asked.type = call.type();
  asked.payload = call.payload_text();
  if (auto const* const attachment = call.attachment())
    asked.attachment = *attachment;
  asked.takes_attachment = call.takes_attachments();
  asked.paths = {std::string{call.path(0)}, std::string{call.path(1)}};
  asked.access = call.access();
  asked.ledger = host.ledger;
  std::stop_source stop;
  asked.stop = stop.get_token();
  call.cancellation_slot().assign(
      [stop = std::move(stop)](boost::asio::cancellation_type) mutable { stop.request_stop(); });
  return asked;
}

/// Where the next answer goes; null where there is none, or nobody waits for it.
std::shared_ptr<host_link> next_link(host_files const& host) {
  return host.waiting.empty() ? nullptr : host.waiting.front()->link().lock();
}

/// The next requests of a host that nobody has taken back.
served_calls take_waiting(host_files& host) {
  served_calls taken;
  while (!host.waiting.empty() && taken.size() < most_together) {
    auto call = std::move(host.waiting.front());
    host.waiting.pop_front();
    if (call->is_cancelled()) {
      call->fail(errc::request_cancelled, describe(errc::request_cancelled).sentence);
      continue;
    }
    auto asked = request_of(*call, host);
    taken.push_back({std::move(call), std::move(asked), host.files, std::nullopt, std::nullopt});
  }
  return taken;
}

/// Until nothing of the host waits any more. A host that does not read its answers gets no further
/// ones: each may be as long as a frame.
task<void> work(service_ptr self, host_files_ptr host) {
  host->busy = true;
  for (;;) {
    if (auto const link = next_link(*host); link && link->is_behind()) {
      auto wait = [&](completer<void> done) { link->when_caught_up(std::move(done)); };
      co_await external<void>(self, wait);
      continue;
    }
    auto taken = take_waiting(*host);
    if (taken.empty())
      break;
    auto calls = std::make_shared<served_calls>(std::move(taken));
    auto serve = [calls] { serve_some(*calls); };
    co_await blocking(self, self->state.around->on.blocking_pool(), serve);
    for (auto each = calls->rbegin(); each != calls->rend(); ++each)
      if (!each->answer)
        host->waiting.push_front(std::move(each->call));
    for (auto& each : *calls)
      if (each.answer)
        answer(self, *host, each);
  }
  host->busy = false;
}

host_files_ptr host_of(file_service_state& state, inbound_call const& call) {
  auto& host = state.hosts[call.host()];
  if (!host || host->generation != call.generation()) {
    host = std::make_shared<host_files>(state.around->on);
    host->generation = call.generation();
    auto const& own = call.access()->own;
    host->ledger = std::make_shared<storage_ledger>(
        std::vector<std::filesystem::path>{own.storage, own.logs, own.temp});
    host->watches = std::make_shared<host_watches>(state.around->on);
  }
  return host;
}

void accept(service_ptr self, inbound_call_ptr call) {
  auto const host = host_of(self->state, *call);
  if (call->type() == "fs.unwatch")
    return host->watches->end(*call);
  auto const limit = call->access()->limits.fs_operations;
  auto const gives_back = call->type() == "fs.closeFile";
  if (limit != 0 && host->operations >= limit && !gives_back)
    return call->fail(errc::limit_exceeded, "limits.fs_operations is used up");
  host->operations += gives_back ? 0 : 1;
  host->waiting.push_back(std::move(call));
  if (!host->busy)
    detach(self, work(self, host));
}

} // namespace

host_files::~host_files() {
  boost::asio::post(on_.blocking_pool(), [closed = std::move(files)] {});
}

service_actor::behavior_type file_service(service_ptr self, file_surroundings around) {
  self->state.around.emplace(std::move(around));
  return {
      [self](serve_atom, inbound_call_ptr& call) { accept(self, std::move(call)); },
      [self](revoke_atom, std::string const& host) { self->state.hosts.erase(host); },
  };
}

} // namespace bulkhead
