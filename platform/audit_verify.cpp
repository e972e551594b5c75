#include <bulkhead/platform/audit_verify.hpp>

#include <bulkhead/platform/audit_anchor.hpp>
#include <bulkhead/platform/audit_lines.hpp>
#include <bulkhead/platform/errno_text.hpp>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <vector>

namespace bulkhead::platform {
namespace {

using clock = std::chrono::steady_clock;

constexpr auto progress_interval = std::chrono::seconds{1};
/// How many records pass between two looks at the clock: less than a millisecond.
constexpr std::uint64_t records_per_look = 1024;

error unusable(std::string why) {
  return error{errc::audit_file_unusable, std::move(why),
               "name the log's current file, as the policy does in audit.file"};
}

struct log_file {
  std::string path;
  unique_fd file;
  std::uint64_t size;
  unsigned number; ///< 0 is the current one; the higher, the older
};

/// A log as it was at one moment.
struct snapshot {
  std::vector<log_file> files; ///< the oldest first
  std::optional<audit_anchor> anchor;
};

/// The N of `NAME.N`; nothing for all other names.
std::optional<unsigned> number_of(std::string_view file, std::string_view name) {
  if (!file.starts_with(name) || !file.substr(name.size()).starts_with('.'))
    return std::nullopt;
  auto const digits = file.substr(name.size() + 1);
  unsigned number = 0;
  auto const [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  auto const is_number = wrong == std::errc{} && end == digits.data() + digits.size();
  return is_number && number != 0 && digits.front() != '0' ? std::optional{number} : std::nullopt;
}

result<std::optional<log_file>> open_log_file(int folder, std::filesystem::path const& path,
                                              unsigned number) {
  auto const name = path.filename().string();
  unique_fd file{::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file && errno == ENOENT)
    return std::optional<log_file>{};
  struct stat seen;
  if (!file || ::fstat(file.get(), &seen) != 0)
    return unusable("can't open " + path.string() + ": " + errno_text(errno));
  if (!S_ISREG(seen.st_mode))
    return unusable(path.string() + " is not a regular file");
  return std::optional{
      log_file{path.string(), std::move(file), static_cast<std::uint64_t>(seen.st_size), number}};
}

/// With the lock held, where there is one.
result<std::vector<log_file>> open_log_files(int folder, std::filesystem::path const& path) {
  std::error_code failed;
  auto const name = path.filename().string();
  auto const parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  std::vector<log_file> files;
  auto const add = [&](std::filesystem::path const& of, unsigned number) -> result<void> {
    auto opened = open_log_file(folder, of, number);
    if (!opened)
      return opened.error();
    if (*opened)
      files.push_back(std::move(**opened));
    return {};
  };
  for (std::filesystem::directory_iterator entry{parent, failed}, end; !failed && entry != end;
       entry.increment(failed))
    if (auto const number = number_of(entry->path().filename().string(), name))
      if (auto added = add(path.string() + '.' + std::to_string(*number), *number); !added)
        return added.error();
  if (failed)
    return unusable("can't list the folder of " + path.string() + ": " + failed.message());
  if (auto added = add(path, 0); !added)
    return added.error();
  if (files.empty())
    return unusable("there is no " + path.string());
  std::ranges::sort(files, std::ranges::greater{}, &log_file::number);
  return files;
}

result<snapshot> look_at(std::filesystem::path const& path) {
  auto const named = [&](error const& failed) {
    return error{failed.code(), path.string() + ": " + failed.detail(), failed.remedy()};
  };
  auto const place = find_audit_file(path);
  if (!place)
    return named(place.error());
  auto head = audit_anchor_file::open_to_read(place->folder.get(), place->name);
  if (!head)
    return named(head.error());
  std::optional<audit_lock> lock;
  if (*head) {
    if (auto const locked = (*head)->lock(audit_lock_patience, true); !locked)
      return named(locked.error());
    lock.emplace(**head);
  }
  auto files = open_log_files(place->folder.get(), path);
  if (!files)
    return files.error();
  return snapshot{std::move(*files), *head ? (*head)->read() : std::nullopt};
}

/// The number in the text of a note that says what was removed; 0 in any other.
std::uint64_t removed_before(std::string_view object) noexcept {
  auto const digits = object.substr(object.rfind(' ') + 1);
  std::uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

class verifier {
public:
  verifier(snapshot const& log, audit_progress const& progress, clock::duration quiet)
      : log_{log}
      , progress_{progress}
      , next_progress_{clock::now() + quiet} {}

  result<audit_report> run() {
    for (auto const& file : log_.files) {
      file_ = &file;
      ++report_.files;
      if (auto const read = read_file(); !read)
        return read.error();
      if (report_.finding)
        return std::move(report_);
    }
    check_ends();
    return std::move(report_);
  }

private:
  result<void> read_file() {
    line_ = 0;
    audit_line_reader lines{file_->file.get(), 0, file_->size};
    while (auto const next = lines.next()) {
      ++line_;
      if (!check(*next, lines))
        return {};
    }
    if (lines.failure() != 0)
      return unusable("can't read " + file_->path + ": " + errno_text(lines.failure()));
    return {};
  }

  bool check(audit_line_reader::line const& next, audit_line_reader& lines) {
    auto const line = next.is_whole ? read_audit_line(next.text) : std::nullopt;
    if (!line)
      return find_form(next);
    if (!has_right_hash(*line, hasher_))
      return found(audit_flaw::edited, "its hash is not that of its bytes");
    if (report_.records == 0)
      begin(*line);
    if (line->seq != last_.seq + 1 || line->previous_hash != last_.hash)
      return find_break(*line, lines);
    if (log_.anchor && line->seq == log_.anchor->last.seq && line->hash != log_.anchor->last.hash)
      return found(audit_flaw::edited, "it is not the record that the .head file knows");
    count(*line);
    return true;
  }

  /// The log begins with number 1, or where files that were removed have left off.
  void begin(audit_line const& line) {
    report_.first_seq = line.seq;
    report_.first_time = line.time;
    if (line.seq != 1)
      last_ = {line.seq - 1, std::string{line.previous_hash}};
  }

  void count(audit_line const& line) {
    previous_before_ = last_.hash;
    last_.seq = line.seq;
    last_.hash = line.hash;
    ++report_.records;
    report_.last_seq = line.seq;
    report_.last_time = line.time;
    if (line.is_note("log.removed"))
      removed_before_ = removed_before(line.object);
    if (line.is_note("log.recovered"))
      ++report_.recoveries;
    if (progress_ && report_.records % records_per_look == 0 && clock::now() >= next_progress_) {
      progress_(report_.records);
      next_progress_ = clock::now() + progress_interval;
    }
  }

  /// A line that is not in the form of a record.
  bool find_form(audit_line_reader::line const& next) {
    if (!next.is_whole && next.text.size() < max_audit_line)
      return found(audit_flaw::torn, "it has no end: the log was cut, or the process that wrote it "
                                     "has crashed");
    if (!next.is_whole)
      return found(audit_flaw::not_json, "it is longer than any record");
    boost::system::error_code failed;
    auto const value = boost::json::parse({next.text.data(), next.text.size()}, failed);
    auto const* const object = failed ? nullptr : value.if_object();
    if (!object)
      return found(audit_flaw::not_json, "it is not a JSON object");
    auto const* const version = object->if_contains("v");
    if (version && *version != 1)
      return found(audit_flaw::unknown_format, "it is of a format that this version does not know");
    return found(audit_flaw::edited, "it is not in the form in which records are written");
  }

  /// A record that is whole by itself and does not follow the one before.
  bool find_break(audit_line const& line, audit_line_reader& lines) {
    auto const number = std::to_string(line.seq);
    auto const expected = std::to_string(last_.seq + 1);
    if (line.seq == last_.seq + 1)
      return found(audit_flaw::edited, "the record before it is not the one that was written");
    if (line.seq > last_.seq + 1) {
      auto const after = lines.peek();
      auto const other = after ? read_audit_line(after->text) : std::nullopt;
      if (other && other->seq == last_.seq + 1)
        return found(audit_flaw::reordered, "number " + number + " stands before " + expected);
      return found(audit_flaw::removed,
                   "number " + number + " stands where " + expected + " should");
    }
    if (line.hash == last_.hash)
      return found(audit_flaw::duplicated, "number " + number + " stands there twice");
    if (line.seq == last_.seq && line.previous_hash == previous_before_)
      return found(audit_flaw::inserted, "it and the record before it have the same number, " +
                                             number + ": one of them was not written by Bulkhead");
    return found(audit_flaw::reordered,
                 "number " + number + " stands behind " + std::to_string(last_.seq));
  }

  /// What only the whole log shows.
  void check_ends() {
    line_ = 0;
    auto const first = report_.first_seq;
    if (!log_.anchor) {
      found(audit_flaw::no_anchor, "its .head file is missing or damaged, so that a cut end would "
                                   "not be seen");
    } else if (log_.anchor->last.seq > report_.last_seq) {
      found(audit_flaw::truncated, "it ends with number " + std::to_string(report_.last_seq) +
                                       ", and was written up to " +
                                       std::to_string(log_.anchor->last.seq));
    } else if (first > 1 && (first > removed_before_ || log_.anchor->last.seq + 1 < first)) {
      file_ = &log_.files.front();
      found(audit_flaw::removed, "it begins with number " + std::to_string(first) +
                                     ", and no record says that what was before was removed");
    } else {
      report_.ahead_of_anchor = report_.last_seq - log_.anchor->last.seq;
    }
  }

  bool found(audit_flaw flaw, std::string text) {
    report_.finding = audit_finding{flaw, file_->path, line_, std::move(text)};
    return false;
  }

  snapshot const& log_;
  audit_progress const& progress_;
  clock::time_point next_progress_;
  sha256 hasher_;
  audit_report report_;
  log_file const* file_ = nullptr;
  std::uint64_t line_ = 0;
  audit_position last_;
  std::string previous_before_; ///< what the last record follows
  std::uint64_t removed_before_ = 0;
};

std::string remedy_of(audit_flaw flaw) {
  switch (flaw) {
  case audit_flaw::torn:
    return "if the backend has crashed, start it: it puts a record in the torn line's place. "
           "Otherwise keep a copy of the log and find out who could write it";
  case audit_flaw::no_anchor:
    return "verify the log where it was written, or copy its .head file along with it";
  case audit_flaw::unknown_format:
    return "verify it with the version that wrote it";
  default:
    return "what stands before this line is unbroken; keep a copy of the log and find out who "
           "could write it";
  }
}

} // namespace

std::string_view to_string(audit_flaw flaw) noexcept {
  switch (flaw) {
  case audit_flaw::edited:
    return "edited";
  case audit_flaw::removed:
    return "removed";
  case audit_flaw::reordered:
    return "reordered";
  case audit_flaw::duplicated:
    return "duplicated";
  case audit_flaw::inserted:
    return "inserted";
  case audit_flaw::truncated:
    return "truncated";
  case audit_flaw::torn:
    return "torn";
  case audit_flaw::not_json:
    return "not JSON";
  case audit_flaw::unknown_format:
    return "unknown format";
  case audit_flaw::no_anchor:
    return "no anchor";
  }
  return "edited";
}

error audit_finding::as_error() const {
  auto const place = line == 0 ? file : file + ':' + std::to_string(line);
  return error{errc::audit_broken, place + ": " + std::string{to_string(flaw)} + ": " + text,
               remedy_of(flaw)};
}

result<audit_report> verify_audit(std::filesystem::path const& path, audit_progress const& progress,
                                  clock::duration quiet) {
  auto const log = look_at(path);
  if (!log)
    return log.error();
  return verifier{*log, progress, quiet}.run();
}

} // namespace bulkhead::platform
