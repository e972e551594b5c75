// Runs a fuzz target without libFuzzer: over the files and folders given, and over mutations of
// them that a seed makes the same every time. A failure aborts, and so does an input that takes
// too long; what caused it is named and left in a file, which this program takes as well.
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
#include <unistd.h>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size);
// The sanitizers', where the program is built with them: they end it without a signal.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

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
  std::string dictionary;
  std::vector<fs::path> paths;
};

/// Of one input, in seconds. All take well under a second, also with sanitizers on a busy machine.
constexpr unsigned longest_run = 20;

// What runs now, for the message of a failure.
std::string program;
std::string current;
input current_bytes;

void name_failure() {
  auto const file = program + ".failed";
  std::fprintf(stderr, "failed on %s\n", current.c_str());
  if (auto* const out = std::fopen(file.c_str(), "wb")) {
    std::fwrite(current_bytes.data(), 1, current_bytes.size(), out);
    std::fclose(out);
    std::fprintf(stderr, "once more: %s %s\n", program.c_str(), file.c_str());
  }
}

void on_signal(int signal) {
  if (signal == SIGALRM)
    std::fprintf(stderr, "still running after %u s\n", longest_run);
  name_failure();
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

void watch_for_failures() {
  std::signal(SIGABRT, on_signal);
  std::signal(SIGALRM, on_signal);
  if (__sanitizer_set_death_callback)
    __sanitizer_set_death_callback(name_failure);
  else
    std::signal(SIGSEGV, on_signal);
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
    } else if (word == "--dictionary" && i + 1 < count) {
      chosen.dictionary = words[++i];
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

/// The words of a libFuzzer dictionary: on each line one in quotes, with \\, \" and \xNN.
std::vector<input> read_dictionary(std::string const& file) {
  std::vector<input> words;
  std::ifstream stream{file};
  for (std::string line; std::getline(stream, line);) {
    auto const begin = line.find('"');
    auto const end = line.rfind('"');
    if (line.starts_with('#') || begin == end)
      continue;
    auto& word = words.emplace_back();
    for (auto at = begin + 1; at < end; ++at) {
      if (line.compare(at, 2, "\\x") == 0) {
        word.push_back(static_cast<unsigned char>(std::stoul(line.substr(at + 2, 2), nullptr, 16)));
        at += 3;
      } else {
        at += line[at] == '\\' ? 1u : 0u;
        word.push_back(static_cast<unsigned char>(line[at]));
      }
    }
  }
  return words;
}

/// Changes, drops, repeats or splices a few places, and puts in words.
class mutator {
public:
  mutator(std::uint64_t seed, std::vector<input> words)
      : random_{seed}
      , words_{std::move(words)} {}

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
    switch (below(words_.empty() ? 6 : 8)) {
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
    case 5: {
      auto const cut = static_cast<std::ptrdiff_t>(below(other.size() + 1));
      bytes.erase(from, bytes.end());
      bytes.insert(bytes.end(), other.begin() + cut, other.end());
      break;
    }
    default: {
      auto const& word = words_[below(words_.size())];
      bytes.insert(from, word.begin(), word.end());
    }
    }
  }

  std::mt19937_64 random_;
  std::vector<input> words_;
};

void run(std::string name, input const& bytes) {
  current = std::move(name);
  // An exact copy: a sanitizer sees a read past the end.
  current_bytes = input(bytes.begin(), bytes.end());
  ::alarm(longest_run);
  LLVMFuzzerTestOneInput(current_bytes.data(), current_bytes.size());
}

} // namespace

int main(int count, char** words) {
  auto const chosen = read_options(count, words);
  if (!chosen) {
    std::fprintf(stderr,
                 "usage: %s [--mutations N] [--seed S] [--dictionary FILE] FILE-OR-FOLDER...\n",
                 words[0]);
    return 2;
  }
  auto const corpus = read_corpus(chosen->paths);
  if (corpus.empty()) {
    std::fprintf(stderr, "no input found\n");
    return 2;
  }
  program = words[0];
  watch_for_failures();
  for (auto const& [name, bytes] : corpus)
    run(name, bytes);
  mutator change{chosen->seed, read_dictionary(chosen->dictionary)};
  for (std::uint64_t i = 0; i < chosen->mutations; ++i) {
    auto const& chosen_file = change.choose(corpus);
    run(chosen_file.name + ", mutation " + std::to_string(i) + " of seed " +
            std::to_string(chosen->seed),
        change.mutate(chosen_file.bytes, change.choose(corpus).bytes));
  }
  std::printf("%zu files, %llu mutations (seed %llu): no failure\n", corpus.size(),
              static_cast<unsigned long long>(chosen->mutations),
              static_cast<unsigned long long>(chosen->seed));
  return 0;
}
