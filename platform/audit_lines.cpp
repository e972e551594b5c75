#include <bulkhead/platform/audit_lines.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// A few hundred records a system call, and several of the longest.
constexpr std::size_t buffer_size = 256 * 1024;
static_assert(buffer_size > 2 * max_audit_line);

} // namespace

audit_line_reader::audit_line_reader(int file, std::uint64_t from, std::uint64_t to)
    : file_{file}
    , offset_{from}
    , read_to_{from}
    , to_{to}
    , buffer_(buffer_size, '\0') {}

std::optional<audit_line_reader::line> audit_line_reader::next() {
  auto const found = peek();
  if (found) {
    auto const size = found->text.size() + (found->is_whole ? 1 : 0);
    at_ += size;
    offset_ += size;
  }
  return found;
}

std::optional<audit_line_reader::line> audit_line_reader::peek() {
  auto const rest = [this] { return std::string_view{buffer_}.substr(at_, filled_ - at_); };
  auto end = rest().find('\n');
  if (end == std::string_view::npos) {
    fill();
    end = rest().find('\n');
  }
  if (failure_ != 0 || rest().empty())
    return std::nullopt;
  auto const is_whole = end < max_audit_line;
  return line{rest().substr(0, std::min(end, max_audit_line)), is_whole};
}

void audit_line_reader::fill() {
  std::memmove(buffer_.data(), buffer_.data() + at_, filled_ - at_);
  filled_ -= at_;
  at_ = 0;
  while (filled_ < buffer_.size() && read_to_ < to_) {
    auto const wanted = std::min<std::uint64_t>(buffer_.size() - filled_, to_ - read_to_);
    auto const size =
        ::pread(file_, buffer_.data() + filled_, wanted, static_cast<off_t>(read_to_));
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0) {
      // A file that ends before `to` has been cut meanwhile: what is left is what there is.
      failure_ = size < 0 ? errno : 0;
      to_ = read_to_;
      return;
    }
    filled_ += static_cast<std::size_t>(size);
    read_to_ += static_cast<std::uint64_t>(size);
  }
}

std::optional<std::string> audit_line_before(int file, std::uint64_t end) {
  std::string text(std::min<std::uint64_t>(end, max_audit_line + 1), '\0');
  auto const from = end - text.size();
  auto const size = ::pread(file, text.data(), text.size(), static_cast<off_t>(from));
  if (size != static_cast<ssize_t>(text.size()) || !text.ends_with('\n'))
    return std::nullopt;
  text.pop_back();
  auto const before = text.rfind('\n');
  if (before == text.npos)
    return from == 0 ? std::optional{std::move(text)} : std::nullopt;
  return text.substr(before + 1);
}

bool has_right_hash(audit_line const& line, sha256& hasher) {
  return to_hex(hasher.digest_of(line.body)) == line.hash;
}

} // namespace bulkhead::platform
