#include "policy_host.hpp"

#include "command_line.hpp"

#include <bulkhead/config/quote.hpp>

#include <spdlog/fmt/fmt.h>

namespace bulkhead::tool {

host_policy const& find_host(policy const& rules, std::string const& name) {
  if (auto const* const found = rules.find_host(name))
    return *found;
  std::vector<std::string_view> known;
  for (auto const& host : rules.hosts)
    known.push_back(host.id);
  throw error{errc::unknown_host,
              fmt::format("the policy has no host {}{}", quote(name), suggestion(name, known)),
              fmt::format("it has: {}", fmt::join(known, ", "))};
}

} // namespace bulkhead::tool
