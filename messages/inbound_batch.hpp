#pragma once

#include <bulkhead/messages/shared_bytes.hpp>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

struct host_access;

/// What was decided about one inbound request.
enum class verdict : std::uint8_t {
  undecided, ///< nobody has looked at it: it is not admitted
  admitted,
  rate_limited,
  permission_denied,
  path_denied,
  path_invalid,      ///< it lacks a path, or has one that is no path
  audit_unavailable, ///< it has to be recorded first, and can't be
};

/// The requests of one read, on their way from the connection through those who decide and back. It
/// owns its bytes, so that no view depends on a read buffer or a scanner; one message carries all
/// of them, because a hop costs more than a decision. Attachments are kept and not copied.
class inbound_batch : public caf::ref_counted {
public:
  /// fs.rename and fs.copy name two.
  static constexpr std::size_t max_paths = 2;

  /// `generation` is the number of the process that sent them.
  inbound_batch(std::string host, std::uint64_t generation)
      : host_{std::move(host)}
      , generation_{generation} {}

  /// Overwrites the bytes of secrets.
  ~inbound_batch() override;

  /// Copies one request. The raw texts are the bytes between the quotes, which the reply repeats.
  void add(std::string_view raw_id, std::string_view id, std::string_view raw_type,
           std::string_view type, std::string_view payload, std::string_view traceparent = {},
           std::optional<shared_bytes> attachment = {});

  /// The host on whose connection they came.
  std::string const& host() const noexcept { return host_; }
  std::uint64_t generation() const noexcept { return generation_; }
  std::size_t size() const noexcept { return items_.size(); }

  std::string_view raw_id(std::size_t i) const noexcept { return view(items_[i].raw_id); }
  std::string_view id(std::size_t i) const noexcept { return view(items_[i].id); }
  std::string_view raw_type(std::size_t i) const noexcept { return view(items_[i].raw_type); }
  std::string_view type(std::size_t i) const noexcept { return view(items_[i].type); }
  std::string_view payload(std::size_t i) const noexcept { return view(items_[i].payload); }
  /// Empty where the request has none.
  std::string_view traceparent(std::size_t i) const noexcept { return view(items_[i].traceparent); }

  /// Null where the request has none.
  shared_bytes const* attachment(std::size_t i) const noexcept {
    auto const number = items_[i].attachment;
    return number == 0 ? nullptr : &attachments_[number - 1];
  }

  verdict decision(std::size_t i) const noexcept { return items_[i].decision; }
  void decide(std::size_t i, verdict decided) noexcept { items_[i].decision = decided; }

  /// With permission_denied: the permission that is missing; empty if none would do.
  std::string_view missing(std::size_t i) const noexcept { return items_[i].missing; }
  /// `missing` has static storage.
  void lacks(std::size_t i, std::string_view missing) noexcept {
    items_[i].decision = verdict::permission_denied;
    items_[i].missing = missing;
  }
  /// With rate_limited: how long to wait, in milliseconds.
  std::uint32_t retry_after_ms(std::size_t i) const noexcept { return items_[i].retry_after_ms; }
  void limit(std::size_t i, std::uint32_t retry_after_ms) noexcept {
    items_[i].decision = verdict::rate_limited;
    items_[i].retry_after_ms = retry_after_ms;
  }

  /// The paths that it names, canonical and in the order of served_request::paths. Who serves it
  /// takes them from here and not from the payload, so that what was checked is what is used.
  std::string_view path(std::size_t i, std::size_t which) const noexcept {
    return view(items_[i].paths[which]);
  }
  void set_path(std::size_t i, std::size_t which, std::string_view canonical) {
    items_[i].paths[which] = copy(canonical);
  }

  /// Whether the audit log has to hold it before it is served.
  bool is_recorded(std::size_t i) const noexcept { return items_[i].recorded; }
  void set_recorded(std::size_t i) noexcept { items_[i].recorded = true; }

  /// The rules by which it was decided; null until somebody has.
  std::shared_ptr<host_access const> const& access() const noexcept { return access_; }
  void set_access(std::shared_ptr<host_access const> rules) noexcept { access_ = std::move(rules); }

private:
  struct range {
    std::size_t begin;
    std::size_t size;
  };
  struct item {
    range raw_id, id, raw_type, type, payload, traceparent;
    range paths[max_paths];
    std::string_view missing;
    std::uint32_t retry_after_ms;
    std::uint32_t attachment; // its number, from 1; 0 without one
    verdict decision;
    bool recorded;
  };

  range copy(std::string_view bytes);
  std::string_view view(range r) const noexcept {
    return std::string_view{bytes_}.substr(r.begin, r.size);
  }

  std::string host_;
  std::uint64_t generation_;
  std::string bytes_;
  bool sensitive_ = false; // they hold the values of secrets
  std::vector<item> items_;
  std::vector<shared_bytes> attachments_;
  std::shared_ptr<host_access const> access_;
};

using inbound_batch_ptr = caf::intrusive_ptr<inbound_batch>;

} // namespace bulkhead

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bulkhead::inbound_batch_ptr)
