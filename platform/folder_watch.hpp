#pragma once

#include <bulkhead/platform/watched_tree.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <vector>

namespace bulkhead::platform {

/// Tells what happens to a file or folder as it happens. It reads a bounded number of changes a
/// turn of the executor and nothing more while they are handled; what the kernel can't keep that
/// long is told as one overflow. May be destroyed at any time, also by its own sink, and does not
/// call it afterwards. Not thread-safe: all of it runs on the executor's thread.
class folder_watch {
public:
  /// Takes what happened since the last call, at least one change. Must not throw.
  using change_sink = std::function<void(std::vector<change>)>;

  /// With a recursive tree, folders that appear are read on the executor: it may be one of a thread
  /// pool, where a strand keeps the calls apart. Where the executor can't wait for the tree, `gone`
  /// is all that is told.
  folder_watch(boost::asio::any_io_executor executor, watched_tree tree, change_sink sink);
  folder_watch(folder_watch&&) noexcept;
  folder_watch& operator=(folder_watch&&) noexcept;
  ~folder_watch();

private:
  class stream;
  std::shared_ptr<stream> stream_;
};

} // namespace bulkhead::platform
