#pragma once

#include <bulkhead/actors/file_requests.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace bulkhead {

/// The files that one process of a host has open, for what is longer than a frame: it reads and
/// writes them piece by piece, and each piece only when it asks for it. What is written appears
/// under its name with fs.commitFile, whole, or not at all; all that is open when this ends is
/// closed, and what was not committed is gone. One thread at a time; blocks.
class open_files {
public:
  /// Each takes up to three descriptors of the backend's, which has a thousand by default; an
  /// extension that copies a file needs two.
  static constexpr std::size_t most = 16;
  /// Bytes of a piece that is read, unless the host asks for another size.
  static constexpr std::size_t usual_piece = std::size_t{1} << 20;

  open_files();
  open_files(open_files const&) = delete;
  ~open_files();

  /// Whether requests of that type are its.
  static bool serves(std::string_view type) noexcept;
  /// Fails as serve_file_request does. The path rules are asked about each piece, so that they may
  /// change meanwhile; a file that a piece can't be written to is gone.
  result<file_answer> serve(file_request const& asked);

private:
  class reader;
  class writer;
  struct served;
  static served const table[];

  result<file_answer> open_read(file_request const& asked);
  result<file_answer> open_write(file_request const& asked);
  result<file_answer> read_chunk(file_request const& asked);
  result<file_answer> write_chunk(file_request const& asked);
  result<file_answer> commit(file_request const& asked);
  result<file_answer> close(file_request const& asked);
  bool is_full() const noexcept;

  std::uint64_t last_ = 0;
  std::map<std::string, std::unique_ptr<reader>, std::less<>> readers_; // by their names
  std::map<std::string, std::unique_ptr<writer>, std::less<>> writers_;
};

} // namespace bulkhead
