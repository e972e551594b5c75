#include "attack.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace adversary {

char const* target::text(std::string_view key) const noexcept {
  for (auto const* const word : words_) {
    std::string_view const each{word};
    if (each.starts_with(key) && each.substr(key.size()).starts_with('='))
      return word + key.size() + 1;
  }
  return "";
}

int target::number(std::string_view key) const noexcept {
  return std::atoi(text(key));
}

outcome stopped_by(int error) noexcept {
  auto const* const name = ::strerrorname_np(error);
  return {false, name != nullptr ? name : "an unknown error"};
}

} // namespace adversary

namespace {

using namespace adversary;

constexpr int wrong_usage = 2;

/// Calls `visit` with each attack.
void for_each_attack(auto const& visit) {
  for (auto const group :
       {namespace_attacks(), kernel_attacks(), process_attacks(), privilege_attacks(),
        file_attacks(), channel_attacks(), resource_attacks()})
    std::ranges::for_each(group, visit);
}

/// Nothing that the sandbox might refuse is needed for it.
void print(attack const& tried, outcome const& ended) {
  char line[256];
  auto const size = std::snprintf(line, sizeof line,
                                  R"({"attack":"%.*s","outcome":"%s","by":"%.*s"})"
                                  "\n",
                                  static_cast<int>(tried.name.size()), tried.name.data(),
                                  ended.got_through ? "got_through" : "stopped",
                                  static_cast<int>(ended.by.size()), ended.by.data());
  if (::write(STDOUT_FILENO, line, static_cast<std::size_t>(size)) != size)
    std::exit(EXIT_FAILURE);
}

/// The channel of a neighbour: what comes is sent back.
constexpr int channel = 3;

int answer() {
  char byte = 0;
  while (::read(channel, &byte, 1) == 1)
    if (::write(channel, &byte, 1) != 1)
      return EXIT_FAILURE;
  return EXIT_SUCCESS;
}

/// What a set-user-ID program says of itself: whether it is more than who executed it.
int tell_identity() {
  return ::geteuid() == ::getuid() ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

/// Runs one attack and prints how it ended, as one line of JSON. That line is missing where the
/// attack was the program's end: its exit status tells then what stopped it.
int main(int argc, char** argv) {
  std::span<char*> const words{argv, static_cast<std::size_t>(argc)};
  if (words.size() < 2) {
    std::puts("usage: bulkhead_attacks --list | NAME [KEY=VALUE...]");
    return wrong_usage;
  }
  std::string_view const wanted{words[1]};
  if (wanted == "--identity")
    return tell_identity();
  if (wanted == "--answer")
    return answer();
  // By either: a copy with the set-user-ID bit has to be of no use.
  if (wanted != "--list" && (::getuid() == 0 || ::geteuid() == 0)) {
    std::puts("an attack by root proves nothing and does harm: run it as another user");
    return wrong_usage;
  }
  auto known = false;
  for_each_attack([&](attack const& each) {
    if (wanted == "--list")
      std::printf("%.*s\n", static_cast<int>(each.name.size()), each.name.data());
    else if (wanted == each.name)
      print(each, each.run(target{words.subspan(2)}));
    known = known || wanted == each.name;
  });
  return known || wanted == "--list" ? EXIT_SUCCESS : wrong_usage;
}
