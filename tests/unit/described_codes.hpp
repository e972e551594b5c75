#pragma once

#include <bulkhead/harness/catch2.hpp>

#include <cstddef>
#include <set>
#include <string_view>

/// What holds for every list of codes that is described to users: of errors and of reasons.
namespace described_codes {

struct pinned {
  int number;
  std::string_view name;
};

/// That these are all codes, in their order.
template <class Described, std::size_t count>
void check_are(Described const& all, pinned const (&pins)[count]) {
  REQUIRE(all.size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    INFO(pins[i].name);
    using code = decltype(all[i].code);
    CHECK(static_cast<int>(all[i].code) == pins[i].number);
    CHECK(all[i].name == pins[i].name);
    CHECK(to_string(static_cast<code>(pins[i].number)) == pins[i].name);
  }
}

/// That each has a name and a number of its own, above `last`, and a sentence.
template <class Described>
void check_are_told_apart(Described const& all, int last) {
  std::set<std::string_view> names;
  for (auto const& described : all) {
    INFO(described.name);
    CHECK(static_cast<int>(described.code) > last);
    last = static_cast<int>(described.code);
    CHECK(names.insert(described.name).second);
    CHECK_FALSE(described.sentence.empty());
    CHECK_FALSE(described.sentence.ends_with('.')); // it is put into longer ones
    CHECK_FALSE(described.remedy.ends_with('.'));
    CHECK(&describe(described.code) == &described);
  }
}

} // namespace described_codes
