#include <bulkhead/messages/json_member.hpp>

#include <bulkhead/messages/frame_scanner.hpp>

#include <algorithm>

namespace bulkhead {
namespace {

constexpr std::string_view blank = " \t\r\n";

/// Walks over text that is known to be JSON.
class walker {
public:
  explicit walker(std::string_view text) noexcept
      : text_{text} {}

  char peek() {
    at_ = std::min(text_.find_first_not_of(blank, at_), text_.size());
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
    while (text_[at_] != '"')
      at_ += text_[at_] == '\\' ? 2u : 1u;
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

} // namespace

std::optional<std::string> string_member(std::string_view object, std::string_view name) {
  walker walk{object};
  if (!walk.take('{'))
    return std::nullopt;
  while (walk.peek() == '"') {
    auto const key = walk.string();
    walk.take(':');
    if (key == name || (key.find('\\') != std::string_view::npos && wire::unescape(key) == name)) {
      if (walk.peek() != '"')
        return std::nullopt;
      return wire::unescape(walk.string());
    }
    walk.skip_value();
    walk.take(',');
  }
  return std::nullopt;
}

} // namespace bulkhead
