#include <bulkhead/platform/files.hpp>

#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/file_error.hpp>
#include <bulkhead/platform/regular_file.hpp>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// What one copy has taken so far of what it may.
class byte_budget {
public:
  explicit byte_budget(std::uint64_t max_bytes) noexcept
      : max_bytes_{max_bytes} {}

  std::uint64_t taken() const noexcept { return taken_; }
  result<void> take(std::uint64_t bytes) {
    if (bytes > max_bytes_ - taken_)
      return error{errc::file_too_large,
                   "it is longer than " + std::to_string(max_bytes_) + " bytes altogether"};
    taken_ += bytes;
    return {};
  }

private:
  std::uint64_t max_bytes_;
  std::uint64_t taken_ = 0;
};

template <class Write>
result<void> copy_bytes(int source, byte_budget& budget, Write write) {
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    auto const got = ::read(source, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return file_error(errno);
    if (got == 0)
      return {};
    auto const size = static_cast<std::size_t>(got);
    if (auto taken = budget.take(size); !taken)
      return taken;
    if (auto written = write(std::string_view{buffer.data(), size}); !written)
      return written;
  }
}

result<mode_t> permissions_of(int fd) {
  struct stat seen;
  if (::fstat(fd, &seen) != 0)
    return file_error(errno);
  return seen.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
}

result<void> copy_to_place(int object, place const& to, bool overwrite, byte_budget& budget) {
  auto const source = open_regular(object);
  if (!source)
    return source.error();
  auto const mode = permissions_of(source->get());
  if (!mode)
    return mode.error();
  auto file = atomic_file::begin(to, {.overwrite = overwrite}, *mode);
  if (!file)
    return file.error();
  auto const append = [&](std::string_view bytes) { return file->write(bytes); };
  if (auto copied = copy_bytes(source->get(), budget, append); !copied)
    return copied;
  return file->commit();
}

/// A copy in the making: a hidden folder that is filled, and then named or removed.
class folder_copy {
public:
  folder_copy(place const& to, byte_budget& budget)
      : hidden_{{duplicate(to.parent.fd.get(), 0), to.parent.relative}, make_hidden_name()}
      , to_{to}
      , budget_{budget} {}
  folder_copy(folder_copy const&) = delete;
  folder_copy& operator=(folder_copy const&) = delete;
  ~folder_copy() {
    if (!committed_)
      static_cast<void>(remove_entry(hidden_, true));
  }

  result<void> fill(int source, entry_check const& allowed) {
    auto walk = tree_walk::begin(source);
    if (!walk)
      return walk.error();
    if (auto made = make_folder(hidden_.parent.fd.get(), hidden_.name, source); !made)
      return made;
    for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
      if (step == tree_walk::step::left) {
        open_.pop_back();
        continue;
      }
      if (is_hidden_name(walk->name()))
        continue; // in the making itself, and perhaps this very copy
      if (allowed && !allowed(walk->relative(), walk->type()))
        return error{errc::path_denied, "something below the folder must not be copied"};
      if (auto copied = copy_met(*walk); !copied)
        return copied;
    }
    return {};
  }

  result<void> commit() {
    auto const folder = hidden_.parent.fd.get();
    auto moved = move_entry(folder, hidden_.name, folder, to_.name, false);
    committed_ = moved.has_value();
    return moved;
  }

private:
  /// What was deleted since its folder was read is left out.
  result<void> copy_met(tree_walk& walk) {
    if (walk.type() == file_type::directory) {
      if (auto entered = walk.enter(); !entered)
        return entered.error().code() == errc::file_not_found ? result<void>{} : entered;
      return make_folder(open_.back().get(), walk.name(), walk.folder());
    }
    unique_fd const object{
        ::openat(walk.folder(), walk.name().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    if (!object)
      return errno == ENOENT ? result<void>{} : file_error(errno);
    return copy_file(object.get(), walk.name());
  }

  result<void> copy_file(int object, std::string const& name) {
    auto const source = open_regular(object);
    if (!source)
      return source.error();
    auto const mode = permissions_of(source->get());
    if (!mode)
      return mode.error();
    unique_fd const copy{::openat(open_.back().get(), name.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, *mode)};
    if (!copy)
      return file_error(errno);
    return copy_bytes(source->get(), budget_,
                      [&](std::string_view bytes) { return write_all(copy.get(), bytes); });
  }

  /// With the permissions of another one; its owner can always fill it.
  result<void> make_folder(int parent, std::string const& name, int like) {
    auto const mode = permissions_of(like);
    if (!mode)
      return mode.error();
    if (is_refused(fault_point::disk_write) ||
        ::mkdirat(parent, name.c_str(), *mode | S_IRWXU) != 0)
      return file_error(errno);
    auto made = open_folder(parent, name);
    if (!made)
      return made.error();
    open_.push_back(std::move(*made));
    return {};
  }

  place hidden_;
  place const& to_;
  byte_budget& budget_;
  std::vector<unique_fd> open_; ///< the copies of the folders that the walk is in
  bool committed_ = false;
};

result<void> copy_folder(int source, place const& to, byte_budget& budget,
                         entry_check const& allowed) {
  if (auto const present = open_replaceable(to, false); !present)
    return present.error();
  folder_copy copy{to, budget};
  if (auto filled = copy.fill(source, allowed); !filled)
    return filled;
  return copy.commit();
}

} // namespace

result<std::uint64_t> copy_entry(located const& from, place const& to, bool overwrite,
                                 std::uint64_t max_bytes, entry_check const& allowed) {
  auto const status = status_of(from);
  if (!status)
    return status.error();
  byte_budget budget{max_bytes};
  auto const copied = status->type == file_type::directory
                          ? copy_folder(from.fd.get(), to, budget, allowed)
                          : copy_to_place(from.fd.get(), to, overwrite, budget);
  if (!copied)
    return copied.error();
  return budget.taken();
}

} // namespace bulkhead::platform
