// What an extension names as a path, against a resolver that is as plain as can be. The first line
// is the folder that a relative path starts from, the rest is the path or the file: URI.
#include "fuzz_target.hpp"

#include <bulkhead/config/request_path.hpp>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

using namespace bulkhead;
using fuzz::require;

namespace {

/// Nothing where it climbs above the root.
std::optional<std::string> resolve(std::string_view folder, std::string_view path) {
  auto const whole =
      path.starts_with('/') ? std::string{path} : std::string{folder} + '/' + std::string{path};
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= whole.size();) {
    auto const end = std::min(whole.find('/', begin), whole.size());
    auto const name = whole.substr(begin, end - begin);
    if (name == "..") {
      if (names.empty())
        return std::nullopt;
      names.pop_back();
    } else if (!name.empty() && name != ".") {
      names.push_back(name);
    }
    begin = end + 1;
  }
  std::string joined;
  for (auto const& name : names)
    joined += '/' + name;
  return joined.empty() ? "/" : joined;
}

bool is_file_uri(std::string_view text) {
  std::string scheme{text.substr(0, 5)};
  std::ranges::transform(scheme, scheme.begin(), [](unsigned char c) { return std::tolower(c); });
  return scheme == "file:";
}

std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size()) {
      decoded += static_cast<char>(std::stoi(std::string{text.substr(at + 1, 2)}, nullptr, 16));
      at += 2;
    } else {
      decoded += text[at];
    }
  }
  return decoded;
}

std::string encode(std::string_view path) {
  constexpr char digits[] = "0123456789abcdef";
  std::string encoded;
  for (char const c : path) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '/' || std::isalnum(byte) != 0)
      encoded += c;
    else
      encoded.append({'%', digits[byte >> 4], digits[byte & 0xF]});
  }
  return encoded;
}

void check_uri(std::string_view asked, std::string const& given) {
  auto const lower = [](unsigned char c) { return static_cast<char>(std::tolower(c)); };
  auto rest = asked.substr(5);
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    auto const end = std::min(rest.find('/'), rest.size());
    std::string authority = decode(rest.substr(0, end));
    std::ranges::transform(authority, authority.begin(), lower);
    require(authority.empty() || authority == "localhost", "a URI names this machine");
    rest.remove_prefix(end);
  }
  require(rest.starts_with('/'), "a URI's path is absolute");
  require(rest.find_first_of("?#") == std::string_view::npos, "a URI has no query and no fragment");
  require(decode(rest).find('\0') == std::string::npos, "a URI holds no NUL");
  require(std::ranges::count(decode(rest), '/') == std::ranges::count(rest, '/'),
          "a URI holds no encoded slash");
  require(resolve("/", decode(rest)) == given, "a URI is decoded exactly once");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  auto const text = fuzz::text_of(bytes, size);
  auto const end = text.find('\n');
  if (end == std::string_view::npos || !is_canonical_path(text.substr(0, end)))
    return 0;
  auto const folder = text.substr(0, end);
  auto const asked = text.substr(end + 1);

  auto const given = canonical_path(asked, folder);
  require(!is_canonical_path(asked) || (given && *given == asked), "what is canonical stays so");
  if (!given) {
    require(given.error().code() == errc::invalid_payload, "a refusal has its code");
    require(!given.error().detail().empty(), "a refusal says why");
    auto const plain = resolve(folder, asked);
    require(is_file_uri(asked) || asked.empty() || asked.size() > longest_path || !plain ||
                !is_canonical_path(*plain) || asked.find_first_of('\0') != asked.npos ||
                fuzz::has_control_character(asked) || asked.find('\xC2') != asked.npos,
            "a path that nothing is wrong with is taken");
    return 0;
  }
  require(is_canonical_path(*given), "what is taken becomes canonical");
  require(!fuzz::has_control_character(*given), "a canonical path has no control character");
  require(canonical_path(*given, "/elsewhere").value() == *given, "a canonical path is final");
  require(canonical_path("file://" + encode(*given), folder).value() == *given,
          "a path survives as a URI");
  if (is_file_uri(asked))
    check_uri(asked, *given);
  else
    require(resolve(folder, asked) == *given, "a plain path is resolved and never decoded");
  return 0;
}
