#pragma once

#include <cerrno>
#include <span>
#include <string_view>

/// One try to get out of a sandbox each, as a call of the system that JavaScript can't make.
namespace adversary {

/// What there is to attack: the KEY=VALUE of the command line.
class target {
public:
  explicit target(std::span<char*> words) noexcept
      : words_{words} {}

  /// Empty where it was not given; always ends in a null byte.
  char const* text(std::string_view key) const noexcept;
  int number(std::string_view key) const noexcept;

private:
  std::span<char*> words_;
};

struct outcome {
  bool got_through = false;
  std::string_view by{}; ///< what stopped it
};

inline outcome got_through() noexcept {
  return {true, {}};
}
/// "EPERM".
outcome stopped_by(int error) noexcept;
inline outcome stopped_by(std::string_view what) noexcept {
  return {false, what};
}
/// What a system call gave, or a function that leaves its failure in errno.
inline outcome outcome_of(long given) noexcept {
  return given < 0 ? stopped_by(errno) : got_through();
}

struct attack {
  std::string_view name;
  outcome (*run)(target const&);
};

std::span<attack const> namespace_attacks() noexcept;
std::span<attack const> kernel_attacks() noexcept;
std::span<attack const> process_attacks() noexcept;
std::span<attack const> privilege_attacks() noexcept;
std::span<attack const> file_attacks() noexcept;
std::span<attack const> channel_attacks() noexcept;
std::span<attack const> resource_attacks() noexcept;

} // namespace adversary
