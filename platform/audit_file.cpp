#include <bulkhead/platform/audit_file.hpp>

#include <bulkhead/platform/audit_lines.hpp>
#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/fault_point.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// Whoever verifies a log has all of its files open at once, and may have 1024.
constexpr unsigned most_kept = 500;

error unavailable(std::string const& what, int number) {
  return error{errc::audit_unavailable, what + ": " + errno_text(number)};
}

error broken(std::string what) {
  return error{errc::audit_broken, std::move(what),
               "keep the log for inspection: move it and its .head file aside, then start again; "
               " bulkhead audit verify  says where it breaks"};
}

audit_record note(std::string what, std::string object = {}) {
  audit_record made;
  made.time = std::chrono::system_clock::now();
  made.host = "runtime";
  made.what = std::move(what);
  made.object = std::move(object);
  made.outcome = audit_outcome::noted;
  return made;
}

/// Returns what is left to be written; errno says why anything is.
std::string_view write_what_fits(int file, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    auto const written =
        is_refused(fault_point::disk_write) ? -1 : ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR)
      break;
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  return bytes;
}

bool write_at(int file, std::string_view bytes, std::uint64_t at) noexcept {
  while (!bytes.empty()) {
    auto const written = is_refused(fault_point::disk_write)
                             ? -1
                             : ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno != EINTR)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    at += static_cast<std::uint64_t>(std::max<ssize_t>(written, 0));
  }
  return true;
}

result<std::uint64_t> size_of(int file) {
  struct stat seen;
  if (::fstat(file, &seen) != 0)
    return unavailable("the audit log can't be looked at", errno);
  return static_cast<std::uint64_t>(seen.st_size);
}

std::string digest_of_range(int file, std::uint64_t from, std::uint64_t to) {
  sha256 hasher;
  std::array<char, 64 * 1024> bytes;
  while (from < to) {
    auto const size = ::pread(file, bytes.data(), std::min<std::uint64_t>(bytes.size(), to - from),
                              static_cast<off_t>(from));
    if (size <= 0)
      break;
    hasher.update({bytes.data(), static_cast<std::size_t>(size)});
    from += static_cast<std::uint64_t>(size);
  }
  return to_hex(hasher.finish());
}

/// Whether the anchored record ends where the anchor says, as it says.
bool holds(int file, audit_anchor const& anchor) {
  auto const text = audit_line_before(file, anchor.size);
  auto const line = text ? read_audit_line(*text) : std::nullopt;
  sha256 hasher;
  return line && line->seq == anchor.last.seq && line->hash == anchor.last.hash &&
         has_right_hash(*line, hasher);
}

} // namespace

result<audit_file> audit_file::open(options given) {
  auto const path = given.path.string();
  auto const named = [&path](error const& failed) {
    return error{failed.code(), path + ": " + failed.detail(), failed.remedy()};
  };
  given.keep = std::clamp(given.keep, 1u, most_kept);
  auto place = find_audit_file(given.path);
  if (!place)
    return named(place.error());
  // Before the anchor is created beside it, so that a file that is no log gets no company.
  if (auto const usable = open_audit_file(place->folder.get(), place->name, O_RDONLY); !usable)
    return named(usable.error());
  auto head = audit_anchor_file::open(place->folder.get(), place->name);
  if (!head)
    return named(head.error());
  audit_file opened{std::move(given), std::move(*place), std::move(*head)};
  if (auto const begun = opened.begin(); !begun)
    return named(begun.error());
  return opened;
}

result<void> audit_file::begin() {
  if (auto locked = head_.lock(options_.lock_patience); !locked)
    return locked;
  audit_lock const lock{head_};
  if (auto loaded = load(); !loaded)
    return loaded;
  notes_.push_back(note("log.opened", "process " + std::to_string(::getpid())));
  return write_group({});
}

result<void> audit_file::append(std::span<audit_record const> records) {
  if (records.empty())
    return {};
  if (auto locked = head_.lock(options_.lock_patience); !locked)
    return locked;
  audit_lock const lock{head_};
  if (!is_current())
    if (auto loaded = load(); !loaded)
      return loaded;
  if (size_ != 0 && size_ >= options_.rotate_at)
    if (auto rotated = rotate(); !rotated)
      return rotated;
  return write_group(records);
}

/// Whether nobody has written, put aside or touched the log since this object did.
bool audit_file::is_current() const {
  struct stat ours;
  struct stat named;
  auto const anchor = head_.read();
  return is_loaded_ && anchor && anchor->generation == generation_ &&
         ::fstat(file_.get(), &ours) == 0 &&
         ::fstatat(folder_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         ours.st_ino == named.st_ino && ours.st_dev == named.st_dev &&
         static_cast<std::uint64_t>(ours.st_size) == size_;
}

/// Finds the end of the chain, and cuts off what a crash tore behind it.
result<void> audit_file::load() {
  is_loaded_ = false;
  notes_.clear();
  auto current = open_audit_file(folder_.get(), name_, O_RDWR | O_APPEND);
  if (!current)
    return current.error();
  file_ = *current ? std::move(**current) : unique_fd{};
  auto const size = file_ ? size_of(file_.get()) : std::uint64_t{0};
  if (!size)
    return size.error();
  auto const anchor = known_anchor(*size == 0 && !is_put_aside(1));
  if (!anchor)
    return anchor.error();
  generation_ = anchor->generation;
  if (auto loaded = load_current(*anchor); !loaded)
    return loaded;
  if (!file_)
    if (auto created = create_current(); !created)
      return created;
  if (size_ == 0 && last_.seq != 0)
    notes_.push_back(note("log.continued"));
  if (size_ < *size)
    if (auto replaced = replace_torn_end(*size); !replaced)
      return replaced;
  is_loaded_ = true;
  return {};
}

/// The anchor is written before the first record: a log without one has lost it.
result<audit_anchor> audit_file::known_anchor(bool is_new) {
  if (auto found = head_.read())
    return std::move(*found);
  if (!is_new)
    return broken("the audit log's .head file is missing or damaged");
  audit_anchor const first;
  if (auto const written = head_.write(first); !written)
    return written.error();
  return first;
}

result<void> audit_file::load_current(audit_anchor const& anchor) {
  auto const size = file_ ? size_of(file_.get()) : std::uint64_t{0};
  if (!size)
    return size.error();
  size_ = 0;
  last_ = {};
  if (anchor.last.seq != 0) {
    if (file_ && anchor.size <= *size && holds(file_.get(), anchor)) {
      last_ = anchor.last;
      size_ = anchor.size;
    } else {
      auto aside = last_of_put_aside(anchor);
      if (!aside)
        return aside.error();
      last_ = std::move(*aside);
    }
  }
  return take_intact_records(*size);
}

/// The end of the newest file that was put aside, where the anchor is in there: the process ended
/// before the next file was anchored.
result<audit_position> audit_file::last_of_put_aside(audit_anchor const& anchor) const {
  auto const lost = [] {
    return broken("the last record that was written to the audit log is gone or changed");
  };
  auto const aside = open_audit_file(folder_.get(), put_aside_name(1), O_RDONLY);
  if (!aside)
    return aside.error();
  if (!*aside || !holds((*aside)->get(), anchor))
    return lost();
  auto const size = size_of((*aside)->get());
  if (!size)
    return size.error();
  auto const text = audit_line_before((*aside)->get(), *size);
  auto const line = text ? read_audit_line(*text) : std::nullopt;
  if (!line)
    return lost();
  return audit_position{line->seq, std::string{line->hash}};
}

/// Records that were written when the process ended before they were anchored.
result<void> audit_file::take_intact_records(std::uint64_t size) {
  audit_line_reader lines{file_.get(), size_, size};
  while (auto const next = lines.next()) {
    auto const line = next->is_whole ? read_audit_line(next->text) : std::nullopt;
    if (!line || line->seq != last_.seq + 1 || line->previous_hash != last_.hash ||
        !has_right_hash(*line, hasher_))
      break;
    last_ = {line->seq, std::string{line->hash}};
    size_ = lines.offset();
  }
  if (lines.failure() != 0)
    return unavailable("the audit log can't be read", lines.failure());
  return {};
}

/// Writes the record of what was torn over it before the rest is cut off: at no moment is it gone
/// without a trace.
result<void> audit_file::replace_torn_end(std::uint64_t size) {
  notes_.push_back(note("log.recovered", std::to_string(size - size_) + " bytes, SHA-256 " +
                                             digest_of_range(file_.get(), size_, size)));
  std::string text;
  auto last = last_;
  for (auto const& about : notes_)
    chain(text, about, last);
  // A file opened to append writes nowhere else.
  unique_fd const torn{::openat(folder_.get(), name_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC)};
  auto const end = size_ + text.size();
  if (!torn || !write_at(torn.get(), text, size_) ||
      ::ftruncate(torn.get(), static_cast<off_t>(end)) != 0 || ::fdatasync(torn.get()) != 0)
    return unavailable("the torn end of the audit log can't be replaced", errno);
  notes_.clear();
  return advance_anchor(last, end);
}

result<void> audit_file::create_current() {
  auto created = open_audit_file(folder_.get(), name_, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
  if (!created)
    return created.error();
  file_ = std::move(**created);
  size_ = 0;
  // A file that is not in its folder after a loss of power was not kept.
  if (::fsync(folder_.get()) != 0)
    return unavailable("the audit log's folder can't be synced", errno);
  return {};
}

result<void> audit_file::write_group(std::span<audit_record const> records) {
  std::string text;
  auto last = last_;
  for (auto const& about : notes_)
    chain(text, about, last);
  for (auto const& record : records)
    chain(text, record, last);
  auto const take_back = [this](error why) -> result<void> {
    // Where this fails as well, the next load finds whole records or a torn end.
    is_loaded_ = ::ftruncate(file_.get(), static_cast<off_t>(size_)) == 0 && notes_.empty();
    return why;
  };
  auto const wanted = text.size();
  if (auto const left = write_what_fits(file_.get(), text); !left.empty())
    return take_back(unavailable("the audit log can't be written", errno));
  if (::fdatasync(file_.get()) != 0)
    return take_back(unavailable("the audit log can't be synced", errno));
  if (auto const advanced = advance_anchor(last, size_ + wanted); !advanced)
    return take_back(advanced.error());
  notes_.clear();
  return {};
}

result<void> audit_file::advance_anchor(audit_position const& last, std::uint64_t size) {
  if (auto written = head_.write({last, size, generation_ + 1}); !written)
    return written;
  ++generation_;
  last_ = last;
  size_ = size;
  return {};
}

/// Each file that was put aside gets the next number, up to the first that is free.
result<void> audit_file::rotate() {
  if (auto dropped = drop_oldest(); !dropped)
    return dropped;
  is_loaded_ = false;
  auto free = 1u;
  while (is_put_aside(free))
    ++free;
  for (; free > 0; --free) {
    auto const from = free == 1 ? name_ : put_aside_name(free - 1);
    if (::renameat(folder_.get(), from.c_str(), folder_.get(), put_aside_name(free).c_str()) != 0)
      return unavailable("the audit log can't be put aside", errno);
  }
  if (auto created = create_current(); !created)
    return created;
  notes_.push_back(note("log.continued"));
  is_loaded_ = true;
  return {};
}

/// Removes the files for which there is no room once the current one is put aside. A record says
/// so before it is done.
result<void> audit_file::drop_oldest() {
  auto highest = 0u;
  while (is_put_aside(highest + 1))
    ++highest;
  if (highest < options_.keep)
    return {};
  // What becomes the oldest file, and with it where the log begins from now on.
  auto const oldest = options_.keep == 1 ? name_ : put_aside_name(options_.keep - 1);
  auto const file = open_audit_file(folder_.get(), oldest, O_RDONLY);
  if (!file)
    return file.error();
  if (!*file)
    return broken("a file of the audit log that was put aside is missing");
  audit_line_reader lines{(*file)->get(), 0, max_audit_line};
  auto const first = lines.next();
  auto const line = first ? read_audit_line(first->text) : std::nullopt;
  if (!line)
    return broken("a file of the audit log that was put aside does not begin with a record");
  notes_.push_back(note("log.removed", "records before " + std::to_string(line->seq)));
  if (auto written = write_group({}); !written)
    return written;
  for (; highest >= options_.keep; --highest)
    if (::unlinkat(folder_.get(), put_aside_name(highest).c_str(), 0) != 0)
      return unavailable("an old file of the audit log can't be removed", errno);
  return {};
}

std::string audit_file::put_aside_name(unsigned number) const {
  return name_ + '.' + std::to_string(number);
}

bool audit_file::is_put_aside(unsigned number) const {
  struct stat seen;
  return ::fstatat(folder_.get(), put_aside_name(number).c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0;
}

void audit_file::chain(std::string& out, audit_record const& record, audit_position& last) {
  auto const from = out.size();
  append_audit_body(out, record, last);
  last = {last.seq + 1, to_hex(hasher_.digest_of(std::string_view{out}.substr(from)))};
  append_audit_hash(out, last.hash);
}

} // namespace bulkhead::platform
