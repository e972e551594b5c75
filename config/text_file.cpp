#include <bulkhead/config/text_file.hpp>

#include <bulkhead/config/units.hpp>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace bulkhead {

result<std::string> read_text_file(std::filesystem::path const& file, std::size_t limit,
                                   errc failure) {
  auto const refuse = [&](std::string const& why) {
    return error{failure, "can't be read: " + why};
  };

  std::error_code fault;
  auto const status = std::filesystem::status(file, fault);
  if (status.type() == std::filesystem::file_type::not_found)
    return refuse("there is no such file");
  if (fault)
    return refuse(fault.message());
  if (status.type() == std::filesystem::file_type::directory)
    return refuse("it is a folder");
  if (status.type() != std::filesystem::file_type::regular)
    return refuse("it is not a regular file");

  errno = 0;
  std::ifstream stream{file, std::ios::binary};
  if (!stream)
    return refuse(std::generic_category().message(errno));
  // One byte more than allowed tells a file that is too long from one that just fits.
  std::string text(limit + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad())
    return refuse(std::generic_category().message(errno));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > limit)
    return refuse("it is longer than " + units::size_text(limit));
  return text;
}

} // namespace bulkhead
