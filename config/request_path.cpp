#include <bulkhead/config/request_path.hpp>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <optional>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace bulkhead {
namespace {

constexpr std::string_view file_scheme = "file:";

error refused(std::string sentence, std::string remedy = {}) {
  return error{errc::invalid_payload, std::move(sentence), std::move(remedy)};
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_file_uri(std::string_view text) {
  return text.size() >= file_scheme.size() &&
         std::equal(file_scheme.begin(), file_scheme.end(), text.begin(),
                    [](char a, char b) { return a == lower(b); });
}

/// Whether the text up to the position ends in a control character: C0, DEL, or C1 in UTF-8, which
/// terminals obey as well.
bool is_control_at(std::string_view text, std::size_t at) {
  auto const byte = static_cast<unsigned char>(text[at]);
  bool const c1 = 0x80 <= byte && byte < 0xA0 && at > 0 && text[at - 1] == '\xC2';
  return byte < 0x20 || byte == 0x7F || c1;
}

bool has_control_character(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_control_at(text, at))
      return true;
  }
  return false;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != "..";
}

/// Whether the path is canonical at the first look, which most are: printable ASCII, and no slash
/// before a slash, a dot or the end. False says nothing.
bool is_clearly_canonical([[maybe_unused]] std::string_view path) {
#if defined(__SSE2__)
  constexpr std::size_t block = sizeof(__m128i);
  if (path.size() <= block)
    return false;
  auto const load = [](char const* from) {
    return _mm_loadu_si128(reinterpret_cast<__m128i const*>(from));
  };
  auto const space = _mm_set1_epi8(0x20);
  auto const del = _mm_set1_epi8(0x7F);
  auto const slash = _mm_set1_epi8('/');
  auto const dot = _mm_set1_epi8('.');
  auto const last = path.size() - block - 1; // the last block and what follows each of its bytes
  for (std::size_t at = 0;; at = std::min(at + block, last)) {
    auto const bytes = load(path.data() + at);
    auto const next = load(path.data() + at + 1);
    // Signed: bytes of 0x80 and above are less than a space, too.
    auto const strange = _mm_or_si128(_mm_cmplt_epi8(next, space), _mm_cmpeq_epi8(next, del));
    auto const marks = _mm_or_si128(_mm_cmpeq_epi8(next, slash), _mm_cmpeq_epi8(next, dot));
    auto const pairs = _mm_and_si128(_mm_cmpeq_epi8(bytes, slash), marks);
    if (_mm_movemask_epi8(_mm_or_si128(strange, pairs)) != 0)
      return false;
    if (at == last)
      return path.front() == '/' && path.back() != '/';
  }
#else
  return false;
#endif
}

bool holds_encoded_slash(std::string_view encoded) {
  return encoded.find("%2F") != std::string_view::npos ||
         encoded.find("%2f") != std::string_view::npos;
}

result<std::string> path_of_uri(std::string_view text) {
  auto const parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed)
    return refused("the file: URI is not valid",
                   "percent-encode every character that a URI does not take as it stands");
  auto const& uri = *parsed;
  if (uri.has_userinfo() || uri.has_port())
    return refused("the file: URI names a user or a port", "write file:///path");
  if (auto host = uri.host(); !host.empty()) {
    std::transform(host.begin(), host.end(), host.begin(), lower);
    if (host != "localhost")
      return refused("the file: URI names another machine", "write file:///path");
  }
  if (uri.has_query() || uri.has_fragment())
    return refused("the file: URI has a query or a fragment",
                   "write %3F for a question mark and %23 for a number sign");
  std::string_view const encoded{uri.encoded_path().data(), uri.encoded_path().size()};
  if (holds_encoded_slash(encoded))
    return refused("the file: URI holds an encoded slash, which no name can hold");
  if (!encoded.starts_with('/'))
    return refused("the path of the file: URI is not absolute", "write file:///path");
  return uri.path();
}

/// Appends the names of `path` to a canonical path without its final slash; false where it climbs
/// above the root.
bool append_names(std::string& canonical, std::string_view path) {
  for (std::size_t begin = 0; begin < path.size();) {
    auto const end = std::min(path.find('/', begin), path.size());
    auto const name = path.substr(begin, end - begin);
    if (name == "..") {
      if (canonical.empty())
        return false;
      canonical.resize(canonical.rfind('/'));
    } else if (!name.empty() && name != ".") {
      canonical += '/';
      canonical += name;
    }
    begin = end + 1;
  }
  return true;
}

} // namespace

bool is_canonical_path(std::string_view path) noexcept {
  if (!path.starts_with('/') || path.size() > longest_path)
    return false;
  if (path == "/" || is_clearly_canonical(path))
    return true;
  std::size_t begin = 1;
  for (std::size_t at = 1; at < path.size(); ++at) {
    if (path[at] == '/') {
      if (!is_plain_name(path.substr(begin, at - begin)))
        return false;
      begin = at + 1;
    } else if (is_control_at(path, at)) {
      return false;
    }
  }
  return is_plain_name(path.substr(begin));
}

result<std::string> canonical_path(std::string_view asked, std::string_view relative_to) {
  if (is_canonical_path(asked))
    return std::string{asked};
  std::string decoded;
  if (is_file_uri(asked)) {
    auto path = path_of_uri(asked);
    if (!path)
      return path.error();
    decoded = std::move(*path);
    asked = decoded;
  }
  if (asked.empty())
    return refused("the path is empty");
  if (asked.size() > longest_path)
    return refused("the path is longer than 4095 bytes");
  if (has_control_character(asked))
    return refused("the path holds a control character");

  std::string canonical;
  if (!asked.starts_with('/') && relative_to != "/")
    canonical = relative_to;
  if (!append_names(canonical, asked))
    return refused("the path climbs above the root");
  if (canonical.size() > longest_path)
    return refused("the path is longer than 4095 bytes with the folder that it is relative to");
  if (canonical.empty())
    canonical = "/";
  return canonical;
}

} // namespace bulkhead
