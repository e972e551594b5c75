#include <bulkhead/actors/run.hpp>

#include <caf/sec.hpp>

namespace bulkhead {
namespace detail {

caf::error error_of(std::exception_ptr const& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (failed_outcome const& failed) {
    return failed.why();
  } catch (error const& failed) {
    return make_error(failed);
  } catch (std::exception const& failed) {
    return make_error(error{errc::handler_failed, failed.what()});
  } catch (...) {
    return make_error(errc::handler_failed);
  }
}

kept_promise::~kept_promise() {
  if (open_)
    fail(caf::make_error(caf::sec::request_receiver_down));
}

std::weak_ptr<coroutine_root> start_root(root_frame frame) {
  auto const root = std::make_shared<coroutine_root>(frame.handle);
  frame.handle.promise().root = root.get();
  root->run(frame.handle);
  return root;
}

root_frame run_alone(task<void> work, error_handler on_error) {
  caf::error failed;
  try {
    co_await std::move(work);
  } catch (...) {
    failed = error_of(std::current_exception());
  }
  if (failed)
    on_error(std::move(failed));
}

} // namespace detail

task_handle start(caf::scheduled_actor* self, task<void> work, error_handler on_error) {
  if (!on_error)
    on_error = [self](caf::error failed) { self->call_error_handler(failed); };
  return task_handle{detail::start_root(detail::run_alone(std::move(work), std::move(on_error)))};
}

} // namespace bulkhead
