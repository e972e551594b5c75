#include <bulkhead/actors/code_store.hpp>
#include <bulkhead/actors/script_report.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>

#include <string>

using namespace bulkhead;

namespace {

/// The launch of a program of that name.
launch_profile_ptr launch_of(std::string program) {
  launch_profile made;
  made.what.process.program = std::move(program);
  return std::make_shared<launch_profile const>(std::move(made));
}

compiled_code_ptr code_of(std::uint64_t bytes) {
  return std::make_shared<platform::compiled_code const>(
      platform::compiled_code{platform::unique_fd{}, 1, bytes});
}

/// One script in the state of that number.
script_states state_of(std::uint64_t number, std::string name = "main.js") {
  return {{std::move(name), {1, 1, number, 1, 1}}};
}

} // namespace

TEST_CASE("code is for every host of the launch that it was made for, and for no other") {
  code_store store{100};
  auto const launch = launch_of("/node");
  CHECK(!store.take("x", launch));
  CHECK(store.launch_of("x") == launch);
  CHECK(!store.launch_of("y"));
  auto const code = code_of(10);
  store.keep(launch, state_of(1), code);
  CHECK(store.take("x", launch) == code);
  CHECK(store.take("y", launch_of("/node")) == code); // equal, not identical
  CHECK(store.find(launch_of("/node")) == code);
  CHECK(!store.take("z", launch_of("/other")));
}

TEST_CASE("code is wanted once for each state of the scripts, whether or not it could be made") {
  code_store store{100};
  auto const launch = launch_of("/node");
  store.take("x", launch);
  CHECK(!store.wants(launch, {}));
  for (auto const& made : {code_of(10), compiled_code_ptr{}}) {
    CHECK(store.wants(launch, state_of(made ? 1 : 2)));
    store.keep(launch, state_of(made ? 1 : 2), made);
    CHECK(!store.wants(launch, state_of(made ? 1 : 2)));
  }
  CHECK(store.wants(launch, state_of(2, "other.js"))); // main.js is gone
  auto more = state_of(2);
  more.merge(state_of(2, "sometimes.js"));
  CHECK(!store.wants(launch, more));
}

TEST_CASE("new code is of the scripts that there was code of, and of those that were loaded") {
  code_store store{100};
  auto const launch = launch_of("/node");
  store.take("x", launch);
  using names = std::vector<std::string>;
  CHECK(store.names_for(launch, {"b.js", "a.js", "b.js"}) == names{"a.js", "b.js"});
  store.keep(launch, state_of(1), code_of(10));
  CHECK(store.names_for(launch, {"a.js"}) == names{"a.js", "main.js"});
  names many;
  for (std::size_t i = 0; i < most_scripts + 5; ++i)
    many.push_back(std::to_string(i));
  CHECK(store.names_for(launch, many).size() == most_scripts);
}

TEST_CASE("code of a launch that no host has any more is dropped") {
  code_store store{100};
  auto const before = launch_of("/node");
  auto const after = launch_of("/newer");
  store.take("x", before);
  store.take("y", before);
  store.keep(before, state_of(1), code_of(10));
  store.take("x", after);
  CHECK(store.bytes() == 10);
  store.take("y", after);
  CHECK(store.bytes() == 0);
  store.keep(before, state_of(1), code_of(10)); // it was under way
  CHECK(store.bytes() == 0);
}

TEST_CASE("of too much code that goes which was taken least recently") {
  code_store store{100};
  auto const first = launch_of("/1");
  auto const second = launch_of("/2");
  auto const third = launch_of("/3");
  store.take("x", first);
  store.keep(first, state_of(1), code_of(50));
  store.take("y", second);
  store.keep(second, state_of(1), code_of(50));
  CHECK(store.bytes() == 100);
  store.take("x", first);
  store.take("z", third);
  store.keep(third, state_of(1), code_of(1));
  CHECK(store.bytes() == 51);
  CHECK(store.find(first));
  CHECK(!store.find(second));
  CHECK(store.find(third));
}

TEST_CASE("the states of scripts are those of the files that are there") {
  testing::temporary_directory const folder;
  auto const file = folder.write("lib/a.js", "1");
  auto const before = platform::look_at_scripts(folder.path(), {"lib/a.js", "gone.js"});
  CHECK(before.size() == 1);
  CHECK(before.contains("lib/a.js"));
  CHECK(platform::look_at_scripts(folder.path(), {"lib/a.js"}) == before);
  folder.write("lib/a.js", "22");
  CHECK(!(platform::look_at_scripts(folder.path(), {"lib/a.js"}) == before));
  CHECK(platform::look_at_scripts(file, {"a.js"}).contains("a.js")); // an extension of one file
}

TEST_CASE("of what a host says of its scripts only what makes sense is taken") {
  auto const read = read_script_report(
      R"({"success":true,"code":{"used":2,"loaded":["a.js","lib/b.js","../c.js","/d.js",7,""]}})");
  CHECK(read.used == 2);
  CHECK(read.loaded == std::vector<std::string>{"a.js", "lib/b.js"});
  for (auto const* const other :
       {"null", R"({"success":true})", R"({"code":7})", R"({"code":{"used":-1,"loaded":{}}})",
        R"({"code":{"used":"2","loaded":"a.js"}})"}) {
    auto const nothing = read_script_report(other);
    CHECK(nothing.used == 0);
    CHECK(nothing.loaded.empty());
  }
  std::string many = R"({"code":{"used":99999,"loaded":[)";
  for (std::size_t i = 0; i < most_scripts + 5; ++i)
    many += (i ? ",\"" : "\"") + std::to_string(i) + '"';
  auto const bounded = read_script_report(many + "]}}");
  CHECK(bounded.used == most_scripts);
  CHECK(bounded.loaded.size() == most_scripts);
}

TEST_CASE("a script's name leads into the extension") {
  for (auto const* const good : {"a.js", "lib/a.js", "..a/b..", ".hidden/x"})
    CHECK(is_script_name(good));
  for (std::string const bad : {"", "/a.js", "a/../b.js", "..", "a//b", "a/", "./a.js"})
    CHECK(!is_script_name(bad));
  CHECK(!is_script_name(std::string_view{"a\0b", 3}));
  CHECK(!is_script_name(std::string(longest_script_name * 3 + 1, 'a')));
}
