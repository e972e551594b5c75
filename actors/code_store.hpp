#pragma once

#include <bulkhead/actors/launch_profile.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/code_file.hpp>
#include <bulkhead/platform/script_states.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

using platform::script_states;

/// Which code there is, for which launches, and whether other is to be made. Pure.
///
/// Code is for every host whose launch has the same profile, and for one state of its scripts: once
/// they are in another, other code is wanted. What is there is given to hosts until then, as they
/// take of it only what fits. Code of a launch that no host has any more is dropped, and where all
/// is more than the limit, what was taken least recently.
class code_store {
public:
  /// At most so many bytes, of all launches together.
  explicit code_store(std::uint64_t limit) noexcept
      : limit_{limit} {}

  /// The host begins to start, with that launch. Null where there is no code for it.
  compiled_code_ptr take(std::string_view host, launch_profile_ptr const& launch);
  /// The launch of the host's last start; null before the first.
  launch_profile_ptr launch_of(std::string_view host) const;
  /// The code of a launch; null where there is none.
  compiled_code_ptr find(launch_profile_ptr const& launch) const;

  /// What is to be compiled for a host that had loaded these: beside them the scripts that there
  /// was code of.
  std::vector<std::string> names_for(launch_profile_ptr const& launch,
                                     std::vector<std::string> loaded) const;
  /// Whether it has not been tried yet with the scripts in these states.
  bool wants(launch_profile_ptr const& launch, script_states const& now) const;
  /// What came of it; null: nothing could be made. Forgotten where no host has that launch by now.
  void keep(launch_profile_ptr const& launch, script_states of, compiled_code_ptr made);

  /// Of all code.
  std::uint64_t bytes() const noexcept;

private:
  struct entry {
    launch_profile_ptr launch;
    script_states of;
    compiled_code_ptr code;
    std::uint64_t taken; // when, counted in takes
  };

  entry const* entry_of(launch_profile_ptr const& launch) const;
  void drop_unused();

  std::uint64_t limit_;
  std::map<std::string, launch_profile_ptr, std::less<>> hosts_;
  std::vector<entry> entries_;
  std::uint64_t takes_ = 0;
};

} // namespace bulkhead
