// Where memory is taken and where not. A program of its own, because it replaces operator new.

#include <bulkhead/actors/outbound_calls.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/messages/request_table.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

thread_local std::size_t allocations = 0;

void* counted(void* memory) {
  ++allocations;
  if (!memory)
    throw std::bad_alloc{};
  return memory;
}

} // namespace

// The other forms call these.
void* operator new(std::size_t size) {
  return counted(std::malloc(std::max<std::size_t>(size, 1)));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  auto const unit = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(unit, (size / unit + 1) * unit));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

/// How often `work` takes memory, once it has what it keeps.
template <class Work>
std::size_t allocations_of(Work work) {
  for (int i = 0; i < 3; ++i)
    work();
  auto const before = allocations;
  work();
  return allocations - before;
}

/// An object with `count` keys that begin like this.
std::string object_of(std::size_t count, std::string_view beginning) {
  std::string text = "{";
  for (std::size_t i = 0; i < count; ++i)
    text += (i == 0 ? "\"" : ",\"") + std::string{beginning} + std::to_string(i) + "\":[1,true]";
  return text + "}";
}

/// The payloads of ordinary requests, and what takes more to check: keys that are compared, sorted
/// and decoded.
std::vector<std::string> const& payloads() {
  static std::vector<std::string> const all{
      R"({"command":"greet","args":["world"]})",
      R"([null,-1.5e3,{"a":{"b":[{"c":{}}]}},"\ud83d\ude00 ä"])",
      R"({"\u0061":1,"b\n":2,"\u00e4":{"\u0061":3}})",
      object_of(10, "key"),
      object_of(500, "the same beginning "),
      object_of(500, "\\u0061"),
      '"' + std::string(100'000, 'x') + '"',
  };
  return all;
}

using clock = deadline::clock;

} // namespace

TEST_CASE("what takes memory is counted") {
  CHECK(allocations_of([] { ::operator delete(::operator new(1)); }) == 1);
  CHECK(allocations_of([] {
          constexpr std::align_val_t alignment{64};
          ::operator delete(::operator new(1, alignment), alignment);
        }) == 1);
  CHECK(allocations_of([] { ::operator delete[](::operator new[](1)); }) == 1);
}

TEST_CASE("a frame is checked without taking memory") {
  std::vector<std::string> frames;
  for (auto const& payload : payloads()) {
    frames.push_back(R"({"id":"17","type":"executeCommand","payload":)" + payload + "}");
    frames.push_back(
        R"({"type":"a\u0062","payload":)" + payload +
        R"(,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","id":"\n"})");
  }
  wire::frame_scanner scanner;
  wire::envelope found;
  std::size_t good = 0;
  CHECK(allocations_of([&] {
          good = 0;
          for (auto const& frame : frames)
            good += scanner.scan(frame, found) ? 0U : 1U;
        }) == 0);
  CHECK(good == frames.size());
}

TEST_CASE("a frame that is refused takes no memory either") {
  std::array<std::string_view, 4> const refused{
      R"({"id":"1","type":"t","payload":{"a":1,"\u0061":2}})",
      R"({"id":"1","type":"t","payload":[1,2})",
      R"({"id":"1","type":"t","payload":"\ud800"})",
      R"({"id":"1","type":"t"})",
  };
  wire::frame_scanner scanner;
  wire::envelope found;
  std::size_t bad = 0;
  CHECK(allocations_of([&] {
          bad = 0;
          for (auto const frame : refused)
            bad += scanner.scan(frame, found) ? 1U : 0U;
        }) == 0);
  CHECK(bad == refused.size());
}

TEST_CASE("frames that lie whole in what was read are cut out of it without taking memory") {
  wire::outbound_buffer written;
  wire::frame_writer writer{written, wire::max_frame_size};
  for (std::uint64_t id = 0; id < 64; ++id)
    REQUIRE(writer.request(id, "executeCommand", R"({"command":"greet","args":["world"]})"));
  auto const stream = written.view();
  std::vector<char> scratch(stream.size());
  wire::frame_decoder decoder{wire::max_frame_size};
  std::size_t frames = 0;
  CHECK(allocations_of([&] {
          frames = 0;
          auto const room = decoder.prepare(scratch);
          std::ranges::copy(stream, room.begin());
          auto const broken = decoder.commit(stream.size(), [&](wire::raw_frame&) {
            ++frames;
            return true;
          });
          frames += broken ? 1000U : 0U;
        }) == 0);
  CHECK(frames == 64);
}

TEST_CASE("some hundred small frames are written without taking memory") {
  wire::outbound_buffer out;
  auto fitted = true;
  CHECK(allocations_of([&] {
          wire::frame_writer writer{out, wire::max_frame_size};
          for (std::uint64_t id = 0; id < 300; ++id)
            fitted = writer.request(id, "executeCommand", R"({"command":"greet"})") && fitted;
          for (std::uint64_t id = 0; id < 300; ++id)
            fitted = writer.reply("17", "work", R"({"ok":true})") && fitted;
          out.consume(out.size());
        }) == 0);
  CHECK(fitted);
}

TEST_CASE("a request enters the table of open requests and leaves it without taking memory") {
  wire::request_table<std::unique_ptr<int>> open;
  auto now = clock::now();
  auto const take_turns = [&](std::size_t together) {
    std::array<std::uint64_t, decltype(open)::kept_slots> ids{};
    auto const used = std::span{ids}.first(together);
    for (auto& id : used)
      id = open.insert(nullptr, now + 30s, now).value();
    (void)open.insert(nullptr, now + 5ms, now).value_or(0);
    now += 1s;
    open.expire(now, [](std::uint64_t, std::unique_ptr<int>) {});
    std::size_t found = 0;
    for (auto const id : used)
      found += open.take(id) ? 1U : 0U;
    return found;
  };
  std::size_t found = 0;
  CHECK(allocations_of([&] { found = take_turns(1); }) == 0);
  CHECK(found == 1);
  // As many as an empty table keeps the room of.
  CHECK(allocations_of([&] { found = take_turns(open.kept_slots - 1); }) == 0);
  CHECK(found == open.kept_slots - 1);
  CHECK(open.empty());
}

TEST_CASE("a call to a host that is up is filed and ended without taking memory") {
  outbound_calls calls{1000};
  std::array<std::uint64_t, 64> ids{};
  std::size_t found = 0;
  CHECK(allocations_of([&] {
          found = 0;
          auto const now = clock::now();
          for (auto& id : ids)
            id = calls.add({.type = "executeCommand", .handler = nullptr}, now + 30s, now);
          for (auto const id : ids)
            found += calls.find(id) && calls.take(id) ? 1U : 0U;
        }) == 0);
  CHECK(found == ids.size());
}

TEST_CASE("a path that is canonical is decided on without taking memory") {
  auto const rules = access_rules::compile(parse_policy(R"(
[hosts.x]
extension = "extension"
permissions = ["fileSystem.read", "fileSystem.write"]
sandbox.require = "none"
filesystem.read = ["docs", "src/**/*.md"]
filesystem.write = ["docs"]
filesystem.deny = ["**/.git/**", "docs/private"]
[requests]
work = "ui.dialogs"
)",
                                                        "/w"),
                                           "/run/x")
                         .value();
  auto const host = rules->find("x");
  struct asked {
    std::string_view type;
    std::string_view payload;
    access_decision::outcome decided;
  };
  using enum access_decision::outcome;
  std::array const table{
      asked{"fs.readFile", R"({"path":"/w/docs/a/folder/of/some/length/one.md"})", allowed},
      asked{"fs.readFile", R"({"path":"/w/src/main/two.md","encoding":"utf8"})", allowed},
      asked{"fs.rename", R"({"from":"/w/docs/a","to":"/w/docs/b/with/a/longer/name"})", allowed},
      asked{"fs.readFile", R"({"path":"/w/docs/private/of/some/length/key.txt"})", path_denied},
      asked{"fs.readFile", R"({"path":"/w/src/.git/one/two/three/config"})", path_denied},
      asked{"fs.readFile", R"({"encoding":"utf8"})", path_invalid},
      asked{"work", R"({"path":"/w/docs/a"})", permission_denied},
      asked{"no such type", "{}", permission_denied},
  };
  access_decision decision;
  std::size_t as_expected = 0;
  CHECK(allocations_of([&] {
          as_expected = 0;
          for (auto const& each : table) {
            rules->decide(*host, host->granted, each.type, each.payload, decision);
            as_expected += decision.result == each.decided ? 1U : 0U;
          }
        }) == 0);
  CHECK(as_expected == table.size());
}
