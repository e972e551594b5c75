#pragma once

#include <coroutine>
#include <memory>
#include <utility>

namespace bulkhead::detail {

/// Owns one coroutine of an actor and, through it, everything that it awaits: the frames die
/// together, in the actor, while its state is alive. It resumes one frame after the other from a
/// loop, so that a chain of tasks of any length needs no stack. Only the actor touches it.
class coroutine_root : public std::enable_shared_from_this<coroutine_root> {
public:
  /// Takes over the outermost frame.
  explicit coroutine_root(std::coroutine_handle<> frame) noexcept
      : frame_{frame} {}
  coroutine_root(coroutine_root const&) = delete;
  coroutine_root& operator=(coroutine_root const&) = delete;
  ~coroutine_root() { destroy_frame(); }

  /// Resumes `frame`, then what becomes ready by that, until nothing is. Also for a frame of this
  /// root while another runs.
  void run(std::coroutine_handle<> frame);

  /// Lets `frame` run once the current one is suspended.
  void run_next(std::coroutine_handle<> frame) noexcept { next_ = frame; }

  /// Destroys all frames: now, or where one of them is running, as soon as that is suspended.
  void cancel();

  bool is_cancelled() const noexcept { return cancelled_; }

private:
  void destroy_frame();

  std::coroutine_handle<> frame_;
  std::coroutine_handle<> next_;
  bool running_ = false;
  bool cancelled_ = false;
};

/// The right to resume a suspended frame, held by the response handler in the actor. The handler
/// uses it when the response comes; an actor that ends drops its handlers, and with the unused
/// right the whole coroutine.
class resume_right {
public:
  resume_right(std::shared_ptr<coroutine_root> root, std::coroutine_handle<> frame) noexcept
      : root_{std::move(root)}
      , frame_{frame} {}
  resume_right(resume_right const&) = delete;
  resume_right& operator=(resume_right const&) = delete;
  ~resume_right() {
    if (root_)
      root_->cancel();
  }

  /// Resumes the frame after `store` has put the response into it. Does nothing where the frame has
  /// gone.
  template <class Store>
  void use(Store store) {
    if (auto const root = std::exchange(root_, nullptr)) {
      store();
      root->run(frame_);
    }
  }

  /// The frame is going: there is nothing to resume any more.
  void give_up() noexcept { root_.reset(); }

private:
  std::shared_ptr<coroutine_root> root_;
  std::coroutine_handle<> frame_;
};

} // namespace bulkhead::detail
