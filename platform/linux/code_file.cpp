#include <bulkhead/platform/code_file.hpp>

#include <bulkhead/platform/linux/sealed_memory.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

// The header of code_blob.js: these bytes, then three numbers, the least significant byte first.
constexpr std::string_view magic = "BHCODE1\n";
constexpr std::size_t scripts_at = magic.size();
constexpr std::size_t bytes_at = scripts_at + 8;
constexpr std::size_t header_size = bytes_at + 4;

using header = std::array<unsigned char, header_size>;

std::uint32_t number_at(header const& bytes, std::size_t place) noexcept {
  std::uint32_t number = 0;
  for (std::size_t i = 4; i-- > 0;)
    number = number << 8 | bytes[place + i];
  return number;
}

bool begins_well(header const& bytes) noexcept {
  for (std::size_t i = 0; i < magic.size(); ++i)
    if (bytes[i] != static_cast<unsigned char>(magic[i]))
      return false;
  return true;
}

} // namespace

result<unique_fd> make_script_list(std::string_view text) {
  return seal_in_memory("scripts", std::as_bytes(std::span{text}));
}

result<unique_fd> make_code_file() {
  return open_in_memory("code", largest_code);
}

result<compiled_code> seal_code(unique_fd written) {
  header bytes{};
  auto const size = ::pread(written.get(), bytes.data(), bytes.size(), 0);
  auto const length = number_at(bytes, bytes_at);
  if (size != static_cast<ssize_t>(bytes.size()) || !begins_well(bytes) || length < header_size ||
      length > largest_code)
    return error{errc::spawn_failed, "what was compiled was not written to its end"};
  if (auto const sealed = seal_memory(written, length); !sealed)
    return sealed.error();
  return compiled_code{std::move(written), number_at(bytes, scripts_at), length};
}

} // namespace bulkhead::platform
