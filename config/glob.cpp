#include <bulkhead/config/glob.hpp>

#include <bulkhead/config/character_set.hpp>
#include <bulkhead/config/quote.hpp>

#include <algorithm>
#include <re2/re2.h>

namespace bulkhead {
namespace {

/// How much one program decides at once: little means more programs a path, much an automaton that
/// outgrows its memory and is then slower by a thousand times. Measured with 10 000 patterns.
constexpr std::size_t chunk_patterns = 64;
constexpr std::size_t chunk_regex_bytes = 4096;

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

std::string regex_of(std::span<glob_alternative const> alternatives) {
  std::string regex;
  for (auto const& alternative : alternatives) {
    regex += regex.empty() ? "" : "|";
    regex += regex_of(alternative);
  }
  return regex;
}

/// Nothing where the memory does not do.
std::unique_ptr<re2::RE2 const> compile(std::string const& regex, std::int64_t memory) {
  re2::RE2::Options options{re2::RE2::Quiet};
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_never_capture(true);
  options.set_max_mem(memory);
  auto program = std::make_unique<re2::RE2 const>(regex, options);
  return program->ok() ? std::move(program) : nullptr;
}

/// A path for a program, made for UTF-8: a byte that is not becomes the lone surrogate U+DC80 to
/// U+DCFF, which neither a path nor a pattern holds otherwise (Python's surrogateescape, PEP 383).
class regex_input {
public:
  explicit regex_input(std::string_view path)
      : text_{path} {
    auto const first = std::find_if_not(path.begin(), path.end(), is_ascii);
    for (auto at = static_cast<std::size_t>(first - path.begin()); at < path.size();) {
      auto const length = character_set::length(path.substr(at));
      if (length == 0) {
        escape(path, at);
        return;
      }
      at += length;
    }
  }
  regex_input(regex_input const&) = delete;
  regex_input& operator=(regex_input const&) = delete;

  bool matches(re2::RE2 const& program) const {
    return program.Match({text_.data(), text_.size()}, 0, text_.size(), re2::RE2::ANCHOR_BOTH,
                         nullptr, 0);
  }

private:
  void escape(std::string_view path, std::size_t at) {
    escaped_ = path.substr(0, at);
    while (at < path.size()) {
      auto const length = character_set::length(path.substr(at));
      if (length == 0) {
        auto const byte = static_cast<unsigned char>(path[at]);
        escaped_ += character_set::encode(0xDC00u + byte);
        ++at;
      } else {
        escaped_ += path.substr(at, length);
        at += length;
      }
    }
    text_ = escaped_;
  }

  std::string_view text_;
  std::string escaped_;
};

error needs_memory(std::string what) {
  return error{errc::policy_invalid_pattern, std::move(what) + " takes more memory than one may",
               "write several shorter patterns"};
}

} // namespace

glob::glob(std::unique_ptr<re2::RE2 const> program) noexcept
    : program_{std::move(program)} {}
glob::glob(glob&&) noexcept = default;
glob& glob::operator=(glob&&) noexcept = default;
glob::~glob() = default;

result<glob> glob::parse(std::string_view pattern, glob_limits const& limits) {
  auto const alternatives = parse_glob(pattern, limits);
  if (!alternatives)
    return alternatives.error();
  auto program = compile(regex_of(*alternatives), limits.memory);
  if (!program)
    return needs_memory("the pattern " + quote(pattern));
  return glob{std::move(program)};
}

bool glob::matches(std::string_view path) const noexcept {
  return regex_input{path}.matches(*program_);
}

struct glob_list::chunk {
  std::size_t first = 0; ///< the index of its first pattern
  /// All of it at once; null for a single one, and where the memory does not do for all.
  std::unique_ptr<re2::RE2 const> any;
  std::vector<std::unique_ptr<re2::RE2 const>> each;
};

glob_list::glob_list() noexcept = default;
glob_list::glob_list(glob_list&&) noexcept = default;
glob_list& glob_list::operator=(glob_list&&) noexcept = default;
glob_list::~glob_list() = default;

result<glob_list> glob_list::compile(std::span<glob_alternative const> patterns,
                                     glob_limits const& limits) {
  glob_list list;
  std::string regex_of_chunk;
  auto const finish_chunk = [&] {
    if (!list.chunks_.empty() && list.chunks_.back().each.size() > 1)
      list.chunks_.back().any = bulkhead::compile(regex_of_chunk, limits.memory);
    regex_of_chunk.clear();
  };
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    auto const regex = regex_of(patterns[i]);
    auto program = bulkhead::compile(regex, limits.memory);
    if (!program)
      return needs_memory("a pattern");
    if (list.chunks_.empty() || list.chunks_.back().each.size() == chunk_patterns ||
        regex_of_chunk.size() + regex.size() > chunk_regex_bytes) {
      finish_chunk();
      list.chunks_.emplace_back().first = i;
    }
    regex_of_chunk.append(regex_of_chunk.empty() ? "" : "|").append(regex);
    list.chunks_.back().each.push_back(std::move(program));
  }
  finish_chunk();
  return list;
}

std::optional<std::size_t> glob_list::first_match(std::string_view path) const noexcept {
  if (empty())
    return std::nullopt;
  regex_input const input{path};
  for (auto const& part : chunks_) {
    if (part.any && !input.matches(*part.any))
      continue;
    for (std::size_t i = 0; i < part.each.size(); ++i) {
      if (input.matches(*part.each[i]))
        return part.first + i;
    }
  }
  return std::nullopt;
}

bool glob_list::any_match(std::string_view path) const noexcept {
  regex_input const input{path};
  return std::any_of(chunks_.begin(), chunks_.end(), [&](chunk const& part) {
    if (part.any)
      return input.matches(*part.any);
    return std::any_of(part.each.begin(), part.each.end(),
                       [&](auto const& program) { return input.matches(*program); });
  });
}

} // namespace bulkhead
