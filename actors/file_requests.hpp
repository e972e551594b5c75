#pragma once

#include <bulkhead/actors/file_access.hpp>
#include <bulkhead/actors/storage_ledger.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/shared_bytes.hpp>
#include <bulkhead/platform/watched_tree.hpp>

#include <array>
#include <concepts>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace bulkhead {

/// One request of a host about files, as it was admitted. Owns what it uses, so that a thread of
/// the pool can serve it.
struct file_request {
  std::string type;
  std::string payload; ///< JSON text
  std::optional<shared_bytes> attachment;
  bool takes_attachment = false;    ///< the answer may have one
  std::array<std::string, 2> paths; ///< canonical, and allowed by the path rules as names
  host_access_ptr access;
  std::shared_ptr<storage_ledger> ledger;
  std::stop_token stop;
  kept_root* kept = nullptr; ///< of the thread that serves it; null for none
};

/// What a request is answered with: the reply's payload and, where that says so, bytes beside it.
struct file_answer {
  template <std::convertible_to<json> Payload>
  file_answer(Payload&& answer, std::optional<shared_bytes> beside = {})
      : payload(std::forward<Payload>(answer))
      , attachment{std::move(beside)} {}

  json payload;
  std::optional<shared_bytes> attachment;
};

/// Serves it. Finds each object beneath the outermost folder that
/// the policy names, asks the path rules once more about the object itself, wherever links led to
/// it, and then works on its descriptor only. Fails with a code of the 40xx; no detail names a path
/// of this machine. Blocks; any thread.
result<file_answer> serve_file_request(file_request const& asked);

/// What fs.watch asks for.
struct opened_watch {
  root_names root; ///< that the tree's paths are below
  platform::watched_tree tree;
};

/// Begins to watch, in the same way. Blocks; any thread.
result<opened_watch> open_watch(file_request const& asked);

} // namespace bulkhead
