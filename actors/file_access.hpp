#pragma once

#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/beneath.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace bulkhead {

/// A path below a folder.
std::string path_below(std::string_view folder, std::string_view below);

/// A folder of the policy's under both of its names. They differ where a symbolic link leads to it,
/// and a rule may be about either.
struct root_names {
  std::string as_named; ///< by the policy
  std::string real;     ///< without symbolic links
};

/// Whether a rule denies what was found below a root, by either name.
bool is_denied(host_access const& access, path_action action, root_names const& root,
               std::string_view relative);

/// Whether the rules allow what was found below a root, by the policy's name for where it is, and
/// none denies it by its real one.
bool is_allowed(host_access const& access, path_action action, root_names const& root,
                std::string_view relative);

/// Whether one of the policy's own folders is, or would be, at or below a real path: what is put
/// there decides where a rule leads, by whatever name the folder is reached. Blocks; any thread.
bool carries_a_root(host_access const& access, std::string_view real);

/// A folder of the policy's, opened, and the path below it that is asked for.
struct rooted {
  root_names root;
  std::shared_ptr<platform::folder const> folder;
  std::string below;
};

/// The folder of the policy's that was opened last, for requests that are served together: opening
/// it costs as much as finding a file in it. It is forgotten when one of them changed something,
/// since that may have been the way to it.
struct kept_root {
  std::string name; ///< by the policy
  root_names root;
  std::shared_ptr<platform::folder const> folder; ///< null where none is kept
};

/// An existing object.
struct found_object {
  rooted in;
  platform::located found;
};

/// A name that is made, replaced or removed.
struct found_target {
  rooted in;
  platform::place where;
};

/// Opens the folder that `root` names, in which `canonical` lies. Fails as platform::folder::open
/// does. Blocks; any thread.
result<rooted> open_root(std::string_view root, std::string_view canonical,
                         kept_root* kept = nullptr);

/// The same with the outermost folder that a rule opens; path_denied where there is none.
result<rooted> open_root(host_access const& access, std::string_view canonical,
                         kept_root* kept = nullptr);

/// Finds what a canonical path names beneath its root, and asks the rules about where it really is:
/// path_denied where they don't allow it. Fails as platform::folder::locate does. Blocks; any
/// thread.
result<found_object> find_object(host_access const& access, path_action action,
                                 std::string_view canonical, kept_root* kept = nullptr);

/// The same for a name that is to be written, which need not exist.
result<found_target> find_target(host_access const& access, std::string_view canonical);

} // namespace bulkhead
