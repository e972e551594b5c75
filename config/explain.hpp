#pragma once

#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/manifest.hpp>
#include <bulkhead/config/permission.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// What a request has to pass, in this order. The first that refuses it decides; where none does,
/// the last.
enum class access_gate : std::uint8_t {
  policy,   ///< the policy grants the permission
  manifest, ///< the extension asks for it in its package.json
  path,     ///< a path rule, or a workspace folder, allows the path
};

/// "policy", "manifest" or "path".
std::string_view to_string(access_gate gate) noexcept;

/// A rule as the policy's author finds it again.
struct explained_rule {
  std::string origin;   ///< "hosts.formatter.filesystem.deny", "the extension's own storage"
  std::string text;     ///< as written
  std::size_t line = 0; ///< in the policy's file; 0 where it has no line there
};

/// Whether a host may do something, what decided that, and what would change it: an answer for the
/// policy's author. Its texts hold whatever the policy and the question do.
struct access_explanation {
  std::string host;
  permission asked{};
  std::string path; ///< canonical; empty where the question names none
  bool allowed = false;
  access_gate decided_by = access_gate::policy;

  bool is_granted = false; ///< by the policy
  explained_rule grant;    ///< that permission in the policy, or the list that lacks it
  /// Whether the extension asks for it; nothing where none can be read.
  std::optional<bool> is_asked_for;
  bool path_allowed = false;          ///< by the path rules alone
  std::optional<explained_rule> rule; ///< the path rule that decided; nothing: none allows it
  /// The path rule nearest to one that would give the other answer (path_explanation::nearest).
  std::optional<explained_rule> nearest;
  /// The rule that would allow the path if the deny that matched weren't there.
  std::optional<explained_rule> behind_deny;

  std::vector<std::string> changes; ///< each to be made for the other answer
  std::vector<std::string> notes;   ///< what the answer leaves out
};

/// Whether a question about this permission may name a path.
bool takes_path(permission asked) noexcept;

/// What a host and its path rules are asked about.
struct access_question {
  permission asked{};
  std::optional<std::string_view> path; ///< as a request would name it
};

/// `access` is that of `host`. `extension` is what load_manifest says of the host's extension,
/// nothing where it has none. Fails with invalid_payload for a path that no request can name, and
/// for one where takes_path says no.
result<access_explanation> explain_access(host_policy const& host, host_access const& access,
                                          std::optional<result<manifest>> const& extension,
                                          access_question const& question);

/// For a person: the answer on the first line, the reasons below it. `file` stands for the policy.
/// Not yet fit for a terminal: control characters in a policy's rules are left as they are.
std::vector<std::string> lines_of(access_explanation const& explained, std::string_view file);

/// For a program. What is unknown or absent is null.
json json_of(access_explanation const& explained);

} // namespace bulkhead
