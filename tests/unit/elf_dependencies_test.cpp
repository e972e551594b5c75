#include "shared/code_of.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/linux/elf_dependencies.hpp>
#include <bulkhead/platform/linux/elf_object.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using bulkhead::errc;
using bulkhead::platform::dependencies_of;
using bulkhead::platform::elf_object;
using bulkhead::platform::loader_cache;
using bulkhead::platform::read_elf;
using bulkhead::platform::unique_fd;
using bulkhead::testing::code_of;
using bulkhead::testing::no_error;
using bulkhead::testing::temporary_directory;

using names = std::vector<std::string>;

template <class T>
std::string bytes_of(T const& value) {
  return {reinterpret_cast<char const*>(&value), sizeof value};
}

/// The smallest file that has all that is read: header, program headers, loader, dynamic section,
/// texts; in memory as in the file.
std::string elf_file(elf_object const& object) {
  std::string texts(1, '\0');
  std::string dynamic;
  auto const add = [&](Elf64_Sxword tag, std::uint64_t value) {
    Elf64_Dyn entry{};
    entry.d_tag = tag;
    entry.d_un.d_val = value;
    dynamic += bytes_of(entry);
  };
  auto const add_text = [&](Elf64_Sxword tag, std::string const& text) {
    add(tag, texts.size());
    texts.append(text).push_back('\0');
  };
  for (auto const& name : object.needed)
    add_text(DT_NEEDED, name);
  for (auto const& [tag, text] : {std::pair{DT_SONAME, object.soname},
                                  {DT_RPATH, object.rpath},
                                  {DT_RUNPATH, object.runpath}})
    if (!text.empty())
      add_text(tag, text);

  auto const has_loader = !object.interpreter.empty();
  auto const segments = Elf64_Half{3};
  auto const loader_at = sizeof(Elf64_Ehdr) + segments * sizeof(Elf64_Phdr);
  auto const dynamic_at = (loader_at + object.interpreter.size() + 8) / 8 * 8;
  auto const texts_at = dynamic_at + dynamic.size() + 3 * sizeof(Elf64_Dyn);
  add(DT_STRTAB, texts_at);
  add(DT_STRSZ, texts.size());
  add(DT_NULL, 0);

  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
  header.e_type = ET_DYN;
  header.e_machine = object.machine;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = segments;
  auto const segment = [](Elf64_Word type, std::uint64_t at, std::uint64_t size) {
    Elf64_Phdr described{};
    described.p_type = type;
    described.p_offset = described.p_vaddr = at;
    described.p_filesz = described.p_memsz = size;
    return bytes_of(described);
  };
  auto file = bytes_of(header) + segment(PT_LOAD, 0, texts_at + texts.size()) +
              segment(PT_DYNAMIC, dynamic_at, dynamic.size()) +
              segment(has_loader ? PT_INTERP : PT_NULL, loader_at, object.interpreter.size() + 1) +
              object.interpreter;
  file.resize(dynamic_at, '\0');
  return file + dynamic + texts;
}

elf_object object(std::vector<std::string> needed, std::string soname = {}) {
  elf_object made;
  made.machine = EM_X86_64;
  made.needed = std::move(needed);
  made.soname = std::move(soname);
  return made;
}

/// Bytes as a file that has no name.
unique_fd in_memory(std::string_view content) {
  unique_fd file{::memfd_create("elf", MFD_CLOEXEC)};
  REQUIRE(::write(file.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  return file;
}

/// A cache as ldconfig writes it, without the extensions at its end.
std::string cache_file(std::vector<std::pair<std::string, std::string>> const& libraries) {
  auto const texts_at = 48 + 24 * libraries.size();
  std::string entries;
  std::string texts;
  auto const add_text = [&](std::string const& text) {
    auto const at = static_cast<std::uint32_t>(texts_at + texts.size());
    texts.append(text).push_back('\0');
    return bytes_of(at);
  };
  for (auto const& [name, path] : libraries)
    entries +=
        bytes_of(std::int32_t{0x0303}) + add_text(name) + add_text(path) + std::string(12, '\0');
  return "glibc-ld.so.cache1.1" + bytes_of(static_cast<std::uint32_t>(libraries.size())) +
         bytes_of(static_cast<std::uint32_t>(texts.size())) + std::string(20, '\0') + entries +
         texts;
}

/// A folder of programs and libraries that only have headers.
struct machine {
  machine() { put("ld.so", object({}, "ld.so")); }

  fs::path path(fs::path const& name) const { return fs::canonical(folder.path()) / name; }
  void put(fs::path const& name, elf_object const& content) const {
    static_cast<void>(folder.write(name, elf_file(content)));
  }
  elf_object program(std::vector<std::string> needed) const {
    auto made = object(std::move(needed));
    made.interpreter = path("ld.so").string();
    return made;
  }
  auto search(fs::path const& name, std::string cache = {}) const {
    unique_fd const file{::open(path(name).c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(file);
    return dependencies_of(file.get(), loader_cache{std::move(cache)});
  }
  /// What is found, relative to the folder.
  names files(fs::path const& name, std::string cache = {}) const {
    auto const found = search(name, std::move(cache));
    REQUIRE(code_of(found) == no_error);
    names relative;
    for (auto const& file : found->files)
      relative.push_back(fs::path{file.path}.lexically_relative(path({})).string());
    return relative;
  }

  temporary_directory folder;
};

} // namespace

// ---- one file -----------------------------------------------------------------------------------

TEST_CASE("what the loader is told is read from a program", "[elf]") {
  auto written = object({"libone.so", "libtwo.so"}, "self.so");
  written.interpreter = "/lib64/ld.so";
  written.rpath = "/a:/b";
  written.runpath = "$ORIGIN/../lib";
  auto const read = read_elf(in_memory(elf_file(written)).get());
  REQUIRE(code_of(read) == no_error);
  CHECK(*read == written);
}

TEST_CASE("what is no program for this machine is refused", "[elf]") {
  auto const refused = [](std::string const& content) {
    return code_of(read_elf(in_memory(content).get())) == errc::spawn_failed;
  };
  auto const good = elf_file(object({"libone.so"}));
  auto const with_byte = [&](std::size_t at, unsigned char byte) {
    auto changed = good;
    changed[at] = static_cast<char>(byte);
    return changed;
  };
  CHECK_FALSE(refused(good));
  CHECK(refused(""));
  CHECK(refused("#!/bin/sh\n"));
  CHECK(refused(with_byte(EI_MAG0, 0)));
  CHECK(refused(with_byte(EI_CLASS, ELFCLASS32)));
  CHECK(refused(with_byte(EI_DATA, ELFDATANONE)));
  CHECK(refused(with_byte(offsetof(Elf64_Ehdr, e_type), ET_CORE)));
  CHECK(refused(with_byte(offsetof(Elf64_Ehdr, e_phentsize), 1)));
  CHECK(refused(with_byte(offsetof(Elf64_Ehdr, e_phnum) + 1, 0xFF)));
  CHECK(refused(with_byte(offsetof(Elf64_Ehdr, e_phoff) + 7, 0xFF)));
  unique_fd const folder{::open("/", O_RDONLY | O_CLOEXEC)};
  CHECK(code_of(read_elf(folder.get())) == errc::spawn_failed);
}

TEST_CASE("a program that ends anywhere is refused", "[elf]") {
  auto const whole = elf_file(object({"libone.so"}, "self.so"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    REQUIRE(code_of(read_elf(in_memory(whole.substr(0, size)).get())) == errc::spawn_failed);
  }
}

TEST_CASE("a name outside of the program's table of texts is refused", "[elf]") {
  auto file = elf_file(object({"libone.so"})) + std::string("outside", 8);
  auto const needed_at = [](std::uint64_t offset) {
    Elf64_Dyn entry{};
    entry.d_tag = DT_NEEDED;
    entry.d_un.d_val = offset;
    return bytes_of(entry);
  };
  auto const size_of_texts = sizeof "\0libone.so";
  auto const at = file.rfind(needed_at(1)); // program headers may begin alike
  REQUIRE(at != file.npos);
  file.replace(at, sizeof(Elf64_Dyn), needed_at(size_of_texts - 1));
  CHECK(read_elf(in_memory(file).get()).value().needed == names{""});
  file.replace(at, sizeof(Elf64_Dyn), needed_at(size_of_texts + 1));
  CHECK(code_of(read_elf(in_memory(file).get())) == errc::spawn_failed);
}

TEST_CASE("no number in a program makes its reader fail", "[elf][fuzz]") {
  auto written = object({"libone.so", "libtwo.so"}, "self.so");
  written.interpreter = "/lib64/ld.so";
  written.runpath = "/a:/b";
  auto const whole = elf_file(written);
  auto const file = in_memory(whole);
  std::mt19937 random{1}; // always the same, so that a failure can be looked at
  auto const below = [&](std::size_t end) { return random() % end; };
  constexpr std::array<std::uint64_t, 6> extremes = {
      0, 1, 0x7FFF'FFFF'FFFF'FFFF, 0xFFFF'FFFF'FFFF'FFFF, 0x8000'0000'0000'0000, 0xFFFF'FFFF};
  int refused = 0;
  constexpr int rounds = 20'000;
  for (int round = 0; round < rounds; ++round) {
    auto changed = whole;
    for (auto changes = 1 + below(4); changes != 0; --changes)
      if (below(2) == 0)
        changed[below(changed.size())] = static_cast<char>(random());
      else
        changed.replace(below(changed.size() / 8) * 8, 8, bytes_of(extremes[below(6)]));
    REQUIRE(::pwrite(file.get(), changed.data(), changed.size(), 0) ==
            static_cast<ssize_t>(changed.size()));
    auto const read = read_elf(file.get());
    refused += read.has_error();
    if (read)
      for (auto const& name : read->needed)
        REQUIRE(name.size() < whole.size());
  }
  CHECK(refused > 0);
  CHECK(refused < rounds);
}

// ---- the cache ----------------------------------------------------------------------------------

TEST_CASE("a name has all the paths that the cache gives it", "[elf]") {
  loader_cache const cache{
      cache_file({{"libb.so", "/v3/libb.so"}, {"libb.so", "/libb.so"}, {"liba.so", "/liba.so"}})};
  CHECK(cache.paths_of("libb.so") == names{"/v3/libb.so", "/libb.so"});
  CHECK(cache.paths_of("liba.so") == names{"/liba.so"});
  CHECK(cache.paths_of("lib").empty());
  CHECK(cache.paths_of("").empty());
  CHECK(loader_cache{cache_file({{"liba.so", "liba.so"}})}.paths_of("liba.so").empty());
}

TEST_CASE("a cache that is damaged gives less, and never what lies outside", "[elf][fuzz]") {
  auto const whole = cache_file({{"libb.so", "/libb.so"}, {"liba.so", "/liba.so"}});
  CHECK(loader_cache::read("/none").paths_of("liba.so").empty());
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(loader_cache{whole.substr(0, size)}.paths_of("liba.so").empty());
  std::mt19937 random{1};
  for (int round = 0; round < 20'000; ++round) {
    auto changed = whole;
    for (int change = 0; change < 3; ++change)
      changed[random() % changed.size()] = static_cast<char>(random());
    for (auto const& path : loader_cache{changed}.paths_of("liba.so"))
      REQUIRE(path.size() < whole.size());
  }
}

// ---- the search ---------------------------------------------------------------------------------

TEST_CASE("a static program needs nothing", "[elf]") {
  machine const m;
  m.put("static", object({}));
  auto const found = m.search("static");
  REQUIRE(code_of(found) == no_error);
  CHECK(found->loader.empty());
  CHECK(found->files.empty());
}

TEST_CASE("libraries are found by the cache, with those that they need", "[elf]") {
  machine const m;
  m.put("program", m.program({"libone.so"}));
  m.put("lib/libone.so", object({"libtwo.so", "ld.so"}, "libone.so"));
  m.put("lib/libtwo.so.2", object({"libone.so"}, "libtwo.so"));
  fs::create_symlink("libtwo.so.2", m.path("lib/libtwo.so"));
  auto const cache =
      cache_file({{"libone.so", m.path("lib/libone.so")}, {"libtwo.so", m.path("lib/libtwo.so")}});
  auto const found = m.search("program", cache);
  REQUIRE(code_of(found) == no_error);
  CHECK(found->loader == m.path("ld.so"));
  REQUIRE(m.files("program", cache) == names{"ld.so", "lib/libone.so", "lib/libtwo.so"});
  CHECK(found->files.back().path == m.path("lib/libtwo.so"));
  CHECK(found->files.back().real_path == m.path("lib/libtwo.so.2"));
}

TEST_CASE("a library that isn't found is named with what needs it", "[elf]") {
  machine const m;
  m.put("program", m.program({"libnone.so"}));
  auto const found = m.search("program");
  REQUIRE(code_of(found) == errc::spawn_failed);
  CHECK(found.error().detail() ==
        m.path("program").string() + " needs the shared library libnone.so, which isn't found");
}

TEST_CASE("folders that the program names come before the cache", "[elf]") {
  machine const m;
  m.put("own/libone.so", object({}));
  m.put("cached/libone.so", object({}));
  auto const cache = cache_file({{"libone.so", m.path("cached/libone.so")}});
  auto program = m.program({"libone.so"});
  m.put("bin/program", program);
  CHECK(m.files("bin/program", cache) == names{"cached/libone.so", "ld.so"});
  for (auto const* const list :
       {"$ORIGIN/../own", "/none:${ORIGIN}/../own/", ":own:$LIB:$ORIGIN/../own"}) {
    CAPTURE(list);
    program.runpath = list;
    m.put("bin/program", program);
    CHECK(m.files("bin/program", cache) == names{"ld.so", "own/libone.so"});
  }
}

TEST_CASE("DT_RPATH holds for what a library needs in turn, and DT_RUNPATH does not", "[elf]") {
  machine const m;
  m.put("own/libone.so", object({"libtwo.so"}));
  m.put("own/libtwo.so", object({}));
  auto program = m.program({"libone.so"});
  program.rpath = "$ORIGIN/own";
  m.put("program", program);
  CHECK(m.files("program") == names{"ld.so", "own/libone.so", "own/libtwo.so"});
  program.runpath = program.rpath;
  m.put("program", program);
  CHECK(code_of(m.search("program")) == errc::spawn_failed);
}

TEST_CASE("a library is loaded once, by whatever name it is asked for", "[elf]") {
  machine const m;
  auto program = m.program({"libone.so.1", "libone.so"});
  program.runpath = "$ORIGIN";
  m.put("program", program);
  m.put("libone.so.1", object({}, "libone.so"));
  m.put("libone.so", object({}));
  CHECK(m.files("program") == names{"ld.so", "libone.so.1"});
}

TEST_CASE("a library of another machine is passed over", "[elf]") {
  machine const m;
  auto foreign = object({});
  foreign.machine = EM_S390;
  m.put("foreign/libone.so", foreign);
  static_cast<void>(m.folder.write("broken/libone.so", "INPUT(libone.so.1)"));
  fs::create_directories(m.path("folder/libone.so"));
  m.put("right/libone.so", object({}));
  auto program = m.program({"libone.so"});
  program.runpath = "$ORIGIN/foreign:$ORIGIN/broken:$ORIGIN/folder:$ORIGIN/right";
  m.put("program", program);
  CHECK(m.files("program") == names{"ld.so", "right/libone.so"});
}

TEST_CASE("a library that is needed by its path is taken from there, if that is absolute",
          "[elf]") {
  machine const m;
  m.put("libone.so", object({}));
  m.put("program", m.program({"$ORIGIN/libone.so", m.path("libone.so")}));
  CHECK(m.files("program") == names{"ld.so", "libone.so"});
  m.put("program", m.program({fs::proximate(m.path("libone.so")).string()}));
  CHECK(code_of(m.search("program")) == errc::spawn_failed);
}

// ---- real programs ------------------------------------------------------------------------------

namespace {

/// The absolute paths in what ldd prints: behind "=>", and of the loader alone.
std::set<std::string> paths_by_ldd(std::string const& program) {
  std::unique_ptr<FILE, int (*)(FILE*)> const pipe{::popen(("ldd " + program).c_str(), "r"),
                                                   &::pclose};
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> piece;
  while (auto const count = std::fread(piece.data(), 1, piece.size(), pipe.get()))
    text.append(piece.data(), count);
  std::set<std::string> paths;
  std::istringstream words{text};
  for (std::string word; words >> word;)
    if (word.starts_with('/'))
      paths.insert(word);
  return paths;
}

} // namespace

TEST_CASE("for real programs the same is found that ldd says", "[elf]") {
  auto const program = GENERATE(as<std::string>{}, "/bin/bash", "/usr/bin/node", "/usr/bin/python3",
                                "/usr/bin/openssl");
  CAPTURE(program);
  unique_fd const file{::open(program.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) {
    WARN("there is no " << program << " here, so it is not compared");
    return;
  }
  auto const found = dependencies_of(file.get());
  REQUIRE(code_of(found) == no_error);
  std::set<std::string> paths;
  for (auto const& each : found->files) {
    paths.insert(each.path);
    CHECK(fs::canonical(each.path) == each.real_path);
  }
  CHECK(paths.contains(found->loader));
  CHECK(std::ranges::is_sorted(found->files, {}, &bulkhead::platform::elf_dependency::path));
  CHECK(paths == paths_by_ldd(program));
}
