// The process of a scripted host: it does what the test orders and nothing else.
//
// It connects to the test's socket, its only argument, and to the backend by BULKHEAD_IPC_FD, hands
// what the backend sends to the test, and ends when the test is gone.

#include <bulkhead/harness/program/orders.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace bulkhead::testing::orders;
using bulkhead::platform::unique_fd;

/// What is read, or made of a flood, at a time.
constexpr std::size_t chunk_size = std::size_t{64} << 10;

constexpr int called_wrongly = 2;
constexpr int test_is_gone = 0;

unique_fd connect_to_test(char const* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path)
    return {};
  std::strcpy(address.sun_path, path);
  unique_fd made{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(made.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0)
    return {};
  return made;
}

template <class T>
T read_as(std::string_view body) {
  T value{};
  std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
  return value;
}

template <class Write>
bool write_all(std::string_view bytes, Write write) {
  while (!bytes.empty()) {
    auto const written = write(bytes);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// A frame that is sent again and again, each time with the next number.
struct flood {
  std::string frame;
  std::size_t number_at;
  std::uint64_t left;
  std::uint64_t next = 0;

  void append_some(std::string& to) {
    for (; left != 0 && to.size() < chunk_size; --left, ++next) {
      auto number = next;
      for (auto i = number_digits; i-- > 0; number /= 10)
        frame[number_at + i] = static_cast<char>('0' + number % 10);
      to += frame;
    }
  }
};

class scripted_process {
public:
  scripted_process(char const* test_path, unique_fd test, unique_fd backend)
      : test_path_{test_path}
      , test_{std::move(test)}
      , backend_{std::move(backend)} {
    tell_number(report::started);
  }

  [[noreturn]] void run() {
    for (;;) {
      carry_out_orders();
      pollfd waits[] = {{test_.get(), POLLIN, 0}, {backend_.get(), backend_events(), 0}};
      if (waits[1].events == 0)
        waits[1].fd = -1;
      if (::poll(waits, std::size(waits), -1) < 0)
        continue;
      if (waits[0].revents != 0)
        read_orders();
      if ((waits[1].revents & ~POLLOUT) != 0)
        read_backend();
      if ((waits[1].revents & POLLOUT) != 0)
        send_some();
    }
  }

private:
  short backend_events() const {
    auto const reads = reading_ ? POLLIN : 0;
    return static_cast<short>(unsent_.empty() ? reads : reads | POLLOUT);
  }

  // ---- the test ----

  void tell(report kind, std::string_view body) {
    message_head const head{static_cast<std::uint32_t>(kind),
                            static_cast<std::uint32_t>(body.size())};
    std::string message(sizeof head, '\0');
    std::memcpy(message.data(), &head, sizeof head);
    message += body;
    auto const write = [&](std::string_view bytes) {
      return ::send(test_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    };
    if (!write_all(message, write))
      ::_exit(test_is_gone);
  }

  void tell_number(report kind) {
    std::int32_t const number = ::getpid();
    tell(kind, {reinterpret_cast<char const*>(&number), sizeof number});
  }

  void read_orders() {
    auto const size = ::recv(test_.get(), chunk_, sizeof chunk_, MSG_DONTWAIT);
    if (size > 0)
      orders_.append(chunk_, static_cast<std::size_t>(size));
    else if (size == 0 || errno != EAGAIN)
      ::_exit(test_is_gone);
  }

  void carry_out_orders() {
    while (unsent_.empty() && orders_.size() >= sizeof(message_head)) {
      auto const head = read_as<message_head>(orders_);
      if (orders_.size() < sizeof head + head.size)
        return;
      auto const body = orders_.substr(sizeof head, head.size);
      orders_.erase(0, sizeof head + head.size);
      carry_out(static_cast<order>(head.kind), body);
    }
  }

  void carry_out(order what, std::string const& body) {
    switch (what) {
    case order::send:
      unsent_ = body;
      return send_some();
    case order::flood: {
      auto const head = read_as<flood_head>(body);
      flood_ = flood{body.substr(sizeof head), head.number_at, head.count};
      flood_->append_some(unsent_);
      return send_some();
    }
    case order::close:
      return close_backend();
    case order::exit:
      ::_exit(read_as<std::int32_t>(body));
    case order::raise:
      ::raise(read_as<std::int32_t>(body));
      return;
    case order::ignore_sigterm:
      ::signal(SIGTERM, SIG_IGN);
      return;
    case order::stop_reading:
      reading_ = false;
      return;
    case order::read_again:
      reading_ = bool{backend_};
      return;
    case order::print:
      write_all(body, [](std::string_view bytes) {
        return ::write(STDOUT_FILENO, bytes.data(), bytes.size());
      });
      return;
    case order::leave_orphan:
      return leave_orphan();
    }
  }

  /// As a daemon does it: the child of a child, in a session of its own. It goes with the test.
  void leave_orphan() {
    auto const child = ::fork();
    if (child > 0)
      ::waitpid(child, nullptr, 0);
    if (child != 0)
      return;
    ::setsid();
    if (::fork() != 0)
      ::_exit(0);
    backend_.reset();
    test_ = connect_to_test(test_path_);
    tell_number(report::orphaned);
    while (::recv(test_.get(), chunk_, sizeof chunk_, 0) > 0)
      ;
    ::_exit(test_is_gone);
  }

  // ---- the backend ----

  void read_backend() {
    if (!reading_)
      return close_backend(); // nothing but its end is waited for
    auto const size = ::recv(backend_.get(), chunk_, sizeof chunk_, MSG_DONTWAIT);
    if (size > 0)
      tell(report::received, {chunk_, static_cast<std::size_t>(size)});
    else if (size == 0 || errno != EAGAIN)
      close_backend();
  }

  void send_some() {
    while (!unsent_.empty()) {
      auto const size =
          ::send(backend_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0 && errno == EAGAIN)
        return;
      if (size < 0)
        return close_backend();
      unsent_.erase(0, static_cast<std::size_t>(size));
      if (unsent_.empty() && flood_)
        flood_->append_some(unsent_);
    }
    flood_.reset();
  }

  void close_backend() {
    backend_.reset();
    reading_ = false;
    unsent_.clear();
    flood_.reset();
  }

  char const* test_path_;
  unique_fd test_;
  unique_fd backend_;
  bool reading_ = true;
  std::string orders_; ///< that came and are not carried out
  std::string unsent_;
  std::optional<flood> flood_;
  char chunk_[chunk_size];
};

} // namespace

int main(int argc, char** argv) {
  auto const* const backend = ::getenv("BULKHEAD_IPC_FD");
  if (argc != 2 || !backend)
    return called_wrongly;
  auto test = connect_to_test(argv[1]);
  if (!test)
    return test_is_gone;
  ::signal(SIGPIPE, SIG_IGN); // the end of what it writes to is seen by the writing itself
  static scripted_process process{argv[1], std::move(test), unique_fd{std::atoi(backend)}};
  process.run();
}
