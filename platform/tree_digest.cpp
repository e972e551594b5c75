#include <bulkhead/platform/tree_digest.hpp>

#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/file_error.hpp>
#include <bulkhead/platform/file_tree.hpp>
#include <bulkhead/platform/ownership.hpp>
#include <bulkhead/platform/regular_file.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace bulkhead::platform {
namespace {

constexpr auto smaller_remedy = "give the extension a folder of its own, with only what it needs";

enum class kind { folder, plain_file, executable_file, link };

/// All of an entry but the content of a file.
struct surveyed_entry {
  std::string path; ///< relative to the root; empty for the root itself
  kind what;
  file_identity identity;
  std::string link_text; ///< of a link

  bool is_file() const noexcept {
    return what == kind::plain_file || what == kind::executable_file;
  }
};

using survey = std::vector<surveyed_entry>;

std::string_view to_string(kind what) noexcept {
  switch (what) {
  case kind::folder:
    return "dir";
  case kind::plain_file:
    return "file";
  case kind::executable_file:
    return "exec";
  case kind::link:
    return "link";
  }
  return {};
}

std::optional<kind> kind_of(mode_t mode) noexcept {
  if (S_ISDIR(mode))
    return kind::folder;
  if (S_ISLNK(mode))
    return kind::link;
  if (!S_ISREG(mode))
    return std::nullopt;
  return (mode & S_IXUSR) != 0 ? kind::executable_file : kind::plain_file;
}

result<std::string> link_text(int folder, std::string const& name) {
  std::array<char, PATH_MAX> text;
  auto const size = ::readlinkat(folder, name.c_str(), text.data(), text.size());
  if (size < 0)
    return file_error(errno);
  return std::string{text.data(), static_cast<std::size_t>(size)};
}

/// Lists a folder and judges each of its entries, without reading any file.
class surveyor {
public:
  surveyor(folder const& top, int root, hashing const& how, tree_bounds bounds)
      : top_{top}
      , root_{root}
      , how_{how}
      , bounds_{bounds} {}

  result<survey> run() {
    struct stat seen;
    if (::fstat(root_, &seen) != 0)
      return at({}, file_error(errno));
    found_ = {{{}, kind::folder, identity_of(seen), {}}};
    bytes_ = 0;
    auto walk = tree_walk::begin(root_, {.max_entries = bounds_.max_entries});
    if (!walk)
      return at({}, walk.error());
    for (auto step = walk->next(); step != tree_walk::step::done; step = walk->next()) {
      if (how_.stop.stop_requested())
        return error{errc::request_cancelled};
      if (step == tree_walk::step::left)
        continue;
      if (auto const taken = take(*walk); !taken)
        return at(walk->relative(), taken.error());
      if (found_.back().what != kind::folder)
        continue;
      if (auto const entered = walk->enter(); !entered)
        return at(found_.back().path, entered.error());
    }
    return std::move(found_);
  }

private:
  result<void> take(tree_walk const& walk) {
    struct stat seen;
    if (::fstatat(walk.folder(), walk.name().c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
      return file_error(errno);
    auto const what = kind_of(seen.st_mode);
    if (!what)
      return error{errc::file_unsupported, "it is a FIFO, a device or a socket", "delete it"};
    auto const path = top_.real_path() + '/' + walk.relative();
    if (auto const safe = require_safe_owner(seen, path, top_.real_path()); !safe)
      return safe;
    found_.push_back({walk.relative(), *what, identity_of(seen), {}});
    if (found_.back().is_file())
      return count(found_.back().identity.size);
    return *what == kind::link ? take_link(walk) : result<void>{};
  }

  result<void> count(std::uint64_t bytes) {
    bytes_ += bytes;
    if (bytes_ > bounds_.max_bytes)
      return error{errc::limit_exceeded, "with it there are more than " +
                                             std::to_string(bounds_.max_bytes) +
                                             " bytes, too many for an extension"};
    return {};
  }

  result<void> take_link(tree_walk const& walk) {
    auto text = link_text(walk.folder(), walk.name());
    if (!text)
      return text.error();
    // The kernel follows it, as no reading of the text knows of other links on the way.
    if (auto const target = top_.locate(walk.relative()); !target) {
      auto const code = target.error().code();
      if (code != errc::path_denied && code != errc::file_not_found)
        return target.error();
      auto const where = code == errc::path_denied ? "out of the extension" : "to nothing";
      return error{errc::path_denied, std::string{"the symbolic link leads "} + where,
                   "replace it by what it is to stand for, or delete it"};
    }
    found_.back().link_text = *std::move(text);
    return {};
  }

  /// Names the entry, unless the message does already.
  error at(std::string const& relative, error const& failed) const {
    if (failed.code() == errc::integrity_unsafe_owner)
      return failed;
    auto const path = relative.empty() ? top_.real_path() : top_.real_path() + '/' + relative;
    if (failed.code() == errc::limit_exceeded)
      return with_path(path, error{failed.code(), failed.detail(), smaller_remedy});
    return with_path(path, failed);
  }

  folder const& top_;
  int root_;
  hashing const& how_;
  tree_bounds bounds_;
  std::uint64_t bytes_ = 0;
  survey found_;
};

/// Stands for all that was surveyed, and so for what a digest of it would be.
sha256_digest key_of(survey const& entries) {
  sha256 hash;
  hash.update("tree");
  for (auto const& entry : entries) {
    hash.update(to_text(entry.identity));
    hash.update(to_string(entry.what));
    hash.update({entry.path.c_str(), entry.path.size() + 1});
  }
  return hash.finish();
}

result<std::string> content_hash(folder const& top, int root, surveyed_entry const& entry,
                                 hashing const& how) {
  auto const path = top.real_path() + '/' + entry.path;
  auto const object = walk_beneath(root, entry.path);
  if (!object)
    return changed_while_hashed(path);
  auto const file = open_regular(object->get());
  if (!file && file.error().code() != errc::file_unavailable)
    return changed_while_hashed(path);
  if (!file)
    return with_path(path, file.error());
  auto const digest = read_digest(file->get(), entry.identity, path, how);
  if (!digest)
    return digest.error();
  return to_hex(*digest);
}

result<sha256_digest> read_tree(folder const& top, int root, survey const& entries,
                                hashing const& how) {
  std::vector<std::pair<std::string, surveyed_entry const*>> sorted;
  sorted.reserve(entries.size());
  for (auto const& entry : entries)
    sorted.emplace_back(entry.path.empty() ? "." : "./" + entry.path, &entry);
  std::ranges::sort(sorted);
  sha256 tree;
  sha256 text;
  for (auto const& [path, entry] : sorted) {
    std::string hash = "-";
    if (entry->what == kind::link)
      hash = to_hex(text.digest_of(entry->link_text));
    if (entry->is_file()) {
      auto content = content_hash(top, root, *entry, how);
      if (!content)
        return content.error();
      hash = *std::move(content);
    }
    tree.update(to_string(entry->what));
    tree.update(" " + hash + "  ");
    tree.update({path.c_str(), path.size() + 1});
  }
  return tree.finish();
}

/// Of a survey that began at `now`.
bool is_settled(survey const& entries, std::chrono::system_clock::time_point now) {
  return std::ranges::all_of(entries,
                             [now](auto const& entry) { return is_settled(entry.identity, now); });
}

result<sha256_digest> cached_tree(folder const& top, int root, survey const& entries,
                                  surveyor& again, hashing const& how,
                                  std::chrono::system_clock::time_point begun) {
  if (!how.wanted)
    return sha256_digest{};
  auto const key = key_of(entries);
  if (how.cache)
    if (auto const known = how.cache->find(key))
      return *known;
  auto const digest = read_tree(top, root, entries, how);
  if (!digest)
    return digest;
  auto const after = again.run();
  if (!after)
    return after.error();
  if (key_of(*after) != key)
    return changed_while_hashed(top.real_path());
  if (how.cache && is_settled(entries, begun))
    how.cache->keep(key, *digest);
  return digest;
}

result<tree_digest> digest_of_folder(int root, std::string path, hashing const& how,
                                     tree_bounds bounds) {
  auto const begun = std::chrono::system_clock::now();
  auto const top = folder::open(proc_path(root));
  if (!top)
    return with_path(path, top.error());
  surveyor surveying{*top, root, how, bounds};
  auto const entries = surveying.run();
  if (!entries)
    return entries.error();
  auto const digest = cached_tree(*top, root, *entries, surveying, how, begun);
  if (!digest)
    return digest.error();
  tree_digest found{std::move(path), *digest, 0, 0};
  for (auto const& entry : *entries)
    if (entry.is_file()) {
      ++found.files;
      found.bytes += entry.identity.size;
    }
  return found;
}

result<tree_digest> digest_of_file(int root, std::string path, hashing const& how,
                                   tree_bounds bounds) {
  auto const file = open_regular(root);
  if (!file)
    return with_path(path, file.error());
  auto const identity = identity_of(file->get());
  if (!identity)
    return with_path(path, identity.error());
  if (identity->size > bounds.max_bytes)
    return with_path(path, error{errc::limit_exceeded,
                                 "it has more than " + std::to_string(bounds.max_bytes) +
                                     " bytes, too many for an extension",
                                 smaller_remedy});
  auto const digest = how.wanted ? cached_digest(file->get(), *identity, path, how)
                                 : result<sha256_digest>{sha256_digest{}};
  if (!digest)
    return digest.error();
  return tree_digest{std::move(path), *digest, 1, identity->size};
}

} // namespace

result<tree_digest> digest_of_tree(int root, hashing const& how, tree_bounds bounds) {
  auto path = require_safe_path(root);
  if (!path)
    return path.error();
  struct stat seen;
  if (::fstat(root, &seen) != 0)
    return with_path(*path, file_error(errno));
  return S_ISDIR(seen.st_mode) ? digest_of_folder(root, *std::move(path), how, bounds)
                               : digest_of_file(root, *std::move(path), how, bounds);
}

result<tree_digest> digest_of_tree(std::filesystem::path const& root, hashing const& how,
                                   tree_bounds bounds) {
  unique_fd const object{::open(root.c_str(), O_PATH | O_CLOEXEC)};
  if (!object)
    return with_path(root.string(), file_error(errno));
  return digest_of_tree(object.get(), how, bounds);
}

} // namespace bulkhead::platform
