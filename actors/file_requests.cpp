#include <bulkhead/actors/file_requests.hpp>

#include <bulkhead/config/glob.hpp>
#include <bulkhead/config/quote.hpp>
#include <bulkhead/messages/base64.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/payload.hpp>
#include <bulkhead/platform/files.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

namespace bulkhead {
namespace {

using platform::file_type;

/// Entries of one folder that an answer may list.
constexpr std::size_t most_entries = 100'000;
/// Files that a search finds unless it says otherwise, and at the most.
constexpr std::size_t most_found = 100'000;
/// A search that takes longer ends with what it has found by then.
constexpr std::chrono::seconds longest_search{10};

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

// ---- from a name to the object ----------------------------------------------------------------

/// The outermost folder of the policy's that a path lies in, opened, and the path below it.
struct rooted {
  std::string root; ///< as the policy names it
  platform::folder folder;
  std::string below;
};

result<rooted> open_root(host_access const& access, std::string_view canonical) {
  auto const root = access.root_of(canonical);
  if (root.empty())
    return error{errc::path_denied};
  std::string name{root};
  auto folder = platform::folder::open(name);
  if (!folder && (folder.error().code() == errc::file_not_a_directory ||
                  folder.error().code() == errc::file_not_found)) {
    // The rule is about one file, or about what is still to be made.
    name = std::filesystem::path{name}.parent_path().string();
    folder = platform::folder::open(name);
  }
  if (!folder)
    return folder.error();
  auto below = canonical.substr(name.size());
  while (below.starts_with('/'))
    below.remove_prefix(1);
  return rooted{std::move(name), std::move(*folder), std::string{below}};
}

/// Whether the rules allow an object that was found, by the policy's name for where it is, and none
/// denies it by its real one.
bool is_allowed(host_access const& access, path_action action, rooted const& in,
                std::string_view relative) {
  if (!access.decide(action, path_below(in.root, relative)).allowed)
    return false;
  auto const real = access.decide(action, path_below(in.folder.real_path(), relative));
  return real.allowed || !real.rule; // no rule is about it: it has another name
}

/// An existing object.
struct object {
  rooted in;
  platform::located found;
};

result<object> find_object(host_access const& access, path_action action,
                           std::string const& canonical) {
  auto in = open_root(access, canonical);
  if (!in)
    return in.error();
  auto found = in->folder.locate(in->below);
  if (!found)
    return found.error();
  if (!is_allowed(access, action, *in, found->relative))
    return error{errc::path_denied};
  return object{std::move(*in), std::move(*found)};
}

/// A name that is made, replaced or removed.
struct target {
  rooted in;
  platform::place where;
};

result<target> find_target(host_access const& access, std::string const& canonical) {
  auto in = open_root(access, canonical);
  if (!in)
    return in.error();
  auto where = in->folder.locate_parent(in->below);
  if (!where)
    return where.error();
  if (!is_allowed(access, path_action::write, *in, where->relative()))
    return error{errc::path_denied};
  return target{std::move(*in), std::move(*where)};
}

// ---- what a payload says ----------------------------------------------------------------------

class arguments {
public:
  explicit arguments(std::string const& text)
      : payload_{text} {}

  json const* find(std::string_view name) const {
    auto const* const members = payload_.value().if_object();
    return members ? members->if_contains(name) : nullptr;
  }
  bool flag(std::string_view name, bool otherwise) const {
    auto const* const found = find(name);
    return found && found->is_bool() ? found->get_bool() : otherwise;
  }
  std::optional<std::string_view> text(std::string_view name) const {
    auto const* const found = find(name);
    if (!found || !found->is_string())
      return std::nullopt;
    return std::string_view{found->get_string()};
  }

private:
  payload payload_;
};

error invalid(std::string_view sentence) {
  return error{errc::invalid_payload, std::string{sentence}};
}

/// "utf8" or "base64"; what is given where none is.
result<bool> is_base64(arguments const& given, bool otherwise) {
  auto const encoding = given.text("encoding");
  if (!encoding)
    return otherwise;
  if (*encoding != "utf8" && *encoding != "base64")
    return invalid("encoding must be \"utf8\" or \"base64\"");
  return *encoding == "base64";
}

// ---- the host's own storage -------------------------------------------------------------------

bool is_below(std::string_view path, std::filesystem::path const& folder) {
  auto const& top = folder.native();
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

bool counts_as_storage(host_access const& access, std::string_view canonical) {
  auto const& own = access.own;
  return is_below(canonical, own.storage) || is_below(canonical, own.logs) ||
         is_below(canonical, own.temp);
}

error storage_full() {
  return error{errc::limit_exceeded, "limits.storage would be exceeded"};
}

/// Says for each entry below a folder whether the rules allow `action` there.
platform::entry_check allowed_below(host_access const& access, path_action action, rooted const& in,
                                    std::string top) {
  return [&access, action, &in, top = std::move(top)](std::string_view below, file_type) {
    return is_allowed(access, action, in, path_below(top, below));
  };
}

// ---- the requests -----------------------------------------------------------------------------

result<json> stat(file_request const& asked) {
  auto const object = find_object(*asked.access, path_action::read, asked.paths[0]);
  if (!object)
    return object.error();
  auto const status = platform::status_of(object->found);
  if (!status)
    return status.error();
  return json{
      {"type", name_of(status->type)}, {"size", status->size}, {"mtime", status->modified_ms}};
}

result<json> read_directory(file_request const& asked) {
  auto const object = find_object(*asked.access, path_action::read, asked.paths[0]);
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

result<json> read_file(file_request const& asked) {
  arguments const given{asked.payload};
  auto const base64 = is_base64(given, false);
  if (!base64)
    return base64.error();
  auto const object = find_object(*asked.access, path_action::read, asked.paths[0]);
  if (!object)
    return object.error();
  auto content = platform::read_file(object->found, asked.access->limits.frame);
  if (!content)
    return content.error();
  if (*base64)
    return json{{"content", to_base64(*content)}, {"encoding", "base64"}};
  if (!wire::is_utf8(*content))
    return error{errc::file_unsupported, "the file is not UTF-8: read it as base64"};
  return json{{"content", std::move(*content)}, {"encoding", "utf8"}};
}

result<json> write_file(file_request const& asked) {
  arguments const given{asked.payload};
  auto const content = given.text("content");
  auto const base64 = is_base64(given, false);
  if (!content || !base64)
    return content ? base64.error() : invalid("content must be a string");
  std::optional<std::string> decoded;
  if (*base64 && !(decoded = from_base64(*content)))
    return invalid("content is not base64");
  std::string_view const bytes = decoded ? std::string_view{*decoded} : *content;

  auto const target = find_target(*asked.access, asked.paths[0]);
  if (!target)
    return target.error();
  platform::write_options const options{given.flag("create", true), given.flag("overwrite", true)};
  if (!counts_as_storage(*asked.access, asked.paths[0])) {
    auto const written = platform::write_file(target->where, bytes, options);
    return written ? result<json>{boost::json::object{}} : written.error();
  }

  auto const turn = asked.ledger->lock();
  auto const room = asked.ledger->room(asked.access->limits.storage);
  if (!room)
    return room.error();
  auto const old = target->in.folder.locate(target->where.relative());
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
result<json> create_directory(file_request const& asked) {
  auto const& access = *asked.access;
  auto const in = open_root(access, asked.paths[0]);
  if (!in)
    return in.error();
  if (in->below.empty())
    return boost::json::object{}; // the policy's own folder is there
  for (std::size_t end = 0; end != std::string::npos;) {
    end = in->below.find('/', end + 1);
    auto const where = in->folder.locate_parent(in->below.substr(0, end));
    if (!where)
      return where.error();
    if (auto const there = in->folder.locate(where->relative())) {
      auto const status = platform::status_of(*there);
      if (status && status->type == file_type::directory)
        continue;
    }
    if (!is_allowed(access, path_action::write, *in, where->relative()))
      return error{errc::path_denied};
    auto const made = platform::create_directory(*where);
    if (!made && (made.error().code() != errc::file_exists || end == std::string::npos))
      return made.error();
  }
  return boost::json::object{};
}

/// Runs `change` with the ledger's lock where storage is concerned, and has it counted anew.
template <class Change>
auto changing_storage(file_request const& asked, Change change) {
  auto const concerned = counts_as_storage(*asked.access, asked.paths[0]) ||
                         counts_as_storage(*asked.access, asked.paths[1]);
  if (!concerned)
    return change();
  auto const turn = asked.ledger->lock();
  auto changed = change();
  asked.ledger->forget();
  return changed;
}

result<json> remove(file_request const& asked) {
  auto const recursive = arguments{asked.payload}.flag("recursive", false);
  auto const target = find_target(*asked.access, asked.paths[0]);
  if (!target)
    return target.error();
  auto const allowed =
      allowed_below(*asked.access, path_action::write, target->in, target->where.relative());
  auto const removed = changing_storage(
      asked, [&] { return platform::remove_entry(target->where, recursive, allowed); });
  return removed ? result<json>{boost::json::object{}} : removed.error();
}

result<json> rename(file_request const& asked) {
  auto const overwrite = arguments{asked.payload}.flag("overwrite", false);
  auto const& access = *asked.access;
  // A link is renamed as it is: put where the policy names a file, it would choose where the rule
  // leads.
  if (access.root_of(asked.paths[1]) == asked.paths[1])
    return error{errc::path_denied};
  auto const from = find_target(access, asked.paths[0]);
  auto const to = find_target(access, asked.paths[1]);
  if (!from || !to)
    return from ? to.error() : from.error();
  auto const leaves = allowed_below(access, path_action::write, from->in, from->where.relative());
  auto const arrives = allowed_below(access, path_action::write, to->in, to->where.relative());
  // Into the storage nothing is renamed that would not be allowed to be written there.
  auto const enters =
      counts_as_storage(access, asked.paths[1]) && !counts_as_storage(access, asked.paths[0]);
  auto const renamed = changing_storage(asked, [&]() -> result<void> {
    if (enters) {
      auto const moved = from->in.folder.locate(from->where.relative());
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
  return renamed ? result<json>{boost::json::object{}} : renamed.error();
}

result<json> copy(file_request const& asked) {
  auto const overwrite = arguments{asked.payload}.flag("overwrite", false);
  auto const& access = *asked.access;
  auto const from = find_object(access, path_action::read, asked.paths[0]);
  auto const to = find_target(access, asked.paths[1]);
  if (!from || !to)
    return from ? to.error() : from.error();
  auto const is_read = allowed_below(access, path_action::read, from->in, from->found.relative);
  auto const is_written = allowed_below(access, path_action::write, to->in, to->where.relative());
  auto const copied = changing_storage(asked, [&]() -> result<std::uint64_t> {
    std::uint64_t most = ~std::uint64_t{0};
    if (counts_as_storage(access, asked.paths[1])) {
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
  return copied ? result<json>{boost::json::object{}} : copied.error();
}

/// A glob of the extension's; nothing where the payload has none.
result<std::optional<glob>> pattern(arguments const& given, std::string_view name) {
  auto const text = given.text(name);
  if (!text)
    return std::optional<glob>{};
  auto parsed = glob::parse(*text, untrusted_glob_limits);
  if (!parsed)
    return invalid(std::string{name} + ": " + parsed.error().detail());
  return std::optional<glob>{std::move(*parsed)};
}

result<json> find_files(file_request const& asked) {
  auto const& access = *asked.access;
  arguments const given{asked.payload};
  auto const include = pattern(given, "include");
  auto const exclude = pattern(given, "exclude");
  if (!include || !exclude)
    return include ? exclude.error() : include.error();
  if (!*include)
    return invalid("include must be a glob");
  auto most = most_found;
  if (auto const* const asked_for = given.find("maxResults"); asked_for && !asked_for->is_null()) {
    if (!asked_for->is_number() || asked_for->to_number<double>() < 1)
      return invalid("maxResults must be a number of at least 1");
    most = static_cast<std::size_t>(
        std::min(asked_for->to_number<double>(), static_cast<double>(most_found)));
  }

  // A hostile pattern can cost tens of milliseconds on a long path.
  std::stop_source stop;
  std::stop_callback const taken_back{asked.stop, [&] { stop.request_stop(); }};
  auto const by = std::chrono::steady_clock::now() + longest_search;
  auto const matches = [&](glob const& wanted, std::string_view relative) {
    if (std::chrono::steady_clock::now() > by)
      stop.request_stop();
    return wanted.matches(relative);
  };

  boost::json::array files;
  auto complete = true;
  for (auto const& top : access.workspace) {
    if (files.size() >= most) {
      complete = false;
      break;
    }
    auto const folder = platform::folder::open(top);
    if (!folder)
      return folder.error();
    auto const start = folder->locate("");
    if (!start)
      return start.error();
    // A search lists what lies in the workspace, whatever the read rules say, but nothing that is
    // denied.
    auto const is_denied = [&](std::string_view relative) {
      auto const by_name = access.decide(path_action::read, path_below(top, relative));
      auto const really =
          access.decide(path_action::read, path_below(folder->real_path(), relative));
      return (!by_name.allowed && by_name.rule) || (!really.allowed && really.rule);
    };
    platform::file_search search;
    search.max_results = most - files.size();
    search.enter = [&](std::string_view relative) -> bool {
      return !is_denied(relative) && !(*exclude && matches(**exclude, relative));
    };
    search.take = [&](std::string_view relative) -> bool {
      return wire::is_utf8(relative) && matches(**include, relative) && !is_denied(relative) &&
             !(*exclude && matches(**exclude, relative));
    };
    auto const found = platform::find_files(*start, search, stop.get_token());
    if (!found)
      return found.error();
    complete = complete && found->complete;
    for (auto const& relative : found->files)
      files.emplace_back(path_below(top, relative));
  }
  return json{{"files", std::move(files)}, {"complete", complete}};
}

struct served {
  std::string_view type;
  result<json> (*serve)(file_request const&);
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

result<json> serve_file_request(file_request const& asked) {
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
  options.recursive = arguments{asked.payload}.flag("recursive", false);
  options.enter = [access = asked.access, root = object->in.root](std::string_view relative) {
    return access->decide(path_action::read, path_below(root, relative)).allowed;
  };
  auto tree = platform::watched_tree::open(object->found, std::move(options));
  if (!tree)
    return tree.error();
  return opened_watch{object->in.root, std::move(*tree)};
}

std::string path_below(std::string_view folder, std::string_view below) {
  if (below.empty())
    return std::string{folder};
  return std::string{folder} + (folder.ends_with('/') ? "" : "/") + std::string{below};
}

} // namespace bulkhead
