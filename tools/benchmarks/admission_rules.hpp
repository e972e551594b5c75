#pragma once

#include <string_view>

namespace bulkhead {

/// The policy that decisions are measured by.
inline constexpr std::string_view admission_rules = R"(
[hosts.bench]
extension = "extension"
permissions = ["fileSystem.read"]
sandbox.require = "none"
filesystem.read = ["docs", "src", "README.md"]
filesystem.deny = ["**/.git/**", "**/*.pem", "src/private"]
rate_limit = { requests_per_second = 10_000_000, burst = 10_000_000 }
)";

} // namespace bulkhead
