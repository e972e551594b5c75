// The parts of the hot path, one by one, in nanoseconds.
//
//   taskset -c 0 build/release/bin/bench_micro [--benchmark_filter=REGEX] [--benchmark_format=json]

#include "admission_rules.hpp"

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/rate_limiter.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/messages/request_table.hpp>

#include <benchmark/benchmark.h>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <string>

namespace {

using namespace bulkhead;
using namespace std::chrono_literals;

// ---- the codec --------------------------------------------------------------------------------

/// A reply as the Node host writes it, with a text of so many bytes.
std::string reply_with(std::size_t bytes) {
  return R"({"id":"1048577","type":"executeCommand-response","payload":{"success":true,"result":[")" +
         std::string(bytes, 'x') + R"("]}})";
}

/// The same with numbers and small objects.
std::string reply_of_objects(std::size_t bytes) {
  std::string list;
  while (list.size() < bytes)
    list += R"({"line":12,"column":4,"name":"value","kind":true},)";
  list.pop_back();
  return R"({"id":"1048577","type":"executeCommand-response","payload":{"success":true,"result":[)" +
         list + "]}}";
}

void scan(benchmark::State& state, std::string const& frame) {
  wire::frame_scanner scanner;
  wire::envelope out;
  for (auto _ : state)
    benchmark::DoNotOptimize(scanner.scan(frame, out));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(frame.size()));
}
BENCHMARK_CAPTURE(scan, text_of_100_bytes, reply_with(100));
BENCHMARK_CAPTURE(scan, text_of_4_KiB, reply_with(4096));
BENCHMARK_CAPTURE(scan, objects_of_4_KiB, reply_of_objects(4096));

void write_request(benchmark::State& state) {
  std::string const text = '"' + std::string(100, 'x') + '"';
  wire::outbound_buffer out;
  wire::frame_writer writer{out, wire::max_frame_size};
  for (auto _ : state) {
    benchmark::DoNotOptimize(writer.request(1048577, "executeCommand", text));
    out.clear();
  }
}
BENCHMARK(write_request);

void open_and_end_a_request(benchmark::State& state) {
  wire::request_table<int> table;
  auto const now = deadline::clock::now();
  for (std::int64_t i = 0; i < state.range(0); ++i)
    table.insert(0, now + 30s, now);
  for (auto _ : state)
    benchmark::DoNotOptimize(table.take(*table.insert(1, now + 30s, now)));
}
BENCHMARK(open_and_end_a_request)->Arg(0)->Arg(1024);

// ---- admission --------------------------------------------------------------------------------

void take_of_the_rate_limit(benchmark::State& state) {
  auto const rules = parse_policy(admission_rules, "/w");
  host_rate_limits limits{rules.hosts.front().rate_limit};
  auto now = rate_limit::clock::now();
  for (auto _ : state)
    benchmark::DoNotOptimize(limits.take("fs.readFile", now += 1us));
}
BENCHMARK(take_of_the_rate_limit);

void decide_on_a_path(benchmark::State& state) {
  auto const rules =
      access_rules::compile(parse_policy(admission_rules, "/w"), "/run/bench").value();
  auto const host = rules->find("bench");
  for (auto _ : state)
    benchmark::DoNotOptimize(host->decide(path_action::read, "/w/docs/guide/one.md"));
}
BENCHMARK(decide_on_a_path);

void decide_on_a_request(benchmark::State& state) {
  auto const rules =
      access_rules::compile(parse_policy(admission_rules, "/w"), "/run/bench").value();
  auto const host = rules->find("bench");
  access_decision decision;
  for (auto _ : state) {
    rules->decide(*host, host->granted, "fs.readFile", R"({"path":"/w/docs/guide/one.md"})",
                  decision);
    benchmark::DoNotOptimize(decision);
  }
}
BENCHMARK(decide_on_a_request);

// ---- coroutines -------------------------------------------------------------------------------

caf::behavior add_one(caf::event_based_actor*) {
  return {[](int value) { return value + 1; }};
}

task<int> ask_often(caf::event_based_actor* self, caf::actor other, int count) {
  auto value = 0;
  for (auto i = 0; i < count; ++i)
    value = value_or_throw(co_await ask<int>(self, other, deadline{}, value));
  co_return value;
}

void ask_in_a_coroutine(benchmark::State& state) {
  constexpr auto together = 10'000;
  loop on;
  auto const other = on.system().spawn(add_one);
  auto const asker = on.system().spawn([other](caf::event_based_actor* self) -> caf::behavior {
    return {[self, other](int count) { return run(self, ask_often(self, other, count)); }};
  });
  caf::scoped_actor outside{on.system()};
  while (state.KeepRunningBatch(together))
    outside->request(asker, caf::infinite, together)
        .receive([](int) {},
                 [&](caf::error const&) { state.SkipWithError("an actor did not answer"); });
}
BENCHMARK(ask_in_a_coroutine)->MeasureProcessCPUTime()->UseRealTime();

} // namespace

BENCHMARK_MAIN();
