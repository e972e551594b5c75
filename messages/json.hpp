#pragma once

#include <boost/json/value.hpp>

namespace bulkhead {

/// A JSON value as callers see it. On the wire a payload stays bytes until somebody asks for the
/// value.
using json = boost::json::value;

} // namespace bulkhead
