#pragma once

#include "test_hosts.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What a host can do wrong towards its backend, and what comes of it: the tests do all of it
/// beside a steady load, and the documentation is made of the same table.
namespace faults {

using bulkhead::testing::harness;

struct fault {
  int threat; ///< of the list of attacks
  std::string_view what;
  std::string_view comes_of_it;   ///< as `happen` tells it
  std::vector<std::string> steps; ///< of raw_host.py
  /// Starts the host and gives what came of it.
  std::function<std::string(harness&, std::string const& id)> happen;
  std::function<void(bulkhead::host_policy&)> with = {};
};

std::span<fault const> fault_table();

/// The host of the table's row of that number; it waits for its start.
bulkhead::host_policy host_of(fault const& which, std::size_t row);
std::string id_of(std::size_t row);

/// All hosts of the table, and one that does nothing wrong: "steady".
bulkhead::policy policy_of_all();

} // namespace faults
