#pragma once

#include <span>
#include <string_view>
#include <system_error>

namespace bulkhead {

/// Everything that can go wrong at the library's own borders. Numbers are stable and never reused.
/// 40xx ends a request, 42xx is about containment, 43xx is a breach of the wire protocol, 45xx is a
/// policy's, 46xx the machine's.
enum class errc : int {
  // ---- how a request ends when it does not end in a reply ----
  request_timeout = 4001,     ///< its deadline passed; the host may still be working on it
  request_cancelled = 4002,   ///< the caller cancelled it; the host was told
  connection_lost = 4003,     ///< the host ended or was cut off while the request was open
  host_not_running = 4004,    ///< the host was not running; nothing was sent
  overloaded = 4005,          ///< too many open requests or too many unsent bytes; nothing was sent
  permission_denied = 4006,   ///< the extension lacks the permission
  path_denied = 4007,         ///< a path rule refuses it
  rate_limited = 4008,        ///< too many requests in too short a time
  remote_error = 4009,        ///< the other side answered with an error
  unknown_host = 4010,        ///< the policy has no host of that name
  payload_too_large = 4011,   ///< the frame would be longer than the limit; nothing was sent
  invalid_payload = 4012,     ///< the payload is not valid JSON, or lacks what the request needs
  handler_failed = 4013,      ///< the backend's handler threw
  unsupported_request = 4014, ///< nobody handles requests of that type
  runtime_stopped = 4015,     ///< the runtime is shutting down
  limit_exceeded = 4016,      ///< a limit of the policy on what a host may use is reached
  file_not_found = 4017,      ///< no such file or folder
  file_exists = 4018,         ///< there is one already, and it was not to be replaced
  file_not_a_directory = 4019, ///< a folder was asked for and this is none
  file_is_a_directory = 4020,  ///< a file was asked for and this is a folder
  directory_not_empty = 4021,  ///< a folder that is not to be deleted with what it holds
  file_too_large = 4022,       ///< longer than one answer can be
  file_unsupported = 4023,     ///< neither file nor folder: a FIFO, a device, a socket
  file_unavailable = 4024,     ///< the operating system refused: no space, an I/O error, no access
  secrets_unavailable = 4025,  ///< no secret store can be used: absent, locked or gone
  secret_too_large = 4026,     ///< longer than 64 KiB
  audit_unavailable = 4027,    ///< it has to be recorded in the audit log and can't be

  // ---- containment ----
  sandbox_unavailable = 4203,    ///< this machine can't enforce what the policy requires
  sandbox_step_failed = 4204,    ///< a step of the sandbox's set-up failed: nothing was run
  limit_unenforceable = 4205,    ///< a limit that this machine can't hold
  integrity_mismatch = 4206,     ///< a file is not the one that the policy pins
  integrity_unsafe_owner = 4207, ///< a file that others than its owner could have changed
  cgroup_unavailable = 4208,     ///< no control group can be made or written

  // ---- the wire protocol: what a peer can do wrong ----
  frame_empty = 4301,        ///< a frame of length 0
  frame_too_large = 4302,    ///< a frame longer than the limit; nothing was allocated for it
  frame_truncated = 4303,    ///< the stream ended inside a frame
  json_syntax = 4304,        ///< not JSON
  json_trailing = 4305,      ///< bytes behind the JSON value
  json_encoding = 4306,      ///< not valid UTF-8, or a lone surrogate
  json_depth = 4307,         ///< nested deeper than 64
  json_duplicate_key = 4308, ///< a key twice in one object
  json_number = 4309, ///< a number that no IEEE double holds, or an integer of more than 21 digits
  envelope_invalid =
      4310,         ///< not an object of exactly id, type and payload, each as the protocol says
  id_in_use = 4311, ///< the id of a request that is still open
  unknown_reply = 4312,   ///< a reply to a request that is not open (never was, or no longer)
  not_ready = 4313,       ///< a request before extension-host-ready
  ready_twice = 4314,     ///< a second extension-host-ready
  ready_invalid = 4315,   ///< a ready message without "ready": true, or of another protocol version
  wrong_direction = 4316, ///< a request on the connection that carries only replies
  unexpected_descriptor = 4317, ///< it sent file descriptors
  frame_deadline = 4318,        ///< a frame that was begun and not finished in time
  attachment_invalid = 4319,    ///< a frame with an attachment whose JSON is empty or does not fit
  attachment_unwanted = 4320,   ///< an attachment to a message that takes none

  // ---- the policy ----
  policy_unreadable = 4501,         ///< the file can't be read
  policy_syntax = 4502,             ///< not TOML
  policy_unknown_key = 4503,        ///< a key that no policy has
  policy_wrong_type = 4504,         ///< a value of another type than the key takes
  policy_out_of_range = 4505,       ///< a value outside the key's range
  policy_missing_unit = 4506,       ///< a bare number where a size or a time is asked for
  policy_missing_key = 4507,        ///< a key without which the table makes no sense
  policy_not_supported = 4508,      ///< a key of a feature that this version does not enforce yet
  policy_unknown_permission = 4509, ///< a permission that does not exist
  policy_conflict = 4510,           ///< two keys that exclude each other
  policy_invalid_pattern = 4511,    ///< a path pattern that is no glob

  // ---- the machine ----
  extension_unusable = 4601,   ///< no such folder or file, or a package.json that can't be read
  interpreter_missing = 4602,  ///< no Node on this machine where the policy asks for it
  state_dir_unusable = 4603,   ///< the state directory can't be created or written
  socket_path_too_long = 4604, ///< a socket path longer than the kernel's sun_path
  spawn_failed = 4605,         ///< the operating system refused to create the process
  connect_failed = 4606,       ///< nobody listened on the host's socket after all attempts
  untrusted_peer = 4607,       ///< another process than the host's connected to its socket
  vault_unusable = 4608,       ///< not a vault, a damaged one, or another passphrase's
  keyring_unusable = 4609,     ///< the desktop's keyring can't be reached
  audit_file_unusable = 4610,  ///< the audit log can't be opened or written
  audit_broken = 4611,         ///< the audit log was edited, cut or reordered
};

/// What is known of a code: its stable name, what happened, and what to do about it.
struct errc_description {
  errc code;
  std::string_view name;
  std::string_view sentence;
  std::string_view remedy;
};

/// Every code, in the order of its number.
std::span<errc_description const> all_errcs() noexcept;

/// The description of one code; of no value of the enum: name "unknown".
errc_description const& describe(errc code) noexcept;

inline std::string_view to_string(errc code) noexcept {
  return describe(code).name;
}

/// The category "bulkhead"; its message is the code's sentence.
std::error_category const& error_category() noexcept;

inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

} // namespace bulkhead

template <>
struct std::is_error_code_enum<bulkhead::errc> : std::true_type {};
