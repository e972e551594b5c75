#include <bulkhead/actors/file_requests.hpp>

#include <bulkhead/actors/file_content.hpp>
#include <bulkhead/actors/find_files.hpp>
#include <bulkhead/actors/request_arguments.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/platform/files.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace bulkhead {
namespace {

using platform::file_type;

/// Entries of one folder that an answer may list.
constexpr std::size_t most_entries = 100'000;

std::string_view name_of(file_type type) noexcept {
  switch (type) {
  case file_type::file:
    return "file";
  case file_type::directory:
    return "directory";
  case file_type::symlink:
    return "symlink";
  case file_type::other:
    break;
  }
  return "other";
}

// ---- the host's own storage -------------------------------------------------------------------

/// Whether an operation lands there, whatever name or link led to it.
bool counts_as_storage(file_request const& asked, rooted const& in, std::string_view relative) {
  return asked.ledger->holds(path_below(in.root.real, relative));
}

/// Says for each entry below a folder whether the rules allow `action` there.
platform::entry_check allowed_below(host_access const& access, path_action action, rooted const& in,
                                    std::string top) {
  return [&access, action, &in, top = std::move(top)](std::string_view below, file_type) {
    return is_allowed(access, action, in.root, path_below(top, below));
  };
}

// ---- the requests -----------------------------------------------------------------------------

result<file_answer> stat(file_request const& asked) {
  auto const object = find_object(*asked.access, path_action::read, asked.paths[0], asked.kept);
  if (!object)
    return object.error();
  auto const status = platform::status_of(object->found);
  if (!status)
    return status.error();
  return json{
      {"type", name_of(status->type)}, {"size", status->size}, {"mtime", status->modified_ms}};
}

result<file_answer> read_directory(file_request const& asked) {
  auto const object = find_object(*asked.access, path_action::read, asked.paths[0], asked.kept);
  if (!object)
    return object.error();
  auto const listed = platform::read_directory(object->found, most_entries);
  if (!listed)
    return listed.error();
  boost::json::array entries;
  for (auto const& entry : *listed)
    if (wire::is_utf8(entry.name)) // no message can carry another, nor can an extension ask for it
      entries.push_back(boost::json::array{entry.name, name_of(entry.type)});
  return json{{"entries", std::move(entries)}};
}

result<file_answer> read_file(file_request const& asked) {
  request_arguments const given{asked.payload};
  auto const how = encoding_of(asked, given);
  if (!how)
    return how.error();
  auto const object = find_object(*asked.access, path_action::read, asked.paths[0], asked.kept);
  if (!object)
    return object.error();
  auto content = platform::read_file(object->found, asked.access->limits.frame);
  if (!content)
    return content.error();
  return content_answer(std::move(*content), *how);
}

result<file_answer> write_file(file_request const& asked) {
  request_arguments const given{asked.payload};
  std::string decoded;
  auto const content = content_of(asked, given, decoded);
  if (!content)
    return content.error();
  auto const bytes = *content;

  auto const target = find_target(*asked.access, asked.paths[0]);
  if (!target)
    return target.error();
  platform::write_options const options{given.flag("create", true), given.flag("overwrite", true)};
  if (!counts_as_storage(asked, target->in, target->where.relative())) {
    auto const written = platform::write_file(target->where, bytes, options);
    return written ? result<file_answer>{boost::json::object{}} : written.error();
  }

  auto const turn = asked.ledger->lock();
  auto const room = asked.ledger->room(asked.access->limits.storage);
  if (!room)
    return room.error();
  auto const old = target->in.folder->locate(target->where.relative());
  auto const before = old ? platform::size_of(*old) : result<std::uint64_t>{0u};
  if (!before)
    return before.error();
  if (bytes.size() > *before && bytes.size() - *before > *room)
    return storage_full();
  if (auto const written = platform::write_file(target->where, bytes, options); !written)
    return written.error();
  asked.ledger->replace(*before, bytes.size());
  return boost::json::object{};
}

/// Makes the folder and those above it that are missing.
result<file_answer> create_directory(file_request const& asked) {
  auto const& access = *asked.access;
  auto const in = open_root(access, asked.paths[0]);
  if (!in)
    return in.error();
  if (in->below.empty())
    return boost::json::object{}; // the policy's own folder is there
  for (std::size_t end = 0; end != std::string::npos;) {
    end = in->below.find('/', end + 1);
    auto const where = in->folder->locate_parent(in->below.substr(0, end));
    if (!where)
      return where.error();
    if (auto const there = in->folder->locate(where->relative())) {
      auto const status = platform::status_of(*there);
      if (status && status->type == file_type::directory)
        continue;
    }
    if (!is_allowed(access, path_action::write, in->root, where->relative()))
      return error{errc::path_denied};
    auto const made = platform::create_directory(*where);
    if (!made && (made.error().code() != errc::file_exists || end == std::string::npos))
      return made.error();
  }
  return boost::json::object{};
}

/// Runs `change` with the ledger's lock where storage is concerned, and has it counted anew.
template <class Change>
auto changing_storage(file_request const& asked, bool concerned, Change change) {
  if (!concerned)
    return change();
  auto const turn = asked.ledger->lock();
  auto changed = change();
  asked.ledger->forget();
  return changed;
}

result<file_answer> remove(file_request const& asked) {
  auto const recursive = request_arguments{asked.payload}.flag("recursive", false);
  auto const target = find_target(*asked.access, asked.paths[0]);
  if (!target)
    return target.error();
  auto const allowed =
      allowed_below(*asked.access, path_action::write, target->in, target->where.relative());
  auto const concerned = counts_as_storage(asked, target->in, target->where.relative());
  auto const removed = changing_storage(
      asked, concerned, [&] { return platform::remove_entry(target->where, recursive, allowed); });
  return removed ? result<file_answer>{boost::json::object{}} : removed.error();
}

result<file_answer> rename(file_request const& asked) {
  auto const overwrite = request_arguments{asked.payload}.flag("overwrite", false);
  auto const& access = *asked.access;
  if (access.root_of(asked.paths[1]) == asked.paths[1])
    return error{errc::path_denied}; // the policy's own folder is not replaced
  auto const from = find_target(access, asked.paths[0]);
  auto const to = find_target(access, asked.paths[1]);
  if (!from || !to)
    return from ? to.error() : from.error();
  // A link is renamed as it is: put where a rule leads, it would choose where that is.
  if (carries_a_root(access, path_below(to->in.folder->real_path(), to->where.relative())))
    return error{errc::path_denied};
  auto const leaves = allowed_below(access, path_action::write, from->in, from->where.relative());
  auto const arrives = allowed_below(access, path_action::write, to->in, to->where.relative());
  auto const was_storage = counts_as_storage(asked, from->in, from->where.relative());
  auto const is_storage = counts_as_storage(asked, to->in, to->where.relative());
  auto const renamed = changing_storage(asked, was_storage || is_storage, [&]() -> result<void> {
    // Into the storage nothing is renamed that would not be allowed to be written there.
    if (is_storage && !was_storage) {
      auto const moved = from->in.folder->locate(from->where.relative());
      auto const size = moved ? platform::size_of(*moved) : result<std::uint64_t>{moved.error()};
      auto const room = asked.ledger->room(access.limits.storage);
      if (!size || !room)
        return size ? room.error() : size.error();
      if (*size > *room)
        return storage_full();
    }
    return platform::rename_entry(from->where, to->where, overwrite,
                                  [&](std::string_view below, file_type type) {
                                    return leaves(below, type) && arrives(below, type);
                                  });
  });
  return renamed ? result<file_answer>{boost::json::object{}} : renamed.error();
}

result<file_answer> copy(file_request const& asked) {
  auto const overwrite = request_arguments{asked.payload}.flag("overwrite", false);
  auto const& access = *asked.access;
  auto const from = find_object(access, path_action::read, asked.paths[0]);
  auto const to = find_target(access, asked.paths[1]);
  if (!from || !to)
    return from ? to.error() : from.error();
  auto const is_read = allowed_below(access, path_action::read, from->in, from->found.relative);
  auto const is_written = allowed_below(access, path_action::write, to->in, to->where.relative());
  auto const is_storage = counts_as_storage(asked, to->in, to->where.relative());
  auto const copied = changing_storage(asked, is_storage, [&]() -> result<std::uint64_t> {
    std::uint64_t most = ~std::uint64_t{0};
    if (is_storage) {
      auto const room = asked.ledger->room(access.limits.storage);
      if (!room)
        return room.error();
      most = *room;
    }
    auto made = platform::copy_entry(from->found, to->where, overwrite, most,
                                     [&](std::string_view below, file_type type) {
                                       return is_read(below, type) && is_written(below, type);
                                     });
    if (!made && made.error().code() == errc::file_too_large)
      return storage_full();
    return made;
  });
  return copied ? result<file_answer>{boost::json::object{}} : copied.error();
}

struct served {
  std::string_view type;
  result<file_answer> (*serve)(file_request const&);
};

constexpr served table[] = {
    {"fs.readFile", read_file},
    {"fs.writeFile", write_file},
    {"fs.stat", stat},
    {"fs.readDirectory", read_directory},
    {"fs.createDirectory", create_directory},
    {"fs.rename", rename},
    {"fs.copy", copy},
    {"fs.delete", remove},
    {"workspace-find-files", find_files},
};

} // namespace

result<file_answer> serve_file_request(file_request const& asked) {
  auto const* const found = std::ranges::find(table, asked.type, &served::type);
  if (found == std::end(table))
    return error{errc::unsupported_request};
  return found->serve(asked);
}

result<opened_watch> open_watch(file_request const& asked) {
  auto const object = find_object(*asked.access, path_action::read, asked.paths[0]);
  if (!object)
    return object.error();
  platform::watch_options options;
  options.recursive = request_arguments{asked.payload}.flag("recursive", false);
  options.enter = [access = asked.access, root = object->in.root](std::string_view relative) {
    return is_allowed(*access, path_action::read, root, relative);
  };
  auto tree = platform::watched_tree::open(object->found, std::move(options));
  if (!tree)
    return tree.error();
  return opened_watch{object->in.root, std::move(*tree)};
}

} // namespace bulkhead
