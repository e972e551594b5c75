#include <bulkhead/platform/linux/launcher/stages.hpp>

#include <cstring>

/// The whole command line is one word, which the library chooses.
int main(int count, char** words) {
  using namespace bulkhead::launcher;
  constexpr int not_for_you = 64; // EX_USAGE of sysexits.h
  if (count != 2)
    return not_for_you;
  if (std::strcmp(words[1], "stage1") == 0)
    run_stage_one();
  if (std::strcmp(words[1], "stage2") == 0)
    run_stage_two();
  if (std::strcmp(words[1], "guard") == 0)
    run_guard();
  return not_for_you;
}
