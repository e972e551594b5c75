#include "shared/code_of.hpp"
#include "shared/forked.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/files.hpp>

#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::folder;
using bulkhead::platform::kernel_resolver;
using bulkhead::platform::read_file;
using bulkhead::platform::real_path_of;
using bulkhead::platform::resolver;
using bulkhead::platform::write_file;
using bulkhead::testing::code_of;
using bulkhead::testing::exit_code_of;
using bulkhead::testing::no_error;
using bulkhead::testing::temporary_directory;

folder open_root(fs::path const& path, resolver how = resolver::openat2) {
  auto opened = folder::open(path, how);
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

std::string relative_of(folder const& root, std::string_view name) {
  auto const found = root.locate(name);
  REQUIRE(code_of(found) == no_error);
  return found->relative;
}

/// `root/` with a file and a folder, and `outside/` and `root2/` beside it.
struct tree {
  tree() {
    static_cast<void>(outside.write("root/file", "inside"));
    static_cast<void>(outside.write("root/dir/file", "inside"));
    static_cast<void>(outside.write("outside/file", "sentinel"));
    static_cast<void>(outside.write("root2/file", "sentinel"));
  }
  fs::path path(std::string const& name = {}) const { return outside.path() / "root" / name; }
  void link(std::string const& target, std::string const& name) const {
    fs::create_symlink(target, path(name));
  }

  temporary_directory outside;
};

constexpr int not_possible_here = 77;

} // namespace

TEST_CASE("an object is found by any spelling of its name and known by its real path",
          "[beneath]") {
  auto const how = GENERATE(resolver::openat2, resolver::walk);
  tree const t;
  auto const root = open_root(t.path(), how);
  CHECK(root.real_path() == fs::canonical(t.path()));
  for (auto const* name : {"dir/file", "dir//file", "./dir/./file", "dir/file/", "dir/file/."})
    CHECK(relative_of(root, name) == "dir/file");
  for (auto const* name : {"", ".", "./"})
    CHECK(relative_of(root, name).empty());
  CHECK(code_of(root.locate("dir/none")) == errc::file_not_found);
  CHECK(code_of(root.locate("file/none")) == errc::file_not_a_directory);
}

TEST_CASE("names that are not canonical, absolute or impossible are refused", "[beneath]") {
  auto const how = GENERATE(resolver::openat2, resolver::walk);
  tree const t;
  auto const root = open_root(t.path(), how);
  for (auto const* name : {"..", "../root/file", "dir/../file", "dir/..", "/", "/etc/passwd"}) {
    INFO(name);
    CHECK(code_of(root.locate(name)) == errc::path_denied);
    CHECK(code_of(root.locate_parent(name)) == errc::path_denied);
  }
  auto const nul = std::string_view{"file\0x", 6};
  CHECK(code_of(root.locate(nul)) == errc::invalid_payload);
  CHECK(code_of(root.locate(std::string(PATH_MAX + 1, 'x'))) == errc::invalid_payload);
  CHECK(code_of(root.locate(std::string(NAME_MAX + 1, 'x'))) == errc::invalid_payload);
  // Names are bytes: nothing in them is decoded.
  CHECK(code_of(root.locate("%2e%2e/outside/file")) == errc::file_not_found);
}

TEST_CASE("openat2 follows a link that stays below, and the walk follows none", "[beneath]") {
  tree const t;
  t.link("dir", "link");
  t.link("../dir/file", "dir/up");
  auto const kernel = open_root(t.path(), resolver::openat2);
  CHECK(relative_of(kernel, "link/file") == "dir/file");
  CHECK(relative_of(kernel, "link") == "dir");
  CHECK(relative_of(kernel, "dir/up") == "dir/file");
  auto const walk = open_root(t.path(), resolver::walk);
  for (auto const* name : {"link/file", "link", "dir/up"})
    CHECK(code_of(walk.locate(name)) == errc::path_denied);
}

TEST_CASE("a link that leaves is refused wherever it stands and however it is written",
          "[beneath]") {
  auto const how = GENERATE(resolver::openat2, resolver::walk);
  tree const t;
  auto const outside = t.outside.path() / "outside";
  t.link("../outside", "relative");
  t.link(outside, "absolute");
  t.link(t.path("dir"), "absolute_inside");
  t.link("../outside/file", "file_link");
  t.link("relative/file", "chain");
  t.link("../root2", "neighbour");
  t.link("loop", "loop");
  auto const root = open_root(t.path(), how);
  for (auto const* name :
       {"relative", "relative/file", "absolute", "absolute/file", "absolute_inside/file",
        "file_link", "chain", "neighbour/file", "loop"}) {
    INFO(name);
    CHECK(code_of(root.locate(name)) == errc::path_denied);
  }
  CHECK(code_of(root.locate_parent("relative/new")) == errc::path_denied);
  // The last name of a place is not followed, so it is found.
  CHECK(code_of(root.locate_parent("relative")) == no_error);
}

TEST_CASE("the links of /proc lead nowhere", "[beneath]") {
  auto const how = GENERATE(resolver::openat2, resolver::walk);
  auto const root = open_root("/", how);
  auto const own = "proc/" + std::to_string(::getpid());
  for (auto const* name : {"/root/etc", "/root", "/cwd", "/exe", "/fd/0"}) {
    INFO(name);
    CHECK(code_of(root.locate(own + name)) == errc::path_denied);
  }
  CHECK(code_of(root.locate("proc/self/root")) == errc::path_denied);
  CHECK(code_of(root.locate("dev/fd/0")) == errc::path_denied);
  CHECK(relative_of(root, own + "/status") == own + "/status");
}

TEST_CASE("the policy's own path may be a link, and must be a folder", "[beneath]") {
  tree const t;
  t.link("dir", "link");
  auto const root = open_root(t.path("link"));
  CHECK(root.real_path() == fs::canonical(t.path("dir")));
  CHECK(relative_of(root, "file") == "file");
  CHECK(code_of(folder::open(t.path("file"))) == errc::file_not_a_directory);
  CHECK(code_of(folder::open(t.path("none"))) == errc::file_not_found);
}

TEST_CASE("nothing is found below a folder that was moved or deleted", "[beneath]") {
  auto const how = GENERATE(resolver::openat2, resolver::walk);
  tree const t;
  auto const root = open_root(t.path("dir"), how);
  fs::rename(t.path("dir"), t.path("dir2"));
  CHECK(code_of(root.locate("file")) == errc::path_denied);
  fs::remove_all(t.path("dir2"));
  CHECK(code_of(root.locate("")) == errc::file_not_found);
  CHECK(code_of(root.locate("file")) == errc::file_not_found);
}

TEST_CASE("a deleted object has no path, and one whose name says so has", "[beneath]") {
  tree const t;
  static_cast<void>(t.outside.write("root/x (deleted)", ""));
  static_cast<void>(t.outside.write("root/x", ""));
  auto const root = open_root(t.path());
  CHECK(relative_of(root, "x (deleted)") == "x (deleted)");
  auto const deleted = root.locate("x");
  REQUIRE(deleted.has_value());
  fs::remove(t.path("x"));
  CHECK(code_of(real_path_of(deleted->fd.get())) == errc::file_not_found);
}

TEST_CASE("a place is a real folder and a plain name", "[beneath]") {
  auto const how = GENERATE(resolver::openat2, resolver::walk);
  tree const t;
  auto const root = open_root(t.path(), how);
  auto const inner = root.locate_parent("dir//new/");
  REQUIRE(inner.has_value());
  CHECK(inner->name == "new");
  CHECK(inner->parent.relative == "dir");
  CHECK(inner->relative() == "dir/new");
  auto const top = root.locate_parent("new");
  REQUIRE(top.has_value());
  CHECK(top->relative() == "new");
  CHECK(code_of(root.locate_parent("")) == errc::path_denied);
  CHECK(code_of(root.locate_parent("./.")) == errc::path_denied);
  CHECK(code_of(root.locate_parent("file/new")) == errc::file_not_a_directory);
  CHECK(code_of(root.locate_parent("none/new")) == errc::file_not_found);
}

TEST_CASE("without /proc nothing is found", "[beneath]") {
  tree const t;
  auto const exit_code = exit_code_of([&] {
    if (::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", "/proc", "tmpfs", 0, nullptr) != 0)
      return not_possible_here;
    return code_of(folder::open(t.path())) == errc::file_unavailable ? 0 : 1;
  });
  if (exit_code == not_possible_here)
    WARN("this machine lets nobody cover /proc, so it is not tested here");
  else
    CHECK(exit_code == 0);
}

TEST_CASE("a seccomp filter that denies openat2 makes it the walk", "[beneath]") {
  tree const t;
  auto const exit_code = exit_code_of([&] {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog const program{std::size(code), code};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      return not_possible_here;
    auto const root = folder::open(t.path());
    return kernel_resolver() == resolver::walk && root && root->locate("dir/file") ? 0 : 1;
  });
  if (exit_code == not_possible_here)
    WARN("this machine has no seccomp, so it is not tested here");
  else
    CHECK(exit_code == 0);
}

// ---- the race -----------------------------------------------------------------------------------

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr int race_rounds = 10'000;
#else
constexpr int race_rounds = 100'000;
#endif

/// In memory where that is possible: a hundred thousand flushes to a disk take minutes.
class race_ground {
public:
  race_ground() {
    auto const memory = fs::path{"/dev/shm"};
    auto const in_memory = ::access(memory.c_str(), W_OK) == 0;
    auto pattern = ((in_memory ? memory : fs::temp_directory_path()) / "bh-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()));
    path_ = pattern;
    rounds_per_write_ = in_memory ? 1 : 1000;
  }
  race_ground(race_ground const&) = delete;
  race_ground& operator=(race_ground const&) = delete;
  ~race_ground() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  fs::path path(char const* name) const { return path_ / name; }
  int rounds_per_write() const noexcept { return rounds_per_write_; }

private:
  fs::path path_;
  int rounds_per_write_ = 1;
};

void write(fs::path const& file, std::string const& content) {
  auto const closed = std::unique_ptr<FILE, int (*)(FILE*)>{std::fopen(file.c_str(), "w"), &fclose};
  REQUIRE(closed);
  REQUIRE(std::fputs(content.c_str(), closed.get()) >= 0);
}

std::string read(fs::path const& file) {
  std::string content(64, '\0');
  auto const opened = std::unique_ptr<FILE, int (*)(FILE*)>{std::fopen(file.c_str(), "r"), &fclose};
  REQUIRE(opened);
  content.resize(std::fread(content.data(), 1, content.size(), opened.get()));
  return content;
}

/// Exchanges the names of each pair in turn for as long as it lives.
class swapper {
public:
  using pair = std::pair<fs::path, fs::path>;

  explicit swapper(std::vector<pair> pairs)
      : thread_{[this, pairs = std::move(pairs)] {
        while (!stop_)
          for (auto const& [one, other] : pairs)
            swaps_ +=
                ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
      }} {}
  ~swapper() {
    stop_ = true;
    thread_.join();
  }
  int swaps() const noexcept { return swaps_; }

private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> swaps_ = 0;
  std::thread thread_;
};

struct race_tally {
  int read = 0;
  int read_refused = 0;
  int written = 0;
  int write_refused = 0;
  int escaped = 0;
};

race_tally race(folder const& root, int rounds_per_write) {
  race_tally seen;
  for (int round = 0; round < race_rounds; ++round) {
    auto const* const name = round % 2 == 0 ? "dir/file" : "leaf";
    if (auto const object = root.locate(name); !object) {
      ++seen.read_refused;
    } else if (auto const content = read_file(*object, 64); !content) {
      ++seen.read_refused;
    } else {
      ++seen.read;
      seen.escaped += content->view() != "inside";
    }
    if (round % rounds_per_write != 0)
      continue;
    auto const target = root.locate_parent(round % 4 < 2 ? "dir/file" : "leaf");
    if (target && write_file(*target, "inside"))
      ++seen.written;
    else
      ++seen.write_refused;
  }
  return seen;
}

} // namespace

TEST_CASE("no race of links and names leads out", "[beneath]") {
  auto const how = GENERATE(resolver::openat2, resolver::walk);
  race_ground const ground;
  for (auto const* name : {"root", "root/dir", "outside"})
    fs::create_directory(ground.path(name));
  for (auto const* name : {"root/dir/file", "root/leaf"})
    write(ground.path(name), "inside");
  write(ground.path("outside/file"), "sentinel");
  fs::create_symlink("../outside", ground.path("root/link"));
  fs::create_symlink(ground.path("outside/file"), ground.path("root/leaf_link"));

  auto const root = open_root(ground.path("root"), how);
  race_tally seen;
  {
    swapper const swaps{{{ground.path("root/dir"), ground.path("root/link")},
                         {ground.path("root/leaf"), ground.path("root/leaf_link")}}};
    seen = race(root, ground.rounds_per_write());
    CHECK(swaps.swaps() > 0);
  }
  CHECK(seen.escaped == 0);
  CHECK(seen.read > 0);
  CHECK(seen.read_refused > 0);
  CHECK(seen.written > 0);
  CHECK(seen.write_refused > 0);
  // Nothing was made outside, and nothing changed.
  CHECK(std::distance(fs::directory_iterator{ground.path("outside")}, {}) == 1);
  CHECK(read(ground.path("outside/file")) == "sentinel");
}
