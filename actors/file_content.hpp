#pragma once

#include <bulkhead/actors/file_requests.hpp>
#include <bulkhead/actors/request_arguments.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/shared_bytes.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace bulkhead {

/// How the content of a file travels: in the payload as a text, or beside it.
enum class file_encoding : std::uint8_t { utf8, base64, binary };

/// What the payload names; `otherwise` where it names none. Fails with invalid_payload for any
/// other name, and for `binary` where the host takes no attachments.
result<file_encoding> encoding_of(file_request const& asked, request_arguments const& given,
                                  file_encoding otherwise = file_encoding::utf8);

/// What is to be written. `decoded` is where it lies, if it came as base64. Fails with
/// invalid_payload.
result<std::string_view> content_of(file_request const& asked, request_arguments const& given,
                                    std::string& decoded);

/// The answer with this content. Fails with file_unsupported where it is to be UTF-8 and is not.
result<file_answer> content_answer(shared_bytes content, file_encoding how);

} // namespace bulkhead
