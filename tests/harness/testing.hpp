#pragma once

/// For tests of programs that embed Bulkhead: link bulkhead::testing. Depends on no test framework.

#include <bulkhead/harness/adversary.hpp>
#include <bulkhead/harness/call_tally.hpp>
#include <bulkhead/harness/faults.hpp>
#include <bulkhead/harness/harness.hpp>
#include <bulkhead/harness/outcome.hpp>
#include <bulkhead/harness/scripted_host.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/harness/virtual_clock.hpp>
