#include <bulkhead/platform/output_lines.hpp>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <utility>

namespace bulkhead::platform {
namespace {

namespace asio = boost::asio;

/// A turn costs one system call and, in the worst case, as many lines as bytes; this many keep it
/// in the tens of microseconds.
constexpr std::size_t bytes_per_turn = 4096;

constexpr bool is_plain(char c) noexcept {
  return (c >= ' ' && c <= '~') || c == '\t';
}

/// How many bytes at the start of `text` need no look at their neighbours; at most `limit`.
std::size_t plain_prefix(std::string_view text, std::size_t limit) noexcept {
  text = text.substr(0, limit);
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
}

/// How long a UTF-8 sequence with this first byte is; 0 where none begins so (RFC 3629, section 4).
constexpr std::size_t sequence_length(unsigned char first) noexcept {
  if (first >= 0xC2 && first <= 0xDF)
    return 2;
  if (first >= 0xE0 && first <= 0xEF)
    return 3;
  if (first >= 0xF0 && first <= 0xF4)
    return 4;
  return 0;
}

/// Whether `next` can follow `first` as a sequence's second byte: no overlong form, no surrogate,
/// nothing above U+10FFFF.
constexpr bool can_be_second(unsigned char first, unsigned char next) noexcept {
  auto const lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  auto const highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return next >= lowest && next <= highest;
}

/// C1 controls, line and paragraph separator, and what changes the order in which text is shown.
constexpr bool must_be_escaped(std::uint32_t character) noexcept {
  return (character >= 0x80 && character <= 0x9F) || character == 0x061C ||
         (character >= 0x200E && character <= 0x200F) ||
         (character >= 0x2028 && character <= 0x202E) ||
         (character >= 0x2066 && character <= 0x2069);
}

std::string escaped_byte(unsigned char byte) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  return {'\\', 'x', digits[byte >> 4], digits[byte & 0xF]};
}

std::string escaped_character(std::uint32_t character) {
  char digits[8];
  auto const end = std::to_chars(std::begin(digits), std::end(digits), character, 16).ptr;
  return "\\u{" + std::string{digits, end} + '}';
}

} // namespace

std::string escape_line(std::string_view text) {
  std::string line;
  auto const add = [&](std::string_view next) {
    line.append(line.empty() ? "" : "\\n").append(next);
  };
  line_splitter splitter;
  splitter.feed(text.substr(0, line_splitter::max_line), add);
  splitter.finish(add);
  return line;
}

void line_splitter::feed(std::string_view bytes, line_sink const& sink) {
  while (!bytes.empty()) {
    auto const end = bytes.find('\n');
    take(bytes.substr(0, end));
    if (end == bytes.npos)
      return;
    deliver(sink);
    bytes.remove_prefix(end + 1);
  }
}

void line_splitter::finish(line_sink const& sink) {
  if (begun_)
    deliver(sink);
}

void line_splitter::take(std::string_view piece) {
  if (piece.empty())
    return;
  begun_ = true;
  if (std::exchange(held_return_, false))
    put('\r');
  if (piece.back() == '\r') {
    held_return_ = true;
    piece.remove_suffix(1);
  }
  while (!piece.empty() && !cut_) {
    auto const plain = sequence_size_ == 0 ? plain_prefix(piece, max_line - text_.size()) : 0;
    text_ += piece.substr(0, plain);
    if (plain == 0)
      put(static_cast<unsigned char>(piece.front()));
    piece.remove_prefix(std::max<std::size_t>(plain, 1));
  }
  dropped_ += piece.size();
}

void line_splitter::put(unsigned char byte) {
  if (sequence_size_ != 0) {
    auto const continues =
        sequence_size_ == 1 ? can_be_second(sequence_[0], byte) : byte >= 0x80 && byte <= 0xBF;
    if (continues) {
      sequence_[sequence_size_++] = byte;
      if (sequence_size_ == sequence_length_)
        put_character();
      return;
    }
    put_invalid_sequence();
  }
  if (is_plain(static_cast<char>(byte))) {
    auto const c = static_cast<char>(byte);
    append({&c, 1}, 1);
  } else if (auto const length = sequence_length(byte)) {
    sequence_[sequence_size_++] = byte;
    sequence_length_ = length;
  } else {
    append(escaped_byte(byte), 1);
  }
}

void line_splitter::put_character() {
  std::uint32_t character = sequence_[0] & (0x7Fu >> sequence_length_);
  for (std::size_t i = 1; i < sequence_length_; ++i)
    character = character << 6 | (sequence_[i] & 0x3Fu);
  if (must_be_escaped(character))
    append(escaped_character(character), sequence_length_);
  else
    append(std::string(sequence_.data(), sequence_.data() + sequence_length_), sequence_length_);
  sequence_size_ = 0;
}

void line_splitter::put_invalid_sequence() {
  for (std::size_t i = 0; i < sequence_size_; ++i)
    append(escaped_byte(sequence_[i]), 1);
  sequence_size_ = 0;
}

void line_splitter::append(std::string_view text, std::size_t bytes) {
  cut_ = cut_ || text_.size() + text.size() > max_line;
  if (cut_)
    dropped_ += bytes;
  else
    text_ += text;
}

void line_splitter::deliver(line_sink const& sink) {
  put_invalid_sequence();
  if (cut_)
    text_ += " … (" + std::to_string(dropped_) + " bytes more)";
  sink(text_);
  dropped_before_ += std::exchange(dropped_, 0);
  text_.clear();
  begun_ = held_return_ = cut_ = false;
}

/// What outlives an output_reader that its own sink destroys.
class output_reader::stream : public std::enable_shared_from_this<stream> {
public:
  stream(asio::any_io_executor executor, line_sink sink, end_handler on_end,
         std::shared_ptr<std::uint64_t> counter)
      : pipe_{std::move(executor)}
      , sink_{std::move(sink)}
      , on_end_{std::move(on_end)}
      , counter_{std::move(counter)} {}

  void start(unique_fd pipe) {
    boost::system::error_code failed;
    pipe_.assign(pipe.get(), failed);
    if (failed) {
      asio::post(pipe_.get_executor(), [weak = weak_from_this()] {
        if (auto const self = weak.lock())
          self->end();
      });
      return;
    }
    pipe.release();
    read();
  }

  void close() noexcept {
    closed_ = true;
    boost::system::error_code ignored;
    pipe_.close(ignored);
  }

  std::uint64_t dropped_bytes() const noexcept { return lines_.dropped_bytes(); }

private:
  void read() {
    pipe_.async_read_some(
        asio::buffer(buffer_),
        [weak = weak_from_this()](boost::system::error_code failed, std::size_t size) {
          if (auto const self = weak.lock())
            self->received(failed, size);
        });
  }

  void received(boost::system::error_code failed, std::size_t size) {
    if (closed_)
      return;
    if (counter_)
      *counter_ += size;
    lines_.feed({buffer_.data(), size}, guarded());
    if (closed_)
      return;
    if (failed)
      end();
    else
      read();
  }

  void end() {
    lines_.finish(guarded());
    if (closed_)
      return;
    close();
    if (on_end_)
      on_end_();
  }

  /// The sink, until one of its calls destroys the reader.
  line_sink guarded() {
    return [this](std::string_view line) {
      if (!closed_)
        sink_(line);
    };
  }

  asio::posix::stream_descriptor pipe_;
  line_sink sink_;
  end_handler on_end_;
  std::shared_ptr<std::uint64_t> counter_;
  line_splitter lines_;
  bool closed_ = false;
  std::array<char, bytes_per_turn> buffer_;
};

output_reader::output_reader(asio::any_io_executor executor, unique_fd pipe, line_sink sink,
                             end_handler on_end, std::shared_ptr<std::uint64_t> counter)
    : stream_{std::make_shared<stream>(std::move(executor), std::move(sink), std::move(on_end),
                                       std::move(counter))} {
  stream_->start(std::move(pipe));
}

output_reader::output_reader(output_reader&&) noexcept = default;

output_reader& output_reader::operator=(output_reader&& other) noexcept {
  output_reader taken{std::move(other)};
  std::swap(stream_, taken.stream_);
  return *this;
}

output_reader::~output_reader() {
  if (stream_)
    stream_->close();
}

std::uint64_t output_reader::dropped_bytes() const noexcept {
  return stream_->dropped_bytes();
}

} // namespace bulkhead::platform
