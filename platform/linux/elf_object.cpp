#include <bulkhead/platform/linux/elf_object.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <optional>
#include <span>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// Real programs have a dozen.
constexpr std::size_t max_segments = 512;
/// Real ones have 30 and one for each library.
constexpr std::size_t max_dynamic_entries = 4096;
/// More than PATH_MAX, as a list of folders may be longer than one of them.
constexpr std::size_t max_string = 16 * 1024;

error malformed(std::string_view what) {
  return error{errc::spawn_failed, "it is no valid program for this machine: " + std::string{what}};
}

class elf_reader {
public:
  elf_reader(int file, std::uint64_t size) noexcept
      : file_{file}
      , size_{size} {}

  result<elf_object> read() {
    elf_object object;
    if (auto const known = read_segments(object); !known)
      return known.error();
    if (auto const known = read_interpreter(object); !known)
      return known.error();
    if (auto const known = read_dynamic(object); !known)
      return known.error();
    return object;
  }

private:
  /// As many bytes as the file has at that place, up to the room there is.
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> room) const {
    if (offset >= size_)
      return malformed("something lies behind its end");
    for (;;) {
      auto const count = ::pread(file_, room.data(), room.size(), static_cast<off_t>(offset));
      if (count >= 0)
        return static_cast<std::size_t>(count);
      if (errno != EINTR)
        return error{errc::spawn_failed, errno_text(errno)};
    }
  }

  template <class T>
  result<std::vector<T>> read_table(std::uint64_t offset, std::size_t count) const {
    if (count == 0)
      return std::vector<T>{};
    std::vector<char> bytes(count * sizeof(T));
    auto const got = read_at(offset, bytes);
    if (!got)
      return got.error();
    if (*got != bytes.size())
      return malformed("it ends inside a table");
    std::vector<T> table(count);
    std::memcpy(table.data(), bytes.data(), bytes.size());
    return table;
  }

  /// Of at most `limit` bytes with its NUL.
  result<std::string> read_string(std::uint64_t offset, std::uint64_t limit) const {
    std::array<char, max_string> room;
    auto const got = read_at(offset, {room.data(), std::min<std::size_t>(limit, room.size())});
    if (!got)
      return got.error();
    auto const text = std::string_view{room.data(), *got};
    auto const end = text.find('\0');
    if (end == text.npos)
      return malformed("a text has no end");
    return std::string{text.substr(0, end)};
  }

  result<void> read_segments(elf_object& object) {
    if (size_ < sizeof(Elf64_Ehdr))
      return malformed("it is shorter than an ELF header");
    auto const headers = read_table<Elf64_Ehdr>(0, 1);
    if (!headers)
      return headers.error();
    auto const& header = headers->front();
    constexpr auto order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
      return malformed("it is no ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != order)
      return malformed("it is made for another kind of machine");
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
      return malformed("it is neither a program nor a shared library");
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > max_segments)
      return malformed("its program headers make no sense");
    object.machine = header.e_machine;
    auto segments = read_table<Elf64_Phdr>(header.e_phoff, header.e_phnum);
    if (!segments)
      return segments.error();
    segments_ = *std::move(segments);
    return {};
  }

  Elf64_Phdr const* segment(std::uint32_t type) const noexcept {
    auto const found = std::ranges::find(segments_, type, &Elf64_Phdr::p_type);
    return found == segments_.end() ? nullptr : &*found;
  }

  result<void> read_interpreter(elf_object& object) const {
    auto const* const named = segment(PT_INTERP);
    if (!named)
      return {};
    auto path = read_string(named->p_offset, named->p_filesz);
    if (!path)
      return path.error();
    if (!path->starts_with('/'))
      return malformed("its loader has no absolute path");
    object.interpreter = *std::move(path);
    return {};
  }

  /// Where the file has what will be at an address of the memory.
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const noexcept {
    for (auto const& loaded : segments_)
      if (loaded.p_type == PT_LOAD && address >= loaded.p_vaddr &&
          address - loaded.p_vaddr < loaded.p_filesz && loaded.p_offset < size_)
        if (auto const inside = address - loaded.p_vaddr; inside < size_ - loaded.p_offset)
          return loaded.p_offset + inside;
    return std::nullopt;
  }

  result<void> read_dynamic(elf_object& object) const {
    auto const* const named = segment(PT_DYNAMIC);
    if (!named)
      return {};
    auto const count = named->p_filesz / sizeof(Elf64_Dyn);
    if (count > max_dynamic_entries)
      return malformed("its dynamic section is too long");
    auto entries = read_table<Elf64_Dyn>(named->p_offset, count);
    if (!entries)
      return entries.error();
    auto const end = std::ranges::find(*entries, DT_NULL, &Elf64_Dyn::d_tag);
    return take({entries->begin(), end}, object);
  }

  result<void> take(std::span<Elf64_Dyn const> entries, elf_object& object) const {
    auto const value = [&](Elf64_Sxword tag) -> std::uint64_t {
      auto const found = std::ranges::find(entries, tag, &Elf64_Dyn::d_tag);
      return found == entries.end() ? 0 : found->d_un.d_val;
    };
    auto const strings = offset_of(value(DT_STRTAB));
    auto const strings_size = value(DT_STRSZ);
    for (auto const& entry : entries) {
      auto* const target = place_of(entry.d_tag, object);
      if (!target)
        continue;
      if (!strings || entry.d_un.d_val >= strings_size)
        return malformed("a name lies outside its table");
      auto text = read_string(*strings + entry.d_un.d_val, strings_size - entry.d_un.d_val);
      if (!text)
        return text.error();
      *target = *std::move(text);
    }
    return {};
  }

  /// What a text of the dynamic section becomes; null for everything else.
  static std::string* place_of(Elf64_Sxword tag, elf_object& object) {
    switch (tag) {
    case DT_NEEDED:
      return &object.needed.emplace_back();
    case DT_SONAME:
      return &object.soname;
    case DT_RPATH:
      return &object.rpath;
    case DT_RUNPATH:
      return &object.runpath;
    default:
      return nullptr;
    }
  }

  int file_;
  std::uint64_t size_;
  std::vector<Elf64_Phdr> segments_;
};

} // namespace

result<elf_object> read_elf(int file) {
  struct stat seen;
  if (::fstat(file, &seen) != 0)
    return error{errc::spawn_failed, errno_text(errno)};
  if (!S_ISREG(seen.st_mode))
    return malformed("it is no regular file");
  return elf_reader{file, static_cast<std::uint64_t>(seen.st_size)}.read();
}

} // namespace bulkhead::platform
