#pragma once

#include <bulkhead/messages/errc.hpp>
#include <bulkhead/messages/error.hpp>

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <optional>

namespace bulkhead {

/// The CAF category of bulkhead::errc. An actor answers with `return
/// make_error(errc::overloaded);`, a caller asks with errc_of(), and CAF carries it, between
/// machines too.
constexpr caf::atom_value error_atom = caf::atom("bulkhead");

/// The code alone. Found by CAF, so that an errc converts to a caf::error.
caf::error make_error(errc code);
/// Everything that `failed` says; to_error gives it back.
caf::error make_error(error const& failed);

/// The library's code in `failed`: its own, or what CAF's code stands for (a request's time-out, a
/// receiver that is gone); none where there is no such code.
std::optional<errc> errc_of(caf::error const& failed);

/// The library's error for any of CAF's. What errc_of does not know is handler_failed, with CAF's
/// text.
error to_error(caf::error const& failed);

/// Lets CAF print errors of the category.
void add_error_category(caf::actor_system_config& config);

} // namespace bulkhead
