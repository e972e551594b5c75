#include <bulkhead/messages/errc.hpp>

#include <algorithm>
#include <string>

namespace bulkhead {
namespace {

using enum errc;

constexpr errc_description descriptions[] = {
    {request_timeout, "request_timeout", "the request's deadline passed without an answer",
     "give it a longer deadline, or find out what keeps the extension busy"},
    {request_cancelled, "request_cancelled", "the caller cancelled the request", ""},
    {connection_lost, "connection_lost", "the host ended while the request was open",
     "send it again if it may run twice; the event says why the host ended"},
    {host_not_running, "host_not_running", "the host is not running",
     "start it, and see its last reason for why it is not"},
    {overloaded, "overloaded", "too many requests are open or too many bytes are unsent",
     "wait for answers before sending more, or raise limits.in_flight"},
    {permission_denied, "permission_denied", "the extension lacks the permission for this request",
     "grant it in the policy and ask for it in the extension's package.json"},
    {path_denied, "path_denied", "the policy does not allow this path", ""},
    {rate_limited, "rate_limited", "too many requests in too short a time",
     "wait for retry_after_ms before the next one"},
    {remote_error, "remote_error", "the extension answered with an error", ""},
    {unknown_host, "unknown_host", "the policy has no host of that name",
     "use one of the names under [hosts]"},
    {payload_too_large, "payload_too_large", "the message is longer than the host's frame limit",
     "send less at once, or raise limits.frame"},
    {invalid_payload, "invalid_payload", "the payload is not what this request takes",
     "send valid JSON of the documented shape"},
    {handler_failed, "handler_failed", "the backend's handler for this request failed",
     "see the backend's log"},
    {unsupported_request, "unsupported_request", "nobody handles requests of this type",
     "register a handler with on_request"},
    {runtime_stopped, "runtime_stopped", "the runtime is shutting down", ""},
    {limit_exceeded, "limit_exceeded", "a limit on what the host may use is reached",
     "raise the limit that it names under limits, or find out why so much is used"},
    {file_not_found, "file_not_found", "there is no such file or folder", ""},
    {file_exists, "file_exists", "there is a file or folder of that name already",
     "ask for it to be replaced, or take another name"},
    {file_not_a_directory, "file_not_a_directory", "it is not a folder", ""},
    {file_is_a_directory, "file_is_a_directory", "it is a folder", ""},
    {directory_not_empty, "directory_not_empty", "the folder is not empty",
     "ask for it to be deleted with all that it holds"},
    {file_too_large, "file_too_large", "it is longer than one message can be",
     "use smaller files, or raise limits.frame"},
    {file_unsupported, "file_unsupported", "it is neither a file nor a folder", ""},
    {file_unavailable, "file_unavailable", "the operating system refused the file operation",
     "see the backend's log for why"},
    {secrets_unavailable, "secrets_unavailable", "no secret store can be used",
     "unlock the keyring, or give the vault a key under [secrets]"},
    {secret_too_large, "secret_too_large", "a secret is at most 64 KiB", "store less"},
    {audit_unavailable, "audit_unavailable",
     "it has to be recorded in the audit log, and that can't be written",
     "make room where the audit log is, or see the backend's log for why"},

    {sandbox_unavailable, "sandbox_unavailable",
     "the containment that the policy requires is not available",
     "run  bulkhead doctor  to see what is missing and how to get it"},
    {sandbox_step_failed, "sandbox_step_failed", "a step of the sandbox's set-up failed",
     "run  bulkhead doctor  to see what this machine refuses"},
    {limit_unenforceable, "limit_unenforceable", "a limit that this machine can't hold",
     "run  bulkhead doctor  to see why, or write  sandbox.require = \"basic\"  to go without it"},
    {integrity_mismatch, "integrity_mismatch", "a file is not the one that the policy pins",
     "find out who changed it; pin the new hash if the change is yours"},
    {integrity_unsafe_owner, "integrity_unsafe_owner",
     "a file that others than its owner could have changed",
     "take the right to write from group and others: chmod go-w"},
    {cgroup_unavailable, "cgroup_unavailable", "no control group can be made",
     "run  bulkhead doctor  to see how to have one delegated"},

    {frame_empty, "frame_empty", "a frame of length 0", "send at least one JSON object"},
    {frame_too_large, "frame_too_large", "a frame longer than the limit",
     "send less at once, or raise limits.frame"},
    {frame_truncated, "frame_truncated", "the stream ended inside a frame", ""},
    {json_syntax, "json_syntax", "a frame that is not JSON", ""},
    {json_trailing, "json_trailing", "bytes behind a frame's JSON object", ""},
    {json_encoding, "json_encoding", "a frame that is not valid UTF-8", ""},
    {json_depth, "json_depth", "JSON nested deeper than 64", ""},
    {json_duplicate_key, "json_duplicate_key", "a key twice in one JSON object", ""},
    {json_number, "json_number", "a number that does not fit", ""},
    {envelope_invalid, "envelope_invalid",
     "a frame that is not an object of exactly id, type and payload", ""},
    {id_in_use, "id_in_use", "a request with the id of one that is still open", ""},
    {unknown_reply, "unknown_reply", "a reply to a request that is not open", ""},
    {not_ready, "not_ready", "a message before extension-host-ready", ""},
    {ready_twice, "ready_twice", "extension-host-ready for a second time", ""},
    {ready_invalid, "ready_invalid",
     "a ready message that does not say ready, or of another protocol",
     "send {\"ready\": true, \"protocol\": 1}"},
    {wrong_direction, "wrong_direction", "a request on the connection that carries replies", ""},
    {unexpected_descriptor, "unexpected_descriptor", "file descriptors sent over the connection",
     ""},
    {frame_deadline, "frame_deadline", "a frame that was begun and not finished in time", ""},
    {attachment_invalid, "attachment_invalid",
     "a frame with an attachment whose JSON is empty or longer than the frame",
     "put the length of the JSON object before it, and the attachment behind it"},
    {attachment_unwanted, "attachment_unwanted", "an attachment to a message that takes none",
     "attach bytes only to the requests that docs/protocol.md names"},

    {policy_unreadable, "policy_unreadable", "the policy file can't be read", ""},
    {policy_syntax, "policy_syntax", "the policy is not valid TOML", ""},
    {policy_unknown_key, "policy_unknown_key", "a key that no policy has", ""},
    {policy_wrong_type, "policy_wrong_type", "a value of the wrong type", ""},
    {policy_out_of_range, "policy_out_of_range", "a value outside its range", ""},
    {policy_missing_unit, "policy_missing_unit", "a size or a time without a unit", ""},
    {policy_missing_key, "policy_missing_key", "a key is missing", ""},
    {policy_not_supported, "policy_not_supported",
     "a key of a feature that this version does not enforce yet", "remove it"},
    {policy_unknown_permission, "policy_unknown_permission", "a permission that does not exist",
     "bulkhead policy reference  lists them"},
    {policy_conflict, "policy_conflict", "two keys that exclude each other", ""},
    {policy_invalid_pattern, "policy_invalid_pattern", "a path pattern that is not a glob", ""},

    {extension_unusable, "extension_unusable", "the extension can't be loaded",
     "point  extension  at a folder with package.json or at a .js or .mjs file"},
    {interpreter_missing, "interpreter_missing", "Node.js is not on this machine",
     "install it (Debian: apt install nodejs), version 18 or later"},
    {state_dir_unusable, "state_dir_unusable", "the state directory can't be used",
     "point  runtime.state_dir  at a folder that this user owns and can write"},
    {socket_path_too_long, "socket_path_too_long",
     "a socket's path is longer than the kernel allows",
     "use a shorter  runtime.state_dir  (a socket path has at most 107 bytes)"},
    {spawn_failed, "spawn_failed", "the operating system refused to create the process",
     "check that the command exists and may be executed, and the limits on processes"},
    {connect_failed, "connect_failed", "nobody listened on the host's socket",
     "let the host listen on the path in DSCODE_IPC_URL"},
    {untrusted_peer, "untrusted_peer", "another process than the host connected to its socket", ""},
    {vault_unusable, "vault_unusable",
     "the vault can't be opened: damaged, or another passphrase's",
     "give the passphrase it was made with, or restore the file from a backup"},
    {keyring_unusable, "keyring_unusable", "the desktop's keyring can't be reached",
     "start and unlock a secret service, or use  secrets.backend = \"vault\""},
    {audit_file_unusable, "audit_file_unusable", "the audit log can't be used",
     "point  audit.file  at a file that this user owns and nobody else can write"},
    {audit_broken, "audit_broken", "the audit log was changed after it was written",
     "compare it with a copy, and find out who could write it"},
};

constexpr errc_description unknown{errc{}, "unknown", "an unknown error", ""};

class category final : public std::error_category {
public:
  char const* name() const noexcept override { return "bulkhead"; }
  std::string message(int code) const override {
    return std::string{describe(static_cast<errc>(code)).sentence};
  }
};

} // namespace

std::span<errc_description const> all_errcs() noexcept {
  return descriptions;
}

errc_description const& describe(errc code) noexcept {
  auto const found = std::ranges::find(descriptions, code, &errc_description::code);
  return found != std::end(descriptions) ? *found : unknown;
}

std::error_category const& error_category() noexcept {
  static category const instance;
  return instance;
}

} // namespace bulkhead
