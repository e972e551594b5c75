#include <bulkhead/actors/open_files.hpp>

#include <bulkhead/actors/file_content.hpp>
#include <bulkhead/platform/files.hpp>
#include <bulkhead/platform/regular_file.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace bulkhead {
namespace {

/// Of a frame, what the answer needs beside the bytes of a piece: its envelope, with an id and a
/// type that have no needless escapes.
constexpr std::size_t envelope_room = 512;

/// The longest piece that fits into a frame.
std::size_t longest_piece(std::size_t frame, file_encoding how) {
  auto const room = frame - std::min(envelope_room, frame / 2);
  return how == file_encoding::base64 ? room / 4 * 3 : room;
}

result<std::size_t> length_of(request_arguments const& given, std::size_t most) {
  auto const* const length = given.find("length");
  if (!length)
    return std::min(open_files::usual_piece, most);
  if (!length->is_number() || length->to_number<double>() < 1)
    return invalid_argument("length must be a number of at least 1");
  return static_cast<std::size_t>(std::min(length->to_number<double>(), static_cast<double>(most)));
}

template <class Files>
auto find(Files& files, request_arguments const& given) {
  auto const name = given.text("file");
  return name ? files.find(*name) : files.end();
}

error not_open() {
  return invalid_argument("no such file is open in that way");
}

error too_many() {
  return error{errc::limit_exceeded,
               "a host has at most " + std::to_string(open_files::most) + " open files"};
}

} // namespace

// ---- one file ---------------------------------------------------------------------------------

class open_files::reader {
public:
  reader(root_names root, std::string relative, platform::unique_fd file) noexcept
      : root_{std::move(root)}
      , relative_{std::move(relative)}
      , file_{std::move(file)} {}

  /// Empty at the end.
  result<shared_bytes> read(host_access const& access, std::size_t most) {
    if (!is_allowed(access, path_action::read, root_, relative_))
      return error{errc::path_denied};
    return platform::read_next(file_.get(), most);
  }

private:
  root_names root_;
  std::string relative_;
  platform::unique_fd file_;
};

class open_files::writer {
public:
  /// `ledger` is null where the file does not count as the host's storage.
  writer(found_target at, std::shared_ptr<storage_ledger> ledger)
      : at_{std::move(at)}
      , ledger_{std::move(ledger)} {}
  writer(writer const&) = delete;
  /// What it wrote is in place or given up: what is used is counted anew.
  ~writer() {
    if (!ledger_)
      return;
    auto const turn = ledger_->lock();
    file_.reset();
    ledger_->forget();
  }

  result<void> begin(platform::write_options options) {
    auto begun = platform::atomic_file::begin(at_.where, options);
    if (!begun)
      return begun.error();
    file_.emplace(std::move(*begun));
    return {};
  }

  result<void> append(host_access const& access, std::string_view bytes) {
    if (auto checked = check(access); !checked)
      return checked;
    if (!ledger_)
      return file_->write(bytes);
    auto const turn = ledger_->lock();
    auto const room = ledger_->room(access.limits.storage);
    if (!room)
      return room.error();
    if (bytes.size() > *room)
      return storage_full();
    // It counts beside what it is to replace: both are on the disk.
    ledger_->replace(0, bytes.size());
    return file_->write(bytes);
  }

  result<void> commit(host_access const& access) {
    if (auto checked = check(access); !checked)
      return checked;
    return file_->commit();
  }

private:
  /// Whether the rules still allow it, and the folder is still where they were asked about.
  result<void> check(host_access const& access) const {
    auto const& folder = at_.where.parent;
    auto const now = platform::real_path_of(folder.fd.get());
    if (!now)
      return now.error();
    if (*now != path_below(at_.in.root.real, folder.relative) ||
        !is_allowed(access, path_action::write, at_.in.root, at_.where.relative()))
      return error{errc::path_denied};
    return {};
  }

  found_target const at_;
  std::shared_ptr<storage_ledger> const ledger_;
  std::optional<platform::atomic_file> file_;
};

// ---- the requests -----------------------------------------------------------------------------

struct open_files::served {
  std::string_view type;
  result<file_answer> (open_files::*serve)(file_request const&);
};

constexpr open_files::served open_files::table[] = {
    {"fs.openRead", &open_files::open_read},   {"fs.openWrite", &open_files::open_write},
    {"fs.readChunk", &open_files::read_chunk}, {"fs.writeChunk", &open_files::write_chunk},
    {"fs.commitFile", &open_files::commit},    {"fs.closeFile", &open_files::close},
};

open_files::open_files() = default;
open_files::~open_files() = default;

bool open_files::serves(std::string_view type) noexcept {
  return std::ranges::find(table, type, &served::type) != std::end(table);
}

result<file_answer> open_files::serve(file_request const& asked) {
  auto const* const found = std::ranges::find(table, asked.type, &served::type);
  return (this->*found->serve)(asked);
}

result<file_answer> open_files::open_read(file_request const& asked) {
  if (is_full())
    return too_many();
  auto object = find_object(*asked.access, path_action::read, asked.paths[0]);
  if (!object)
    return object.error();
  auto file = platform::open_regular(object->found.fd.get());
  auto const status = platform::status_of(object->found);
  if (!file || !status)
    return file ? status.error() : file.error();
  auto name = std::to_string(++last_);
  readers_.emplace(name,
                   std::make_unique<reader>(std::move(object->in.root),
                                            std::move(object->found.relative), std::move(*file)));
  return json{{"file", std::move(name)}, {"size", status->size}};
}

result<file_answer> open_files::open_write(file_request const& asked) {
  if (is_full())
    return too_many();
  auto target = find_target(*asked.access, asked.paths[0]);
  if (!target)
    return target.error();
  auto const is_storage =
      asked.ledger->holds(path_below(target->in.root.real, target->where.relative()));
  auto file = std::make_unique<writer>(std::move(*target), is_storage ? asked.ledger : nullptr);
  request_arguments const given{asked.payload};
  if (auto const begun = file->begin({given.flag("create", true), given.flag("overwrite", true)});
      !begun)
    return begun.error();
  auto name = std::to_string(++last_);
  writers_.emplace(name, std::move(file));
  return json{{"file", std::move(name)}};
}

result<file_answer> open_files::read_chunk(file_request const& asked) {
  request_arguments const given{asked.payload};
  auto const how = encoding_of(asked, given, file_encoding::base64);
  if (!how)
    return how.error();
  if (*how == file_encoding::utf8)
    return invalid_argument("a piece may end inside of a character: read bytes");
  auto const length = length_of(given, longest_piece(asked.access->limits.frame, *how));
  if (!length)
    return length.error();
  auto const file = find(readers_, given);
  if (file == readers_.end())
    return not_open();
  auto bytes = file->second->read(*asked.access, *length);
  if (!bytes)
    return bytes.error();
  return content_answer(std::move(*bytes), *how);
}

result<file_answer> open_files::write_chunk(file_request const& asked) {
  request_arguments const given{asked.payload};
  std::string decoded;
  auto const content = content_of(asked, given, decoded);
  if (!content)
    return content.error();
  auto const file = find(writers_, given);
  if (file == writers_.end())
    return not_open();
  auto const written = file->second->append(*asked.access, *content);
  if (written)
    return boost::json::object{};
  writers_.erase(file); // it may hold a part of the piece
  return written.error();
}

result<file_answer> open_files::commit(file_request const& asked) {
  request_arguments const given{asked.payload};
  auto const found = find(writers_, given);
  if (found == writers_.end())
    return not_open();
  auto const file = std::move(found->second);
  writers_.erase(found);
  auto const committed = file->commit(*asked.access);
  return committed ? result<file_answer>{boost::json::object{}} : committed.error();
}

result<file_answer> open_files::close(file_request const& asked) {
  request_arguments const given{asked.payload};
  if (auto const read = find(readers_, given); read != readers_.end())
    readers_.erase(read);
  else if (auto const written = find(writers_, given); written != writers_.end())
    writers_.erase(written);
  else
    return not_open();
  return boost::json::object{};
}

bool open_files::is_full() const noexcept {
  return readers_.size() + writers_.size() >= most;
}

} // namespace bulkhead
