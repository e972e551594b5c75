#include "keyring_session.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gio/gio.h>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::testing {
namespace {

using platform::unique_fd;

/// A busy machine under sanitizers is slow; nothing that is waited for takes seconds.
constexpr int patience_ms = 30'000;

constexpr auto service_name = "org.freedesktop.secrets";
constexpr auto service_path = "/org/freedesktop/secrets";
constexpr auto service_interface = "org.freedesktop.Secret.Service";

/// Nothing on this bus is started by being called: what a test killed stays away.
constexpr auto bus_configuration = R"(<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=FOLDER/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
)";

std::string program(std::string const& name, std::string const& package) {
  for (auto const* const folder : {"/usr/bin/", "/bin/", "/usr/local/bin/"})
    if (::access((folder + name).c_str(), X_OK) == 0)
      return folder + name;
  throw std::runtime_error{"there is no " + name + ": apt-get install " + package +
                           " (tools/bootstrap does)"};
}

std::vector<char*> pointers_to(std::vector<std::string> const& words) {
  std::vector<char*> pointers;
  for (auto const& word : words)
    pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Starts a program that ends with this thread and is silent but for what it writes to `output`.
pid_t start(std::vector<std::string> const& words, std::vector<std::string> const& environment,
            int input, int output) {
  auto const argv = pointers_to(words);
  auto const envp = pointers_to(environment);
  auto const parent = ::getpid();
  auto const child = ::fork();
  if (child < 0)
    throw std::runtime_error{"no process"};
  if (child == 0) {
    auto const nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(input < 0 ? nowhere : input, STDIN_FILENO);
    ::dup2(output < 0 ? nowhere : output, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent)
      ::execve(argv.front(), argv.data(), envp.data());
    ::_exit(127);
  }
  return child;
}

std::pair<unique_fd, unique_fd> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipe"};
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

std::string read_line(int from, std::string const& whose) {
  std::string line;
  while (!line.ends_with('\n')) {
    pollfd readable{from, POLLIN, 0};
    char byte = 0;
    if (::poll(&readable, 1, patience_ms) != 1 || ::read(from, &byte, 1) != 1)
      throw std::runtime_error{whose + " did not start"};
    line += byte;
  }
  line.pop_back();
  return line;
}

void end(pid_t& process) noexcept {
  if (process == 0)
    return;
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
  process = 0;
}

struct unref {
  void operator()(GDBusConnection* connection) const noexcept {
    ::g_dbus_connection_close_sync(connection, nullptr, nullptr);
    ::g_object_unref(connection);
  }
  void operator()(GVariant* variant) const noexcept { ::g_variant_unref(variant); }
  void operator()(GMainContext* context) const noexcept {
    while (::g_main_context_iteration(context, FALSE)) {
    }
    ::g_main_context_pop_thread_default(context);
    ::g_main_context_unref(context);
  }
};

using connection = std::unique_ptr<GDBusConnection, unref>;
using variant = std::unique_ptr<GVariant, unref>;
using private_context = std::unique_ptr<GMainContext, unref>;

private_context make_context() {
  private_context context{::g_main_context_new()};
  ::g_main_context_push_thread_default(context.get());
  return context;
}

connection connect_to(std::string const& address) {
  connection made{::g_dbus_connection_new_for_address_sync(
      address.c_str(),
      GDBusConnectionFlags(G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                           G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION),
      nullptr, nullptr, nullptr)};
  if (!made)
    throw std::runtime_error{"the test's bus refuses connections"};
  return made;
}

variant call(connection const& bus, char const* method, GVariant* arguments) {
  variant answer{::g_dbus_connection_call_sync(
      bus.get(), service_name, service_path, service_interface, method, arguments, nullptr,
      G_DBUS_CALL_FLAGS_NONE, patience_ms, nullptr, nullptr)};
  if (!answer)
    throw std::runtime_error{std::string{"the keyring refused "} + method};
  return answer;
}

struct ownership {
  bool is_known = false;
  bool is_owned = false;
  bool is_too_late = false;
};

void appeared(GDBusConnection*, char const*, char const*, void* seen) {
  *static_cast<ownership*>(seen) = {true, true, false};
}

void vanished(GDBusConnection*, char const*, void* seen) {
  *static_cast<ownership*>(seen) = {true, false, false};
}

gboolean too_late(void* seen) {
  static_cast<ownership*>(seen)->is_too_late = true;
  return G_SOURCE_REMOVE;
}

} // namespace

keyring_session::keyring_session() {
  for (auto const* const name : {"home", "runtime"}) {
    std::filesystem::create_directory(folder_.path() / name);
    std::filesystem::permissions(folder_.path() / name, std::filesystem::perms::owner_all);
  }
  auto configuration = std::string{bus_configuration};
  configuration.replace(configuration.find("FOLDER"), 6, folder_.path().string());
  auto const file = folder_.write("bus.conf", configuration);
  auto [ours, theirs] = make_pipe();
  bus_ = start({program("dbus-daemon", "dbus-daemon"), "--nofork", "--print-address=1",
                "--config-file=" + file.string()},
               environment(), -1, theirs.get());
  theirs.reset();
  try {
    bus_address_ = read_line(ours.get(), "dbus-daemon");
  } catch (...) {
    end(bus_);
    throw;
  }
}

keyring_session::~keyring_session() {
  end(keyring_);
  end(bus_);
}

void keyring_session::start_keyring(std::string_view password) {
  auto [theirs, ours] = make_pipe();
  keyring_ = start({program("gnome-keyring-daemon", "gnome-keyring"), "--foreground", "--unlock",
                    "--components=secrets"},
                   environment(), theirs.get(), -1);
  theirs.reset();
  // It wants a byte at the least.
  auto const line = std::string{password} + '\n';
  if (::write(ours.get(), line.data(), line.size()) != std::ssize(line))
    throw std::runtime_error{"gnome-keyring-daemon takes no password"};
  ours.reset();
  wait_for_owner(true);
}

void keyring_session::kill_keyring() {
  end(keyring_);
  wait_for_owner(false);
}

void keyring_session::signal_keyring(int number) const {
  ::kill(keyring_, number);
}

void keyring_session::signal_bus(int number) const {
  ::kill(bus_, number);
}

void keyring_session::lock_keyring() const {
  auto const context = make_context();
  auto const bus = connect_to(bus_address_);
  auto const alias = call(bus, "ReadAlias", ::g_variant_new("(s)", "default"));
  char const* path = nullptr;
  ::g_variant_get(alias.get(), "(&o)", &path);
  GVariantBuilder paths;
  ::g_variant_builder_init(&paths, G_VARIANT_TYPE("ao"));
  ::g_variant_builder_add(&paths, "o", path);
  call(bus, "Lock", ::g_variant_new("(ao)", &paths));
}

std::size_t
keyring_session::count_items(std::map<std::string, std::string> const& attributes) const {
  auto const context = make_context();
  auto const bus = connect_to(bus_address_);
  GVariantBuilder wanted;
  ::g_variant_builder_init(&wanted, G_VARIANT_TYPE("a{ss}"));
  for (auto const& [name, value] : attributes)
    ::g_variant_builder_add(&wanted, "{ss}", name.c_str(), value.c_str());
  auto const found = call(bus, "SearchItems", ::g_variant_new("(a{ss})", &wanted));
  auto size = std::size_t{0};
  for (gsize i = 0; i != 2; ++i) { // unlocked ones, locked ones
    variant const paths{::g_variant_get_child_value(found.get(), i)};
    size += ::g_variant_n_children(paths.get());
  }
  return size;
}

std::vector<std::string> keyring_session::environment() const {
  auto const home = (folder_.path() / "home").string();
  std::vector<std::string> variables{"PATH=/usr/bin:/bin", "HOME=" + home,
                                     "XDG_DATA_HOME=" + home + "/.local/share",
                                     "XDG_RUNTIME_DIR=" + (folder_.path() / "runtime").string()};
  if (!bus_address_.empty())
    variables.push_back("DBUS_SESSION_BUS_ADDRESS=" + bus_address_);
  return variables;
}

void keyring_session::wait_for_owner(bool wanted) const {
  auto const context = make_context();
  auto const bus = connect_to(bus_address_);
  ownership seen;
  auto const watch = ::g_bus_watch_name_on_connection(
      bus.get(), service_name, G_BUS_NAME_WATCHER_FLAGS_NONE, &appeared, &vanished, &seen, nullptr);
  auto* const alarm = ::g_timeout_source_new(patience_ms);
  ::g_source_set_callback(alarm, &too_late, &seen, nullptr);
  ::g_source_attach(alarm, context.get());
  while (!seen.is_too_late && !(seen.is_known && seen.is_owned == wanted))
    ::g_main_context_iteration(context.get(), TRUE);
  ::g_source_destroy(alarm);
  ::g_source_unref(alarm);
  ::g_bus_unwatch_name(watch);
  if (seen.is_too_late)
    throw std::runtime_error{wanted ? "gnome-keyring-daemon did not come to the bus; try it by "
                                      "hand: gnome-keyring-daemon --foreground --unlock"
                                    : "gnome-keyring-daemon stays on the bus"};
}

} // namespace bulkhead::testing
