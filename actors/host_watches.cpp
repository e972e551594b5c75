#include <bulkhead/actors/host_watches.hpp>

#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/loop_timer.hpp>
#include <bulkhead/messages/json_member.hpp>
#include <bulkhead/platform/folder_watch.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace bulkhead {
namespace {

/// Each is an inotify instance, of which the kernel gives a user 128 by default.
constexpr std::size_t most_watches = 16;

/// Between two looks whether a host that was behind reads again.
constexpr std::chrono::milliseconds retry_time{100};

std::string_view name_of(platform::change::kind what) noexcept {
  using enum platform::change::kind;
  switch (what) {
  case created:
    return "created";
  case changed:
    return "changed";
  case deleted:
    return "deleted";
  case overflow:
    return "overflow";
  case gone:
    break;
  }
  return "gone";
}

} // namespace

/// One watch. The folder_watch lives on its strand of the pool, all else on the loop.
class host_watches::watch : public std::enable_shared_from_this<watch> {
public:
  watch(loop& on, inbound_call const& call, std::string id, root_names root, std::string top)
      : on_{on}
      , strand_{boost::asio::make_strand(on.blocking_pool().get_executor())}
      , id_{std::move(id)}
      , root_{std::move(root)}
      , top_{std::move(top)}
      , access_{call.access()}
      , link_{call.link()}
      , generation_{call.generation()} {}

  void start(platform::watched_tree tree) {
    boost::asio::post(strand_, [self = shared_from_this(), tree = std::move(tree)]() mutable {
      self->changes_.emplace(
          self->strand_, std::move(tree),
          [weak = std::weak_ptr{self}, &context = self->on_.context()](auto changes) {
            boost::asio::post(context, [weak, changes = std::move(changes)] {
              if (auto const told = weak.lock())
                told->tell(changes);
            });
          });
    });
  }

  void stop() {
    stopped_ = true;
    boost::asio::post(strand_, [self = shared_from_this()] { self->changes_.reset(); });
  }

private:
  void tell(std::vector<platform::change> const& changes) {
    auto const link = link_.lock();
    if (!link || stopped_)
      return;
    boost::json::array told;
    auto const add = [&](platform::change::kind what, std::string const& relative) {
      if (is_allowed(*access_, path_action::read, root_, relative))
        told.push_back({{"type", name_of(what)}, {"path", path_below(root_.as_named, relative)}});
    };
    if (missed_)
      told.push_back({{"type", "overflow"}, {"path", top_}});
    for (auto const& one : changes)
      add(one.what, one.relative);
    if (told.empty())
      return;
    json const message{{"watch", id_}, {"changes", std::move(told)}};
    missed_ = !link->notify(generation_, "fs.changed", boost::json::serialize(message));
    if (missed_)
      try_again();
  }

  /// Until the host reads again, so that what it missed is not kept from it for ever.
  void try_again() {
    retry_.expires_after(retry_time);
    retry_.async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
      if (auto const self = weak.lock(); self && !cancelled)
        self->tell({});
    });
  }

  loop& on_;
  boost::asio::strand<boost::asio::thread_pool::executor_type> strand_;
  std::optional<platform::folder_watch> changes_; // the strand's
  std::string const id_;
  root_names const root_;
  std::string const top_; // what is watched
  host_access_ptr const access_;
  std::weak_ptr<host_link> const link_;
  std::uint64_t const generation_;
  loop_timer retry_{on_.context()};
  bool stopped_ = false;
  bool missed_ = false; // a message was not sent, because the host is behind
};

host_watches::~host_watches() {
  for (auto const& [id, one] : watches_)
    one->stop();
}

void host_watches::begin(inbound_call& call, opened_watch opened) {
  if (watches_.size() >= most_watches)
    return call.fail(errc::limit_exceeded,
                     "a host has at most " + std::to_string(most_watches) + " watches");
  auto id = std::to_string(++last_);
  auto const one = std::make_shared<watch>(
      on_, call, id, opened.root, path_below(opened.root.as_named, opened.tree.relative()));
  one->start(std::move(opened.tree));
  watches_.emplace(id, one);
  call.reply({{"watch", id}});
}

void host_watches::end(inbound_call& call) {
  auto const id = string_member(call.payload_text(), "watch");
  auto const found = id ? watches_.find(*id) : watches_.end();
  if (found == watches_.end())
    return call.fail(errc::invalid_payload, "there is no such watch");
  found->second->stop();
  watches_.erase(found);
  call.reply(boost::json::object{});
}

} // namespace bulkhead
