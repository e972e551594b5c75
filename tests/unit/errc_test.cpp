#include "described_codes.hpp"

#include <bulkhead/messages/errc.hpp>

#include <string>

using namespace bulkhead;
using namespace described_codes;

namespace {

// Written out once more: whoever changes a number or a name breaks those who stored it.
constexpr pinned pins[] = {
    {4001, "request_timeout"},      {4002, "request_cancelled"},
    {4003, "connection_lost"},      {4004, "host_not_running"},
    {4005, "overloaded"},           {4006, "permission_denied"},
    {4007, "path_denied"},          {4008, "rate_limited"},
    {4009, "remote_error"},         {4010, "unknown_host"},
    {4011, "payload_too_large"},    {4012, "invalid_payload"},
    {4013, "handler_failed"},       {4014, "unsupported_request"},
    {4015, "runtime_stopped"},      {4016, "limit_exceeded"},
    {4017, "file_not_found"},       {4018, "file_exists"},
    {4019, "file_not_a_directory"}, {4020, "file_is_a_directory"},
    {4021, "directory_not_empty"},  {4022, "file_too_large"},
    {4023, "file_unsupported"},     {4024, "file_unavailable"},
    {4025, "secrets_unavailable"},  {4026, "secret_too_large"},
    {4027, "audit_unavailable"},    {4203, "sandbox_unavailable"},
    {4204, "sandbox_step_failed"},  {4205, "limit_unenforceable"},
    {4206, "integrity_mismatch"},   {4207, "integrity_unsafe_owner"},
    {4208, "cgroup_unavailable"},   {4301, "frame_empty"},
    {4302, "frame_too_large"},      {4303, "frame_truncated"},
    {4304, "json_syntax"},          {4305, "json_trailing"},
    {4306, "json_encoding"},        {4307, "json_depth"},
    {4308, "json_duplicate_key"},   {4309, "json_number"},
    {4310, "envelope_invalid"},     {4311, "id_in_use"},
    {4312, "unknown_reply"},        {4313, "not_ready"},
    {4314, "ready_twice"},          {4315, "ready_invalid"},
    {4316, "wrong_direction"},      {4317, "unexpected_descriptor"},
    {4318, "frame_deadline"},       {4319, "attachment_invalid"},
    {4320, "attachment_unwanted"},  {4501, "policy_unreadable"},
    {4502, "policy_syntax"},        {4503, "policy_unknown_key"},
    {4504, "policy_wrong_type"},    {4505, "policy_out_of_range"},
    {4506, "policy_missing_unit"},  {4507, "policy_missing_key"},
    {4508, "policy_not_supported"}, {4509, "policy_unknown_permission"},
    {4510, "policy_conflict"},      {4511, "policy_invalid_pattern"},
    {4601, "extension_unusable"},   {4602, "interpreter_missing"},
    {4603, "state_dir_unusable"},   {4604, "socket_path_too_long"},
    {4605, "spawn_failed"},         {4606, "connect_failed"},
    {4607, "untrusted_peer"},       {4608, "vault_unusable"},
    {4609, "keyring_unusable"},     {4610, "audit_file_unusable"},
    {4611, "audit_broken"},
};

} // namespace

TEST_CASE("the numbers and names of error codes never change") {
  check_are(all_errcs(), pins);
}

TEST_CASE("every error code has its own name and number, and a sentence") {
  check_are_told_apart(all_errcs(), 0);
}

TEST_CASE("an error code is a std::error_code whose message is its sentence") {
  std::error_code const code = make_error_code(errc::json_depth);
  CHECK(code == errc::json_depth);
  CHECK(code.value() == 4307);
  CHECK(std::string{code.category().name()} == "bulkhead");
  CHECK(code.message() == describe(errc::json_depth).sentence);
}

TEST_CASE("a number that is no error code is unknown") {
  CHECK(to_string(static_cast<errc>(1)) == "unknown");
  CHECK_FALSE(error_category().message(1).empty());
}
