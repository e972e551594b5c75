#include "attack.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// Each is something that listens outside, or lies there for everybody.
namespace adversary {
namespace {

struct local_address {
  sockaddr_un name{};
  socklen_t size = 0;
  sockaddr const* get() const noexcept { return reinterpret_cast<sockaddr const*>(&name); }
};

/// Of a path, or of a name that begins with '@' and is in no file system.
local_address local(char const* text) noexcept {
  local_address address;
  address.name.sun_family = AF_UNIX;
  auto const length = std::min(std::strlen(text), sizeof address.name.sun_path - 1);
  std::memcpy(address.name.sun_path, text, length);
  if (*text == '@')
    address.name.sun_path[0] = '\0';
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  return address;
}

outcome connect_local(char const* name) {
  auto const socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0)
    return stopped_by(errno);
  auto const address = local(name);
  return outcome_of(::connect(socket, address.get(), address.size));
}

outcome connect_abstract(target const& what) {
  return connect_local(what.text("abstract"));
}

outcome connect_service(target const& what) {
  return connect_local(what.text("socket"));
}

/// A pair that is made without socket(2), and can send to any address.
outcome send_datagram(target const& what) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0)
    return stopped_by(errno);
  // A pair has an address already; another may be given.
  auto const address = local(what.text("datagrams"));
  return outcome_of(::sendto(pair[0], "x", 1, 0, address.get(), address.size));
}

sockaddr_in ip(char const* address, int port) noexcept {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, address, &made.sin_addr);
  return made;
}

/// A connected socket; negative with errno.
int connect_ip(int type, char const* address, int port) noexcept {
  auto const socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  auto const to = ip(address, port);
  if (socket < 0 || ::connect(socket, reinterpret_cast<sockaddr const*>(&to), sizeof to) != 0)
    return -1;
  return socket;
}

outcome connect_tcp(target const& what) {
  return outcome_of(connect_ip(SOCK_STREAM, "127.0.0.1", what.number("tcp")));
}

outcome listen_tcp(target const&) {
  auto const socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0)
    return stopped_by(errno);
  auto const any = ip("127.0.0.1", 0);
  if (::bind(socket, reinterpret_cast<sockaddr const*>(&any), sizeof any) != 0)
    return stopped_by(errno);
  return outcome_of(::listen(socket, 1));
}

outcome send_udp(target const& what) {
  auto const socket = connect_ip(SOCK_DGRAM, "127.0.0.1", what.number("udp"));
  if (socket < 0 || ::send(socket, "x", 1, 0) != 1)
    return stopped_by(errno);
  // Where nobody has that port in this network the first is answered by an error.
  return outcome_of(::send(socket, "x", 1, 0));
}

/// The address at which clouds tell a machine its credentials. No packet is sent for this: the
/// kernel looks for a way to it.
outcome reach_cloud(target const&) {
  return outcome_of(connect_ip(SOCK_DGRAM, "169.254.169.254", 80));
}

outcome listen_to_packets(target const&) {
  constexpr int all_protocols = 0x0300;
  return outcome_of(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, all_protocols));
}

outcome ask_netlink(target const&) {
  return outcome_of(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
}

/// To the machine that this one runs on, if it is a virtual one.
outcome open_hypervisor_socket(target const&) {
  return outcome_of(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

outcome attach_shared_memory(target const& what) {
  return outcome_of(::shmget(what.number("key"), 0, 0));
}

outcome use_semaphore(target const& what) {
  return outcome_of(::semget(what.number("key"), 0, 0));
}

outcome use_message_queue(target const& what) {
  return outcome_of(::msgget(what.number("key"), 0));
}

outcome use_posix_queue(target const& what) {
  return outcome_of(::mq_open(what.text("queue"), O_RDONLY | O_CLOEXEC));
}

outcome open_shared_memory(target const& what) {
  return outcome_of(::open(what.text("shared"), O_RDWR | O_CLOEXEC));
}

constexpr attack attacks[] = {
    {"connect-abstract", connect_abstract},
    {"connect-service", connect_service},
    {"send-datagram", send_datagram},
    {"connect-tcp", connect_tcp},
    {"listen-tcp", listen_tcp},
    {"send-udp", send_udp},
    {"reach-cloud", reach_cloud},
    {"listen-to-packets", listen_to_packets},
    {"ask-netlink", ask_netlink},
    {"open-hypervisor-socket", open_hypervisor_socket},
    {"attach-shared-memory", attach_shared_memory},
    {"use-semaphore", use_semaphore},
    {"use-message-queue", use_message_queue},
    {"use-posix-queue", use_posix_queue},
    {"open-shared-memory", open_shared_memory},
};

} // namespace

std::span<attack const> channel_attacks() noexcept {
  return attacks;
}

} // namespace adversary
