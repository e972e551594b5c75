#include <bulkhead/actors/find_files.hpp>

#include <bulkhead/actors/file_access.hpp>
#include <bulkhead/actors/request_arguments.hpp>
#include <bulkhead/config/glob.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/platform/files.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

namespace bulkhead {
namespace {

using clock = std::chrono::steady_clock;

/// Files that a search finds unless it says otherwise, and at the most.
constexpr std::size_t most_found = 100'000;
/// A search that takes longer ends with what it has found by then.
constexpr std::chrono::seconds longest_search{10};

/// What is looked for, by paths relative to a folder of the workspace.
struct wanted_files {
  glob include;
  std::optional<glob> exclude;
  std::size_t most = most_found;
};

/// A glob of the extension's; nothing where the payload has none.
result<std::optional<glob>> pattern(request_arguments const& given, std::string_view name) {
  auto const text = given.text(name);
  if (!text)
    return std::optional<glob>{};
  auto parsed = glob::parse(*text, untrusted_glob_limits);
  if (!parsed)
    return invalid_argument(std::string{name} + ": " + parsed.error().detail());
  return std::optional<glob>{std::move(*parsed)};
}

result<wanted_files> read_wanted(std::string const& payload) {
  request_arguments const given{payload};
  auto include = pattern(given, "include");
  auto exclude = pattern(given, "exclude");
  if (!include || !exclude)
    return include ? exclude.error() : include.error();
  if (!*include)
    return invalid_argument("include must be a glob");
  wanted_files wanted{std::move(**include), std::move(*exclude)};
  if (auto const* const most = given.find("maxResults"); most && !most->is_null()) {
    if (!most->is_number() || most->to_number<double>() < 1)
      return invalid_argument("maxResults must be a number of at least 1");
    wanted.most = static_cast<std::size_t>(
        std::min(most->to_number<double>(), static_cast<double>(most_found)));
  }
  return wanted;
}

/// Through one folder of the workspace after the other.
class workspace_search {
public:
  workspace_search(host_access const& access, wanted_files wanted, std::stop_token taken_back)
      : access_{access}
      , wanted_{std::move(wanted)}
      , taken_back_{std::move(taken_back), [this] { stop_.request_stop(); }} {}

  /// Adds what is in a folder, by the name that the workspace has for it, until there is enough.
  result<void> look_into(std::string const& top) {
    if (found_.files.size() >= wanted_.most) {
      found_.complete = false;
      return {};
    }
    auto const in = open(top);
    if (!in)
      return in.error();
    auto const start = in->folder->locate(in->below);
    if (!start)
      return start.error();
    // Where a link led to is no workspace, so that it is listed as far as it may be read.
    auto const is_workspace = start->relative == in->below;
    auto const is_shown = [&](std::string_view relative) {
      return is_workspace ? !is_denied(access_, path_action::read, in->root, relative)
                          : is_allowed(access_, path_action::read, in->root, relative);
    };
    auto const below_top = [skipped = start->relative.empty() ? 0 : start->relative.size() + 1](
                               std::string_view relative) { return relative.substr(skipped); };
    platform::file_search search;
    search.max_results = wanted_.most - found_.files.size();
    search.enter = [&](std::string_view relative) -> bool {
      return is_shown(relative) && !is_excluded(below_top(relative));
    };
    search.take = [&](std::string_view relative) -> bool {
      return wire::is_utf8(relative) && matches(wanted_.include, below_top(relative)) &&
             is_shown(relative) && !is_excluded(below_top(relative));
    };
    auto const found = platform::find_files(*start, search, stop_.get_token());
    if (!found)
      return found.error();
    found_.complete = found_.complete && found->complete;
    for (auto const& relative : found->files)
      found_.files.push_back(path_below(top, below_top(relative)));
    return {};
  }

  platform::found_files const& found() const noexcept { return found_; }

private:
  /// A folder that no rule opens lies in none which the extension may write, and so is where the
  /// policy's author put it.
  result<rooted> open(std::string const& top) const {
    auto const root = access_.root_of(top);
    return open_root(root.empty() ? top : root, top);
  }

  /// A hostile pattern can cost tens of milliseconds on a long path.
  bool matches(glob const& pattern, std::string_view relative) {
    if (clock::now() > by_)
      stop_.request_stop();
    return pattern.matches(relative);
  }
  bool is_excluded(std::string_view relative) {
    return wanted_.exclude && matches(*wanted_.exclude, relative);
  }

  host_access const& access_;
  wanted_files const wanted_;
  clock::time_point const by_ = clock::now() + longest_search;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> const taken_back_;
  platform::found_files found_;
};

} // namespace

result<file_answer> find_files(file_request const& asked) {
  auto wanted = read_wanted(asked.payload);
  if (!wanted)
    return wanted.error();
  workspace_search search{*asked.access, std::move(*wanted), asked.stop};
  for (auto const& top : asked.access->workspace)
    if (auto const looked = search.look_into(top); !looked)
      return looked.error();
  auto const& found = search.found();
  return json{{"files", boost::json::array(found.files.begin(), found.files.end())},
              {"complete", found.complete}};
}

} // namespace bulkhead
