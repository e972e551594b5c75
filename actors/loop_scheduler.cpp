#include <bulkhead/actors/loop_scheduler.hpp>

#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <spdlog/spdlog.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace bulkhead::detail {
namespace {

// The messages of caf/scheduler/abstract_coordinator.cpp, 0.17.6, which CAF's own actor_ostream
// sends.
using add_atom = caf::atom_constant<caf::atom("add")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using delete_atom = caf::atom_constant<caf::atom("delete")>;
using redirect_atom = caf::atom_constant<caf::atom("redirect")>;

struct printer_state {
  printer_state() = default;
  printer_state(printer_state const&) = delete;

  void write(caf::actor_id writer, std::string_view text) {
    auto& line = unfinished[writer];
    for (auto const character : text)
      if (character != '\n')
        line.push_back(character);
      else
        flush(line);
  }

  static void flush(std::string& line) {
    if (!line.empty())
      spdlog::warn("{}", line);
    line.clear();
  }

  std::unordered_map<caf::actor_id, std::string> unfinished; ///< lines by their writer
};

caf::behavior log_printer(caf::stateful_actor<printer_state>* self) {
  return {
      [self](add_atom, caf::actor_id writer, std::string const& text) {
        self->state.write(writer, text);
      },
      [self](flush_atom, caf::actor_id writer) {
        printer_state::flush(self->state.unfinished[writer]);
      },
      [self](delete_atom, caf::actor_id writer) {
        if (auto const line = self->state.unfinished.extract(writer))
          printer_state::flush(line.mapped());
      },
      [](redirect_atom, std::string const&, int) {},
      [](redirect_atom, caf::actor_id, std::string const&, int) {},
  };
}

} // namespace

loop_scheduler::loop_scheduler(caf::actor_system& system, std::shared_ptr<run_queue> queue,
                               std::shared_ptr<loop_clock> clock)
    : abstract_coordinator{system}
    , queue_{std::move(queue)}
    , clock_{std::move(clock)} {}

void loop_scheduler::start() {
  queue_->open(system());
  utility_actors_[printer_id] = system().spawn<caf::hidden>(log_printer);
}

void loop_scheduler::stop() {
  utility_actors_[printer_id] = nullptr;
}

} // namespace bulkhead::detail
