#include "options.hpp"

#include <boost/program_options.hpp>

#include <random>
#include <sstream>
#include <stdexcept>

namespace chaos {
namespace {

namespace given_options = boost::program_options;

given_options::options_description known_options() {
  given_options::options_description known{"options"};
  known.add_options()("seconds", given_options::value<unsigned>()->default_value(60),
                      "how long, from 5 on; the last runtime may take some seconds more to end")(
      "hosts", given_options::value<std::size_t>()->default_value(50),
      "how many extension hosts, 1 to 1000")(
      "seed", given_options::value<std::uint64_t>(),
      "makes the same choices as an earlier run; without it a new one")(
      "json", "prints the summary as JSON, and nothing else on standard output")("help",
                                                                                 "this text");
  return known;
}

std::uint64_t random_seed() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

} // namespace

options parse_options(int count, char const* const* arguments) {
  given_options::variables_map given;
  given_options::store(given_options::parse_command_line(count, arguments, known_options()), given);
  options chosen;
  chosen.program = *arguments;
  chosen.duration = std::chrono::seconds{given["seconds"].as<unsigned>()};
  chosen.hosts = given["hosts"].as<std::size_t>();
  chosen.seed = given.contains("seed") ? given["seed"].as<std::uint64_t>() : random_seed();
  chosen.as_json = given.contains("json");
  chosen.help = given.contains("help");
  if (chosen.duration < std::chrono::seconds{5})
    throw std::invalid_argument{"--seconds has to be 5 or more"};
  if (chosen.hosts < 1 || chosen.hosts > 1000)
    throw std::invalid_argument{"--hosts has to be 1 to 1000"};
  return chosen;
}

std::string help_text() {
  std::ostringstream text;
  text << "usage: chaos [--seconds N] [--hosts N] [--seed N] [--json]\n\n"
          "Runs one runtime after the other on the same state directory, each with hosts that are\n"
          "killed, frozen, hung, flooded, stopped and started at random while threads send them\n"
          "requests and the policy changes. After each it checks that every request ended exactly\n"
          "once, every transition was legal, and no process, descriptor, thread, control group,\n"
          "file or memory is left over, and that files hold what hosts wrote and read. Stops at\n"
          "the first that is not so, and exits with 1; so does one of 1200 s times hosts or more\n"
          "in which no host came to use files.\n\n"
          "A seed makes the same choices in the same order in each thread; how the threads\n"
          "interleave is the machine's.\n\n"
       << known_options();
  return text.str();
}

std::string command_of(options const& chosen) {
  return chosen.program + " --seconds " + std::to_string(chosen.duration.count()) + " --hosts " +
         std::to_string(chosen.hosts) + " --seed " + std::to_string(chosen.seed);
}

} // namespace chaos
