#include "floor_client.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/endian/conversion.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <unordered_map>
#include <utility>
#include <vector>

namespace bulkhead::bench {
namespace {

namespace asio = boost::asio;
using socket = asio::local::stream_protocol::socket;

constexpr std::size_t prefix = 4;

std::string framed(boost::json::value const& message) {
  std::string frame(prefix, '\0');
  frame += boost::json::serialize(message);
  boost::endian::store_big_u32(reinterpret_cast<unsigned char*>(frame.data()),
                               static_cast<std::uint32_t>(frame.size() - prefix));
  return frame;
}

} // namespace

struct floor_client::connection : std::enable_shared_from_this<connection> {
  explicit connection(socket made)
      : channel{std::move(made)} {}

  void send(boost::json::value const& message) {
    unsent += framed(message);
    if (std::exchange(writing, true))
      return;
    asio::post(channel.get_executor(), [self = shared_from_this()] { self->flush(); });
  }

  void flush() {
    if (unsent.empty()) {
      writing = false;
      return;
    }
    under_way.clear();
    under_way.swap(unsent);
    asio::async_write(channel, asio::buffer(under_way),
                      [self = shared_from_this()](boost::system::error_code failed, std::size_t) {
                        if (!failed)
                          self->flush();
                      });
  }

  void receive(std::string_view text) {
    auto const message = boost::json::parse({text.data(), text.size()});
    auto const& id = message.at("id").as_string();
    std::string_view const type{message.at("type").as_string()};
    if (!type.ends_with("-response") && !type.ends_with("-error")) {
      if (!id.empty())
        send({{"id", id},
              {"type", std::string{type} + "-response"},
              {"payload", boost::json::object{}}});
      return;
    }
    auto const found = open.find(std::string{id});
    if (found == open.end())
      return;
    auto const ended = std::move(found->second);
    open.erase(found);
    ended(message.at("payload"));
  }

  static asio::awaitable<void> read(std::shared_ptr<connection> self) {
    std::vector<char> buffer(256 * 1024);
    std::size_t held = 0;
    for (;;) {
      boost::system::error_code failed;
      held += co_await self->channel.async_read_some(
          asio::buffer(buffer.data() + held, buffer.size() - held),
          asio::redirect_error(asio::use_awaitable, failed));
      if (failed)
        co_return;
      std::size_t at = 0;
      while (held - at >= prefix) {
        auto const size =
            boost::endian::load_big_u32(reinterpret_cast<unsigned char const*>(buffer.data() + at));
        if (held - at < prefix + size) {
          if (buffer.size() < prefix + size)
            buffer.resize(prefix + size);
          break;
        }
        self->receive({buffer.data() + at + prefix, size});
        at += prefix + size;
      }
      std::move(buffer.begin() + static_cast<std::ptrdiff_t>(at),
                buffer.begin() + static_cast<std::ptrdiff_t>(held), buffer.begin());
      held -= at;
    }
  }

  socket channel;
  std::string unsent;
  std::string under_way;
  bool writing = false;
  std::uint64_t last_id = 0;
  std::unordered_map<std::string, done> open;
};

floor_client::floor_client(asio::io_context& loop, platform::unique_fd with)
    : connection_{std::make_shared<connection>(
          socket{loop, asio::local::stream_protocol{}, with.release()})} {
  asio::co_spawn(loop, connection::read(connection_), asio::detached);
}

floor_client::~floor_client() {
  boost::system::error_code ignored;
  connection_->channel.close(ignored);
}

void floor_client::request(std::string_view type, boost::json::value payload, done ended) {
  auto id = std::to_string(++connection_->last_id);
  connection_->send({{"id", id}, {"type", type}, {"payload", std::move(payload)}});
  connection_->open.emplace(std::move(id), std::move(ended));
}

} // namespace bulkhead::bench
