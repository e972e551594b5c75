// Runs a fuzz target without libFuzzer: over the files and folders given, and over mutations of
// them that a seed makes the same every time. A failure aborts; the input that caused it is named
// first.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size);

namespace {

namespace fs = std::filesystem;
using input = std::vector<unsigned char>;

struct seed_file {
  std::string name;
  input bytes;
};

struct options {
  std::uint64_t mutations = 0;
  std::uint64_t seed = 1;
  std::vector<fs::path> paths;
};

// What runs now, for the message of a failure.
std::string current;

void name_failure(int) {
  std::fprintf(stderr, "failed on %s\n", current.c_str());
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto const end = text.data() + text.size();
  auto const [stopped, failed] = std::from_chars(text.data(), end, value);
  return failed == std::errc{} && stopped == end ? std::optional{value} : std::nullopt;
}

std::optional<options> read_options(int count, char** words) {
  options chosen;
  for (int i = 1; i < count; ++i) {
    std::string_view const word = words[i];
    if (word == "--mutations" || word == "--seed") {
      auto const value = i + 1 < count ? number(words[++i]) : std::nullopt;
      if (!value)
        return std::nullopt;
      (word == "--seed" ? chosen.seed : chosen.mutations) = *value;
    } else if (word.starts_with("--")) {
      return std::nullopt;
    } else {
      chosen.paths.emplace_back(word);
    }
  }
  return chosen.paths.empty() ? std::nullopt : std::optional{std::move(chosen)};
}

/// Sorted, so that a seed means the same on every file system.
std::vector<seed_file> read_corpus(std::vector<fs::path> const& paths) {
  std::vector<fs::path> files;
  for (auto const& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (auto const& found : fs::recursive_directory_iterator{path})
      if (found.is_regular_file())
        files.push_back(found.path());
  }
  std::ranges::sort(files);
  std::vector<seed_file> corpus;
  for (auto const& file : files) {
    std::ifstream stream{file, std::ios::binary};
    if (!stream) {
      std::fprintf(stderr, "%s can't be read\n", file.c_str());
      std::exit(2);
    }
    corpus.push_back({file.string(), {std::istreambuf_iterator<char>{stream}, {}}});
  }
  return corpus;
}

/// Changes, drops, repeats or splices a few places.
class mutator {
public:
  explicit mutator(std::uint64_t seed)
      : random_{seed} {}

  seed_file const& choose(std::vector<seed_file> const& corpus) {
    return corpus[below(corpus.size())];
  }

  input mutate(input bytes, input const& other) {
    for (auto steps = 1 + below(4); steps > 0; --steps)
      step(bytes, other);
    if (bytes.size() > longest)
      bytes.resize(longest);
    return bytes;
  }

private:
  static constexpr std::size_t longest = 1 << 16;

  // A standard distribution gives other values in other libraries.
  std::size_t below(std::size_t bound) { return random_() % bound; }
  auto place(input& bytes) {
    return bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size() + 1));
  }
  unsigned char byte() {
    static constexpr std::string_view telling = "{}[]\",:\\u0dDeE+-.1 \n\t\x7f\x80\xc3\xed\xf4\xff";
    return below(2) == 0 ? static_cast<unsigned char>(telling[below(telling.size())])
                         : static_cast<unsigned char>(below(256));
  }

  void step(input& bytes, input const& other) {
    auto const from = place(bytes);
    auto const left = static_cast<std::size_t>(bytes.end() - from);
    auto const to = from + static_cast<std::ptrdiff_t>(below(std::min<std::size_t>(left, 32) + 1));
    switch (below(6)) {
    case 0:
      if (left > 0)
        *from = byte();
      break;
    case 1:
      if (left > 0)
        *from = static_cast<unsigned char>(*from ^ 1u << below(8));
      break;
    case 2:
      bytes.erase(from, to);
      break;
    case 3:
      bytes.insert(from, byte());
      break;
    case 4: {
      input const piece{from, to};
      bytes.insert(place(bytes), piece.begin(), piece.end());
      break;
    }
    default: {
      auto const cut = static_cast<std::ptrdiff_t>(below(other.size() + 1));
      bytes.erase(from, bytes.end());
      bytes.insert(bytes.end(), other.begin() + cut, other.end());
    }
    }
  }

  std::mt19937_64 random_;
};

void run(input const& bytes) {
  // An exact copy: a sanitizer sees a read past the end.
  input const exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

} // namespace

int main(int count, char** words) {
  auto const chosen = read_options(count, words);
  if (!chosen) {
    std::fprintf(stderr, "usage: %s [--mutations N] [--seed S] FILE-OR-FOLDER...\n", words[0]);
    return 2;
  }
  auto const corpus = read_corpus(chosen->paths);
  if (corpus.empty()) {
    std::fprintf(stderr, "no input found\n");
    return 2;
  }
  std::signal(SIGABRT, name_failure);
  for (auto const& [name, bytes] : corpus) {
    current = name;
    run(bytes);
  }
  mutator change{chosen->seed};
  for (std::uint64_t i = 0; i < chosen->mutations; ++i) {
    auto const& chosen_file = change.choose(corpus);
    current = chosen_file.name + ", mutation " + std::to_string(i) + " of seed " +
              std::to_string(chosen->seed);
    run(change.mutate(chosen_file.bytes, change.choose(corpus).bytes));
  }
  std::printf("%zu files, %llu mutations (seed %llu): no failure\n", corpus.size(),
              static_cast<unsigned long long>(chosen->mutations),
              static_cast<unsigned long long>(chosen->seed));
  return 0;
}
