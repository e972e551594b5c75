#include <bulkhead/actors/launch_profile.hpp>

#include <utility>

namespace bulkhead {
namespace {

result<launched_object> object_at(std::filesystem::path const& path) {
  auto const seen = platform::identity_at(path);
  if (!seen)
    return seen.error();
  return launched_object{seen->device, seen->inode};
}

} // namespace

result<launch_profile> profile_of(platform::containment_spec what) {
  launch_profile made;
  auto const program = object_at(what.process.program);
  if (!program)
    return program.error();
  made.program = *program;
  for (auto const& path : what.readable) {
    auto const object = object_at(path);
    if (!object)
      return object.error();
    made.readable.push_back(*object);
  }
  if (!what.filter.empty()) {
    auto const filter = platform::identity_at(what.filter);
    if (!filter)
      return filter.error();
    made.filter = *filter;
  }
  made.what = std::move(what);
  made.what.host.clear();
  return made;
}

bool is_same(launch_profile_ptr const& one, launch_profile_ptr const& other) {
  return one == other || (one && other && *one == *other);
}

} // namespace bulkhead
