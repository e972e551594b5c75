#pragma once

#include <bulkhead/messages/error.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// What a request does to a file. To create, rename and delete is to write.
enum class path_action : std::uint8_t { read, write };

/// One pattern, with where it comes from. One without glob characters means that file or folder and
/// everything below it; a glob allows exactly what it matches, but denies what is below that, too.
struct path_pattern {
  std::string text;   ///< absolute; what denies may also begin with "**/"
  std::string shown;  ///< as the policy's author wrote it
  int line = 0;       ///< in the policy file; 0: Bulkhead's own rule
  std::string origin; ///< "hosts.formatter.filesystem.deny", "the extension's own folder"
  bool literal =
      false; ///< `text` is a path whatever characters it holds: one found on this machine
};

/// What a host may touch. To be written is not to be read, nor the other way round.
struct path_rule_set {
  std::vector<path_pattern> read;
  std::vector<path_pattern> write;
  std::vector<path_pattern> deny;
};

/// What the rules say about one path. Points into the rules, and is valid as long as they are.
struct path_decision {
  bool allowed = false;
  /// The one that decided: a deny that matches, else the allow with the longest root; null where no
  /// rule allows it.
  path_pattern const* rule = nullptr;
  /// Where it is allowed, what the operation has to stay beneath: the pattern's own path if it has
  /// no wildcard, which may be a single file, else the folder that its first wildcard stands in.
  std::string_view root;
};

/// A decision and what would change it. Points into the rules, as the decision does.
struct path_explanation {
  path_decision decision;
  /// The rule nearest to the path, by the names they begin with, that would have to be another: the
  /// deny that matched; where no rule allows it, an allow; where it is allowed, a deny. Null where
  /// there is none of these at all.
  path_pattern const* nearest = nullptr;
  /// The allow that would hold if the deny that matched weren't there; null where none would.
  path_pattern const* behind_deny = nullptr;
};

/// Decides which paths a host may read and write: what no rule allows is denied, and a deny that
/// matches the path or a folder above it beats every allow. Immutable: may be used by any number of
/// threads at once.
///
/// "**/.git" and "**/.git/**" are the same as a deny: both close .git itself, so that it can't be
/// listed, renamed or removed, and all that it holds. A deny says nothing about the folders above:
/// who renames or removes one has to ask for everything in it.
class path_rules {
public:
  /// Fails with policy_invalid_pattern, naming the pattern's origin and line: one that is no glob,
  /// that is not absolute, or a literal one that is not canonical.
  static result<path_rules> compile(path_rule_set rules);

  path_rules(path_rules&&) noexcept;
  path_rules& operator=(path_rules&&) noexcept;
  ~path_rules();

  /// `canonical` is a canonical path (request_path.hpp). A few dozen nanoseconds where every
  /// pattern is a path, "**/name" or "**/*ending"; others cost a regular expression each 64.
  path_decision decide(path_action action, std::string_view canonical) const noexcept;

  /// For a person: looks at every rule.
  path_explanation explain(path_action action, std::string_view canonical) const noexcept;

private:
  struct compiled;

  explicit path_rules(std::unique_ptr<compiled const> rules) noexcept;

  std::unique_ptr<compiled const> rules_;
};

} // namespace bulkhead
