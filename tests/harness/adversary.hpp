#pragma once

#include <bulkhead/config/policy.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::testing {

/// One try of an attacker's, and what came of it.
struct adversary_attempt {
  std::string attack;        ///< "files: read a secret", "mount-tmpfs"
  int claim = 0;             ///< the number of what is said to hold
  std::string_view sentence; ///< that, in words
  bool got_through = false;
  /// What stopped it: the error of the call, the signal that ended the process, the code of the
  /// backend's refusal. Of a path that the backend decided on also the rule of the policy, and that
  /// alone where it let the attempt through.
  std::string by;
};

/// What came of all attempts in the place of one host.
struct adversary_report {
  std::string host;
  sandbox_tier required = sandbox_tier::none; ///< what the policy asks for
  std::vector<adversary_attempt> attempts;

  std::vector<adversary_attempt> got_through() const;
};

/// A table, what got through first.
std::string to_string(adversary_report const& report);

/// Runs the corpus of attackers in the place of one host of a policy, for a test of the policy:
///
///     auto const report = attack(load_policy("policy.toml"), "formatter");
///     CHECK(report.got_through().empty());
///
/// Sandbox, permissions, path rules, limits, environment and user are the host's own; its extension
/// or command, its pins and its rate limit are not. Where the extension is Node's it is replaced by
/// one that tries everything by itself and then through the backend, a command by a program that
/// makes each of its system calls in a process of its own. Left out are attacks on resources, which
/// take their time, and what gains an attacker nothing.
///
/// What is attacked is made for it: a secret, a process, sockets, shared objects. The real ones are
/// only looked at through the backend, and nothing of them is read. The state directory, the audit
/// log and the secrets are not the policy's. With sandbox.require = "none" the attackers really are
/// this user: as root they are not run, and that is told as the one attempt.
///
/// `corpus` is where this build or installation has the attackers. Throws bulkhead::error where the
/// host is not in the policy or can't be started, std::runtime_error where something can't be made.
/// Takes seconds. May be called by any thread, one at a time.
adversary_report attack(policy const& what, std::string_view host,
                        std::filesystem::path const& corpus = BULKHEAD_ADVERSARY_DIR);

} // namespace bulkhead::testing
