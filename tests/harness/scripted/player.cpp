#include <bulkhead/harness/scripted/player.hpp>

#include <bulkhead/harness/scripted/process.hpp>
#include <bulkhead/messages/error.hpp>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace bulkhead::testing {

script_player::script_player(std::filesystem::path const& socket)
    : acceptor_{loop_, boost::asio::local::stream_protocol::endpoint{socket.string()}} {
  accept();
  thread_ = std::thread{[this] { loop_.run(); }};
}

script_player::~script_player() {
  loop_.stop();
  thread_.join();
}

void script_player::accept() {
  acceptor_.async_accept([this](auto failed, process::socket connected) {
    if (failed)
      return;
    std::make_shared<process>(*this, std::move(connected))->start();
    accept();
  });
}

// ---- what is written --------------------------------------------------------------------------

void script_player::set(script_occasion when, std::vector<script_turn> turns) {
  script written;
  for (auto& turn : turns)
    written.turns.push_back(std::make_shared<script_turn const>(std::move(turn)));
  change([&] { scripts_.insert_or_assign(std::move(when), std::move(written)); });
}

script_player::turn_ptr script_player::next_turn(script_occasion const& when) {
  std::lock_guard const lock{mutex_};
  auto const found = scripts_.find(when);
  if (found == scripts_.end())
    return nullptr;
  auto& [turns, next] = found->second;
  auto const turn = turns[next];
  next = std::min(next + 1, turns.size() - 1);
  return turn;
}

void script_player::play(std::vector<script_turn> turns) {
  for (auto& each : turns)
    boost::asio::post(
        loop_, [this, turn = std::make_shared<script_turn const>(std::move(each))]() mutable {
          if (present_)
            present_->play(std::move(turn), nullptr);
        });
}

std::future<payload> script_player::request(std::string type, json const& asked,
                                            std::chrono::milliseconds within) {
  std::promise<payload> done;
  auto answer = done.get_future();
  boost::asio::post(
      loop_, [this, type = std::move(type), asked, within, done = std::move(done)]() mutable {
        if (present_)
          present_->request(std::move(type), asked, within, std::move(done));
        else
          done.set_exception(std::make_exception_ptr(error{errc::host_not_running}));
      });
  return answer;
}

// ---- what happens -----------------------------------------------------------------------------

void script_player::on_started(std::shared_ptr<process> who) {
  present_ = std::move(who);
  change([&] { ++starts_; });
  if (auto turn = next_turn({}))
    present_->play(std::move(turn), nullptr);
}

void script_player::on_orphan(int number) {
  change([&] { orphans_.push_back(number); });
}

void script_player::on_ended(process const* who) {
  if (present_.get() == who)
    present_.reset();
}

void script_player::record(std::string_view type, json payload) {
  change([&] { received_.push_back({std::string{type}, std::move(payload)}); });
}

std::vector<json> script_player::received(std::string_view type) const {
  std::lock_guard const lock{mutex_};
  std::vector<json> found;
  for (auto const& each : received_)
    if (each.type == type)
      found.push_back(each.payload);
  return found;
}

bool script_player::wait_for_received(std::string_view type, std::size_t count,
                                      std::chrono::milliseconds within) const {
  return wait(within, [&] {
    auto const came = std::ranges::count(received_, type, &message::type);
    return static_cast<std::size_t>(came) >= count;
  });
}

std::size_t script_player::starts() const {
  std::lock_guard const lock{mutex_};
  return starts_;
}

bool script_player::wait_for_starts(std::size_t count, std::chrono::milliseconds within) const {
  return wait(within, [&] { return starts_ >= count; });
}

std::optional<int> script_player::wait_for_orphan(std::chrono::milliseconds within) const {
  auto const left = wait(within, [&] { return !orphans_.empty(); });
  return left ? std::optional{orphans_.back()} : std::nullopt;
}

} // namespace bulkhead::testing
