#include <bulkhead/messages/json_member.hpp>

#include <bulkhead/messages/frame_scanner.hpp>

#include <algorithm>

namespace bulkhead {
namespace {

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// Walks over text that is known to be JSON.
class walker {
public:
  explicit walker(std::string_view text) noexcept
      : text_{text} {}

  char peek() {
    while (at_ < text_.size() && is_blank(text_[at_])) // mostly there is none
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c)
      return false;
    ++at_;
    return true;
  }

  /// What stands between the quotes.
  std::string_view string() {
    auto const begin = ++at_;
    for (;;) {
      at_ += wire::plain_length(text_.substr(at_));
      if (text_[at_] == '"')
        break;
      at_ += text_[at_] == '\\' ? 2u : 1u;
    }
    return text_.substr(begin, at_++ - begin);
  }

  void skip_value() {
    auto depth = 0;
    do {
      switch (peek()) {
      case '"':
        string();
        break;
      case '{':
      case '[':
        ++depth;
        ++at_;
        break;
      case '}':
      case ']':
        --depth;
        ++at_;
        break;
      case ',':
      case ':':
        ++at_;
        break;
      default:
        at_ = std::min(text_.find_first_of(",:]} \t\r\n", at_), text_.size());
      }
    } while (depth > 0);
  }

private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool has_escapes(std::string_view raw) {
  return raw.find('\\') != std::string_view::npos;
}

/// What stands between the member's quotes.
std::optional<std::string_view> raw_member(std::string_view object, std::string_view name) {
  walker walk{object};
  if (!walk.take('{'))
    return std::nullopt;
  while (walk.peek() == '"') {
    auto const key = walk.string();
    walk.take(':');
    if (key == name || (has_escapes(key) && wire::unescape(key) == name)) {
      if (walk.peek() != '"')
        return std::nullopt;
      return walk.string();
    }
    walk.skip_value();
    walk.take(',');
  }
  return std::nullopt;
}

} // namespace

std::optional<std::string> string_member(std::string_view object, std::string_view name) {
  if (auto const raw = raw_member(object, name))
    return wire::unescape(*raw);
  return std::nullopt;
}

std::optional<std::string_view> string_member(std::string_view object, std::string_view name,
                                              std::string& unescaped) {
  auto const raw = raw_member(object, name);
  if (!raw || !has_escapes(*raw))
    return raw;
  unescaped = wire::unescape(*raw);
  return unescaped;
}

} // namespace bulkhead
