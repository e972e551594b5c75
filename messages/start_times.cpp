#include <bulkhead/messages/start_times.hpp>

namespace bulkhead {

json to_json(start_times const& times) {
  return {{"prepared_us", times.prepared.count()}, {"created_us", times.created.count()},
          {"staged_us", times.staged.count()},     {"contained_us", times.contained.count()},
          {"executed_us", times.executed.count()}, {"ready_us", times.ready.count()}};
}

} // namespace bulkhead
