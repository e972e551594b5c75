#include "sandbox_launches.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/launch_step.hpp>

#include <algorithm>
#include <set>
#include <sys/syscall.h>

using namespace sandbox_test;
using bulkhead::platform::all_steps;
using bulkhead::platform::describe;
using bulkhead::platform::step;

namespace {

/// Steps of bubblewrap and of the first process of a namespace of its own.
bool is_strong_only(step where) {
  static std::set<step> const strong{
      step::mount_copy,     step::mount_attributes, step::mount_namespace, step::mount_privacy,
      step::mount_staging,  step::mount_point,      step::mount_move,      step::bubblewrap_start,
      step::first_process,  step::death_signal,     step::keeper_filter,   step::program_open,
      step::program_changed};
  return strong.contains(where);
}

bool is_basic_only(step where) {
  return where == step::subreaper || where == step::signal_filter;
}

bool is_roots_only(step where) {
  static std::set<step> const roots{step::mount_copy,      step::mount_attributes,
                                    step::mount_namespace, step::mount_privacy,
                                    step::mount_staging,   step::mount_point,
                                    step::mount_move,      step::groups,
                                    step::group,           step::user};
  return roots.contains(where);
}

/// bubblewrap fails in its own ways.
bool can_be_made_to_fail(step where, sandbox_tier tier, bool as_root) {
  return where != step::bubblewrap && (as_root || !is_roots_only(where)) &&
         !(tier == sandbox_tier::basic ? is_strong_only(where) : is_basic_only(where));
}

/// What is wrong with how each step fails; empty: nothing.
std::string try_all_steps(sandbox_tier tier, fs::path const& storage, bool as_root) {
  std::string wrong;
  auto spec = shell(tier, "echo ran; echo x >\"$1/marker\"");
  auto const inside = tier == sandbox_tier::strong ? fs::path{"/storage"} : storage;
  spec.arguments.insert(spec.arguments.end(), {"sh", inside.string()});
  spec.bound = {{storage, inside, true}};
  spec.limits = {{1, 1 << 20, 1 << 20}};
  auto const filter = filter_that_forbids(SYS_ptrace);
  spec.filter = filter.get();
  for (auto const& each : all_steps()) {
    if (!can_be_made_to_fail(each.where, tier, as_root))
      continue;
    spec.fail_at = each.where;
    auto const said = summary_of(spec);
    auto const expected = std::string{each.name} + ": Protocol error";
    if (said.find(expected) == said.npos || said.find("\nran") != said.npos ||
        fs::exists(storage / "marker"))
      wrong += std::string{each.name} + " gave: " + said + '\n';
  }
  spec.fail_at = step::none;
  if (summary_of(spec) != "exit code 0\nran" || !fs::remove(storage / "marker"))
    wrong += "without a fault it did not run\n";
  return wrong;
}

} // namespace

TEST_CASE("every step that fails ends the launch, is named, and the program never ran",
          "[sandbox]") {
  open_folder const folder;
  auto const storage = folder.make("storage");
  for (auto const tier : {sandbox_tier::strong, sandbox_tier::basic}) {
    INFO(bulkhead::to_string(tier));
    CHECK(try_all_steps(tier, storage, is_root()).empty());
    CHECK(as_ordinary_user([&] { return try_all_steps(tier, storage, false); }).empty());
  }
}

TEST_CASE("what bubblewrap says is the reason where it fails", "[sandbox]") {
  auto spec = shell(sandbox_tier::strong, "echo ran");
  spec.bound = {{"/etc", "/dev/null/below"}};
  spec.bound.push_back({"/etc/hostname", "/etc-file"});
  spec.bound.push_back({"/etc", "/etc-file/below"});
  auto const said = summary_of(spec);
  CHECK(said.starts_with("never ran: its launch failed at step 201; bubblewrap: bwrap: Can't"));

  spec = shell(sandbox_tier::strong, "echo ran");
  spec.bubblewrap = "/bin/false";
  CHECK(summary_of(spec) == "never ran: its launch failed at step 201; bubblewrap: bubblewrap "
                            "could not set up the sandbox");
}

TEST_CASE("steps have numbers in order, names of their own and a sentence", "[sandbox]") {
  std::set<std::string_view> names;
  auto const steps = all_steps();
  CHECK(std::ranges::is_sorted(steps, std::ranges::less{},
                               &bulkhead::platform::step_description::where));
  for (auto const& each : steps) {
    CHECK(names.insert(each.name).second);
    CHECK_FALSE(each.sentence.empty());
    CHECK(describe(each.where).name == each.name);
  }
  CHECK(bulkhead::platform::to_string(step{999}) == "unknown");
}

TEST_CASE("a filter that is none and a program that is none are refused by their steps",
          "[sandbox]") {
  auto spec = shell(sandbox_tier::strong, "echo ran");
  spec.filter = spec.program;
  CHECK(summary_of(spec).starts_with("never ran: its launch failed at step 333; filter: "));
}
