#include <bulkhead/config/nearest.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace bulkhead {
namespace {

/// Optimal string alignment (Damerau-Levenshtein without edits inside a swapped pair), three rows
/// at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t const replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({replaced, last[j] + 1, now[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

} // namespace

std::optional<std::string_view> nearest(std::string_view written,
                                        std::span<std::string_view const> candidates) {
  std::size_t const bearable = std::clamp<std::size_t>(written.size() / 3, 1, 3);
  std::size_t smallest = bearable + 1;
  std::optional<std::string_view> found;
  for (std::string_view const candidate : candidates) {
    if (written.size() > candidate.size() + bearable ||
        candidate.size() > written.size() + bearable)
      continue; // each edit changes the length by at most one
    if (auto const distance = edit_distance(written, candidate); distance < smallest) {
      smallest = distance;
      found = candidate;
    }
  }
  return found;
}

} // namespace bulkhead
