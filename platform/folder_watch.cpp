#include <bulkhead/platform/folder_watch.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace bulkhead::platform {

namespace asio = boost::asio;

/// What outlives a folder_watch that its own sink destroys.
class folder_watch::stream : public std::enable_shared_from_this<stream> {
public:
  stream(asio::any_io_executor executor, watched_tree tree, change_sink sink)
      : ready_{std::move(executor)}
      , tree_{std::move(tree)}
      , sink_{std::move(sink)} {}

  void start() {
    auto queue = duplicate(tree_.queue(), 0);
    boost::system::error_code failed;
    ready_.assign(queue.get(), failed);
    if (failed) {
      asio::post(ready_.get_executor(), [weak = weak_from_this()] {
        if (auto const self = weak.lock())
          self->end();
      });
      return;
    }
    queue.release();
    wait();
  }

  void close() noexcept {
    closed_ = true;
    boost::system::error_code ignored;
    ready_.close(ignored);
  }

private:
  void wait() {
    ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this()](boost::system::error_code failed) {
                        if (auto const self = weak.lock())
                          self->ready(failed);
                      });
  }

  void ready(boost::system::error_code failed) {
    if (closed_)
      return;
    if (failed)
      return end();
    if (auto changes = tree_.read_changes(); !changes.empty())
      sink_(std::move(changes));
    if (closed_)
      return;
    if (tree_.ended())
      close();
    else
      wait();
  }

  void end() {
    if (closed_)
      return;
    close();
    sink_({{change::kind::gone, tree_.relative()}});
  }

  asio::posix::stream_descriptor ready_;
  watched_tree tree_;
  change_sink sink_;
  bool closed_ = false;
};

folder_watch::folder_watch(asio::any_io_executor executor, watched_tree tree, change_sink sink)
    : stream_{std::make_shared<stream>(std::move(executor), std::move(tree), std::move(sink))} {
  stream_->start();
}

folder_watch::folder_watch(folder_watch&&) noexcept = default;

folder_watch& folder_watch::operator=(folder_watch&& other) noexcept {
  folder_watch taken{std::move(other)};
  std::swap(stream_, taken.stream_);
  return *this;
}

folder_watch::~folder_watch() {
  if (stream_)
    stream_->close();
}

} // namespace bulkhead::platform
