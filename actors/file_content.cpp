#include <bulkhead/actors/file_content.hpp>

#include <bulkhead/messages/base64.hpp>
#include <bulkhead/messages/frame_scanner.hpp>

#include <utility>

namespace bulkhead {

result<file_encoding> encoding_of(file_request const& asked, request_arguments const& given,
                                  file_encoding otherwise) {
  auto const name = given.text("encoding");
  if (!name)
    return otherwise;
  if (*name == "utf8")
    return file_encoding::utf8;
  if (*name == "base64")
    return file_encoding::base64;
  if (*name != "binary")
    return invalid_argument(R"(encoding must be "utf8", "base64" or "binary")");
  if (!asked.takes_attachment)
    return invalid_argument(R"(encoding "binary" takes attachments: say "attachments": true in )"
                            R"(extension-host-ready, or use "base64")");
  return file_encoding::binary;
}

result<std::string_view> content_of(file_request const& asked, request_arguments const& given,
                                    std::string& decoded) {
  auto const how = encoding_of(asked, given);
  if (!how)
    return how.error();
  if (asked.attachment.has_value() != (*how == file_encoding::binary))
    return invalid_argument(R"(encoding "binary" and an attachment go together)");
  if (asked.attachment && given.find("content"))
    return invalid_argument("content is the payload's or the attachment, not both");
  if (asked.attachment)
    return asked.attachment->view();
  auto const content = given.text("content");
  if (!content)
    return invalid_argument("content must be a string");
  if (*how == file_encoding::utf8)
    return *content;
  auto bytes = from_base64(*content);
  if (!bytes)
    return invalid_argument("content is not base64");
  decoded = std::move(*bytes);
  return std::string_view{decoded};
}

result<file_answer> content_answer(shared_bytes content, file_encoding how) {
  switch (how) {
  case file_encoding::binary:
    return file_answer{json{{"encoding", "binary"}}, std::move(content)};
  case file_encoding::base64:
    return json{{"content", to_base64(content.view())}, {"encoding", "base64"}};
  case file_encoding::utf8:
    break;
  }
  if (!wire::is_utf8(content.view()))
    return error{errc::file_unsupported, "the file is not UTF-8: read it as base64"};
  return json{{"content", content.view()}, {"encoding", "utf8"}};
}

} // namespace bulkhead
