#pragma once

#include <string>

namespace bulkhead {

/// Every key of a policy as Markdown that also reads well on a terminal: type, range, default,
/// meaning, and why the default is what it is. Generated from the table that the loader works with.
std::string policy_reference();

/// A JSON Schema (draft 2020-12) of the same table, indented, for editors to complete and check a
/// policy with. Keys of later features are in it and allow no value.
std::string policy_schema();

} // namespace bulkhead
