#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// What was decided about one inbound request.
enum class verdict : std::uint8_t {
  admitted,
  permission_denied,
};

/// The requests of one read, on their way from the connection through those who decide and back. It
/// owns its bytes, so that no view depends on a read buffer or a scanner; one message carries all
/// of them, because a hop costs more than a decision.
class inbound_batch : public caf::ref_counted {
public:
  /// `generation` is the number of the process that sent them.
  inbound_batch(std::string host, std::uint64_t generation)
      : host_{std::move(host)}
      , generation_{generation} {}

  /// Copies one request. The raw texts are the bytes between the quotes, which the reply repeats.
  void add(std::string_view raw_id, std::string_view id, std::string_view raw_type,
           std::string_view type, std::string_view payload);

  /// The host on whose connection they came.
  std::string const& host() const noexcept { return host_; }
  std::uint64_t generation() const noexcept { return generation_; }
  std::size_t size() const noexcept { return items_.size(); }

  std::string_view raw_id(std::size_t i) const noexcept { return view(items_[i].raw_id); }
  std::string_view id(std::size_t i) const noexcept { return view(items_[i].id); }
  std::string_view raw_type(std::size_t i) const noexcept { return view(items_[i].raw_type); }
  std::string_view type(std::size_t i) const noexcept { return view(items_[i].type); }
  std::string_view payload(std::size_t i) const noexcept { return view(items_[i].payload); }

  verdict decision(std::size_t i) const noexcept { return items_[i].decision; }
  /// Why it was denied, in words for the extension; empty if it was admitted.
  std::string_view missing(std::size_t i) const noexcept { return items_[i].missing; }
  /// `missing` names the permission that would have been needed; static storage.
  void deny(std::size_t i, std::string_view missing) noexcept {
    items_[i].decision = verdict::permission_denied;
    items_[i].missing = missing;
  }
  void admit(std::size_t i) noexcept { items_[i].decision = verdict::admitted; }

private:
  struct range {
    std::size_t begin;
    std::size_t size;
  };
  struct item {
    range raw_id, id, raw_type, type, payload;
    verdict decision = verdict::permission_denied; // until somebody admits it
    std::string_view missing;
  };

  range copy(std::string_view bytes);
  std::string_view view(range r) const noexcept {
    return std::string_view{bytes_}.substr(r.begin, r.size);
  }

  std::string host_;
  std::uint64_t generation_;
  std::string bytes_;
  std::vector<item> items_;
};

using inbound_batch_ptr = caf::intrusive_ptr<inbound_batch>;

} // namespace bulkhead

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::inbound_batch_ptr)
