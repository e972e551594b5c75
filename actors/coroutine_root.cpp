#include <bulkhead/actors/coroutine_root.hpp>

#include <boost/scope_exit.hpp>
#include <utility>

namespace bulkhead::detail {

void coroutine_root::run(std::coroutine_handle<> frame) {
  auto const outer_next = std::exchange(next_, frame);
  auto const nested = std::exchange(running_, true);
  BOOST_SCOPE_EXIT_ALL(&) {
    next_ = outer_next;
    running_ = nested;
    if (!nested && cancelled_)
      destroy_frame();
  };
  while (next_ && !cancelled_)
    std::exchange(next_, nullptr).resume();
}

void coroutine_root::cancel() {
  cancelled_ = true;
  if (!running_)
    destroy_frame();
}

void coroutine_root::destroy_frame() {
  if (auto const frame = std::exchange(frame_, nullptr))
    frame.destroy();
}

} // namespace bulkhead::detail
