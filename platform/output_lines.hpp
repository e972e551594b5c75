#pragma once

#include <bulkhead/platform/unique_fd.hpp>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace bulkhead::platform {

/// Takes one line without its end. The text is valid for the call only.
using line_sink = std::function<void(std::string_view)>;

/// Cuts what an untrusted process prints into lines that are safe to log and to show on a terminal,
/// in constant memory. The same bytes give the same lines, however they are split.
///
/// - A line ends at LF or CR LF; the last one may lack its end.
/// - Control characters other than tab, bytes that are not UTF-8, bidirectional controls (Trojan
///   Source, CVE-2021-42574) and U+2028 and U+2029 appear escaped: one byte as `\x1b`, a character
///   above U+007F as `\u{202e}`.
/// - A text of more than `max_line` bytes is cut there and ends in ` … (12345 bytes more)`, counted
///   as they came.
class line_splitter {
public:
  /// In bytes of the text as it is delivered, without the mark of a cut. Long enough for a stack
  /// trace on one line.
  static constexpr std::size_t max_line = 10'000;

  /// Calls `sink` for each line that these bytes complete.
  void feed(std::string_view bytes, line_sink const& sink);
  /// The stream has ended: delivers the last line if it has no end of its own.
  void finish(line_sink const& sink);

  /// How many bytes all cuts took so far.
  std::uint64_t dropped_bytes() const noexcept { return dropped_before_ + dropped_; }

private:
  void take(std::string_view piece);
  void put(unsigned char byte);
  void put_character();
  void put_invalid_sequence();
  void append(std::string_view text, std::size_t bytes);
  void deliver(line_sink const& sink);

  /// A UTF-8 character of which bytes are still missing.
  std::array<unsigned char, 4> sequence_{};
  std::size_t sequence_size_ = 0;
  std::size_t sequence_length_ = 0;

  std::string text_;
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_before_ = 0;
  bool begun_ = false;
  bool held_return_ = false; ///< the last byte was a CR, which may belong to the line's end
  bool cut_ = false;
};

/// One text that an extension gave, as one line: escaped and cut as above, with `\n` between its
/// lines.
std::string escape_line(std::string_view text);

/// Reads the output of a process line by line until its end. It takes a bounded number of bytes
/// from the pipe a turn of the event loop, so that a flood holds up nobody but the process that
/// writes it. May be destroyed at any time, also by its own handlers, and calls none of them
/// afterwards. Not thread-safe: all of it runs on the executor's thread.
class output_reader {
public:
  /// Must not throw.
  using end_handler = std::function<void()>;

  /// `sink` must not throw either. `counter`, if there is one, is raised by each byte that comes.
  /// `on_end` is called once after the last line, when nobody has the
  /// pipe open for writing any more: a process that outlives the one that was started can hold that
  /// up.
  output_reader(boost::asio::any_io_executor executor, unique_fd pipe, line_sink sink,
                end_handler on_end = {}, std::shared_ptr<std::uint64_t> counter = {});
  output_reader(output_reader&&) noexcept;
  output_reader& operator=(output_reader&&) noexcept;
  ~output_reader();

  /// See line_splitter.
  std::uint64_t dropped_bytes() const noexcept;

private:
  class stream;
  std::shared_ptr<stream> stream_;
};

} // namespace bulkhead::platform
