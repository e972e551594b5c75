#pragma once

#include <bulkhead/config/load.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <string>
#include <string_view>

/// Policies as texts, and what comes of loading them.
namespace policy_texts {

inline bulkhead::policy parsed(std::string_view toml) {
  return bulkhead::parse_policy(toml, "/etc/demo", "policy.toml");
}

/// The report on a text that has mistakes.
inline std::string report(std::string_view toml) {
  try {
    parsed(toml);
  } catch (bulkhead::policy_error const& failed) {
    return failed.report();
  }
  FAIL("this loads: " << toml);
  return {};
}

/// A host that these lines belong to, from line 3 on, in a policy that is otherwise good.
inline std::string host_with(std::string_view lines) {
  return "[hosts.x]\nextension = \"x\"\n" + std::string{lines} +
         "\n[hosts.x.sandbox]\nrequire = \"none\"\n";
}
inline std::string host_report(std::string_view lines) {
  return report(host_with(lines));
}
inline bulkhead::policy host_parsed(std::string_view lines) {
  return parsed(host_with(lines));
}

inline constexpr std::string_view smallest =
    "[hosts.x]\nextension = \"x\"\nsandbox = { require = \"none\" }\n";

/// The same for lines behind the smallest policy.
inline std::string file_report(std::string_view lines) {
  return report(std::string{smallest} + std::string{lines});
}

inline bulkhead::errc first_code(std::string_view toml) {
  try {
    parsed(toml);
  } catch (bulkhead::policy_error const& failed) {
    CHECK(failed.code() == failed.mistakes().front().code);
    return failed.code();
  }
  return bulkhead::errc{};
}

} // namespace policy_texts
