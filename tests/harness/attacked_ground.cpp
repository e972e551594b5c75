#include <bulkhead/harness/attacked_ground.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <mqueue.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdexcept>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::testing {

namespace disk = std::filesystem;
using platform::unique_fd;

namespace {

constexpr char const* secret_text = "a secret of the host's";
constexpr mode_t for_all = 0666;
/// Of the descriptors that attackers have anyway.
constexpr int out_of_the_way = 40;
constexpr mode_t folder_for_all = 0777;

bool is_root() noexcept {
  return ::geteuid() == 0;
}

std::string content_of(disk::path const& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void require(bool done, char const* what) {
  if (!done)
    throw std::runtime_error{std::string{"the ground for attacks: "} + what + ": " +
                             std::strerror(errno)};
}

void open_to_all(disk::path const& path) {
  auto const is_folder = disk::is_directory(path);
  require(::chmod(path.c_str(), is_folder ? folder_for_all : for_all) == 0, "chmod");
}

disk::path make_open_folder(disk::path const& path) {
  disk::create_directories(path);
  open_to_all(path);
  return path;
}

disk::path write_open(disk::path const& path, char const* text) {
  std::ofstream{path} << text;
  open_to_all(path);
  return path;
}

/// For what lies in no folder.
std::string own_name() {
  return "bulkhead-attacked-" + std::to_string(::getpid());
}

template <class Address>
int port_of(int socket) {
  Address bound{};
  socklen_t size = sizeof bound;
  require(::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) == 0, "a port");
  return ntohs(bound.sin_port);
}

} // namespace

attacked_ground::attacked_ground(attackers_files const& copied, disk::path set_user_id)
    : set_user_id_{std::move(set_user_id)}
    , core_pattern_{content_of("/proc/sys/kernel/core_pattern")} {
  std::string pattern = "/tmp/bulkhead-attacked-XXXXXX";
  require(::mkdtemp(pattern.data()) != nullptr, "a folder");
  root_ = pattern;
  ::chmod(root_.c_str(), 0755);
  add_files(copied);
  add_victim();
  add_sockets();
  add_shared_objects();
  char machine[256] = {};
  ::gethostname(machine, sizeof machine - 1);
  tell("machine", machine);
  tell("setuid", set_user_id_.string());
}

attacked_ground::~attacked_ground() {
  if (victim_ > 0) {
    ::kill(victim_, SIGKILL);
    ::waitpid(victim_, nullptr, 0);
  }
  ::shmctl(shared_memory_, IPC_RMID, nullptr);
  ::semctl(semaphore_, 0, IPC_RMID);
  ::msgctl(message_queue_, IPC_RMID, nullptr);
  ::mq_unlink(("/" + own_name()).c_str());
  ::unlink(("/dev/shm/" + own_name()).c_str());
  std::error_code ignored;
  disk::remove_all(root_, ignored);
}

void attacked_ground::tell(std::string name, std::string value) {
  targets_.emplace_back(std::move(name), std::move(value));
}

void attacked_ground::add_files(attackers_files const& copied) {
  auto const outside = make_open_folder(root_ / "outside");
  tell("secret", write_open(outside / "secret", secret_text).string());
  // Everything that this process starts would inherit it.
  auto const left = write_open(outside / "left-open", secret_text);
  unique_fd const opened{::open(left.c_str(), O_RDONLY | O_CLOEXEC)};
  held_.emplace_back(::fcntl(opened.get(), F_DUPFD, out_of_the_way));

  own_ = make_open_folder(root_ / "own");
  tell("folder", own_.string());
  auto const own_file = write_open(own_ / "own-file", "");
  if (is_root())
    require(::chown(own_file.c_str(), attacker_user, attacker_user) == 0, "chown");
  tell("own", own_file.string());

  program_ = make_open_folder(root_ / "program") / "bulkhead_attacks";
  disk::copy_file(copied.program, program_);
  ::chmod(program_.c_str(), folder_for_all);
  tell("program", program_.string());

  extension_ = root_ / "extension";
  disk::copy(copied.extension, extension_, disk::copy_options::recursive);
  open_to_all(extension_);
  for (auto const& each : disk::recursive_directory_iterator{extension_})
    open_to_all(each.path());
}

void attacked_ground::add_victim() {
  int started[2];
  require(::pipe2(started, O_CLOEXEC) == 0, "a pipe");
  auto const parent = ::getpid();
  victim_ = ::fork();
  require(victim_ >= 0, "a victim");
  if (victim_ == 0) {
    ::setsid();
    if (is_root() && (::setresgid(attacker_user, attacker_user, attacker_user) != 0 ||
                      ::setresuid(attacker_user, attacker_user, attacker_user) != 0))
      ::_exit(1);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent)
      ::_exit(1);
    ::execl("/bin/sleep", "sleep", "600", nullptr);
    ::_exit(1);
  }
  ::close(started[1]);
  char end = 0;
  while (::read(started[0], &end, 1) < 0 && errno == EINTR) {
  }
  ::close(started[0]);
  tell("victim", std::to_string(victim_));
}

int attacked_ground::listen_on(int family, int type, void const* address, unsigned size) {
  unique_fd made{::socket(family, type | SOCK_CLOEXEC, 0)};
  require(made && ::bind(made.get(), static_cast<sockaddr const*>(address), size) == 0, "bind");
  constexpr int crowd = 128;
  if (type == SOCK_STREAM)
    require(::listen(made.get(), crowd) == 0, "listen");
  held_.push_back(std::move(made));
  return held_.back().get();
}

void attacked_ground::add_sockets() {
  auto const local = [&](std::string const& name, int type) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(name, address.sun_path);
    if (name.starts_with('@'))
      address.sun_path[0] = '\0';
    listen_on(AF_UNIX, type, &address,
              static_cast<unsigned>(offsetof(sockaddr_un, sun_path) + name.size()));
    if (!name.starts_with('@'))
      open_to_all(name);
    return name;
  };
  tell("socket", local((root_ / "outside/socket").string(), SOCK_STREAM));
  tell("datagrams", local((root_ / "outside/datagrams").string(), SOCK_DGRAM));
  tell("abstract", local("@" + own_name(), SOCK_STREAM));
  sockaddr_in loopback{};
  loopback.sin_family = AF_INET;
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto const tcp = listen_on(AF_INET, SOCK_STREAM, &loopback, sizeof loopback);
  tell("tcp", std::to_string(port_of<sockaddr_in>(tcp)));
  auto const udp = listen_on(AF_INET, SOCK_DGRAM, &loopback, sizeof loopback);
  tell("udp", std::to_string(port_of<sockaddr_in>(udp)));
}

void attacked_ground::add_shared_objects() {
  constexpr int prefix = 0x6268'0000;
  auto const key = prefix | (::getpid() & 0xffff);
  constexpr std::size_t page = 4096;
  shared_memory_ = ::shmget(key, page, IPC_CREAT | for_all);
  semaphore_ = ::semget(key, 1, IPC_CREAT | for_all);
  message_queue_ = ::msgget(key, IPC_CREAT | static_cast<int>(for_all));
  require(shared_memory_ >= 0 && semaphore_ >= 0 && message_queue_ >= 0, "System V objects");
  tell("key", std::to_string(key));

  auto const mask = ::umask(0);
  auto const queue =
      ::mq_open(("/" + own_name()).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, for_all, nullptr);
  ::umask(mask);
  require(queue >= 0, "a message queue");
  ::mq_close(queue);
  tell("queue", "/" + own_name());
  tell("shared", write_open("/dev/shm/" + own_name(), "").string());
}

std::string attacked_ground::damage() const {
  std::string found;
  auto const expect = [&](bool holds, char const* what) {
    if (!holds)
      found.append(found.empty() ? "" : ", ").append(what);
  };
  expect(content_of(root_ / "outside/secret") == secret_text, "the secret was changed");
  expect(std::distance(disk::directory_iterator{root_ / "outside"}, {}) == 4,
         "there is another file beside it");
  expect(content_of("/proc/sys/kernel/core_pattern") == core_pattern_, "core_pattern was changed");
  expect(::kill(victim_, 0) == 0 && ::waitpid(victim_, nullptr, WNOHANG) == 0,
         "the victim is gone");
  expect(::getpriority(PRIO_PROCESS, static_cast<id_t>(victim_)) == ::getpriority(PRIO_PROCESS, 0),
         "the victim was reniced");
  for (auto const& each : disk::directory_iterator{own_})
    expect((each.status().permissions() & (disk::perms::set_uid | disk::perms::set_gid)) ==
               disk::perms::none,
           "there is a set-user-ID file");
  return found;
}

} // namespace bulkhead::testing
