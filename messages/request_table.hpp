#pragma once

#include <bulkhead/messages/deadline.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace bulkhead::wire {

/// The open requests of one connection, each under an id of its own and with a deadline, threaded
/// through a timer wheel so that all of it costs O(1) whatever is open. An id is never given twice,
/// so a late, repeated or invented one matches nothing. Time is passed in; one timer, set to
/// next_wake(), serves the whole table.
///
/// The wheel is the hierarchical one of Varghese and Lauck (1987) with levels of 64 slots: a
/// deadline is filed by the highest digit in which it differs from now, and moves down a level when
/// its slot comes up. So a far deadline costs one early wake a level at most, and the levels cover
/// all the time that the clock can express.
///
/// For one thread. The functions given to expire() and take_all() may call anything of the table,
/// but must not destroy it.
template <class T>
class request_table {
public:
  using time_point = deadline::clock::time_point;

  /// Deadlines are grouped by this much. None fires early, and none later than this past its time:
  /// 0.03 % of the default time-out, at 125 wakes a second at most.
  static constexpr std::chrono::milliseconds tick{8};
  /// The most requests that can be open: the slot's part of an id has 20 bits. The other 44 count
  /// requests: at a million a second they last half a year.
  static constexpr std::size_t max_size = std::size_t{1} << 20;

  /// Files a request; nothing where max_size are open. A deadline that has passed is due at the
  /// next expire().
  std::optional<std::uint64_t> insert(T value, deadline due, time_point now) {
    if (size_ == max_size)
      return std::nullopt;
    follow(now);
    auto const index = free_slot();
    auto& entry = slots_[index];
    entry.value.emplace(std::move(value));
    entry.generation = next_generation();
    ++size_;
    if (due.is_never()) {
      entry.list = unlisted;
    } else {
      entry.due = std::max(first_tick_from(due.when()), elapsed_);
      file(index);
    }
    return id_at(index);
  }

  /// The open request of that id; valid until the table is changed.
  T* find(std::uint64_t id) noexcept {
    auto const index = index_of(id);
    return index != none ? &*slots_[index].value : nullptr;
  }

  /// Ends an open request and hands it out; nothing for an id that is not open.
  std::optional<T> take(std::uint64_t id) {
    auto const index = index_of(id);
    return index != none ? std::optional<T>{remove(index)} : std::nullopt;
  }

  /// Ends every request whose deadline has passed, in the order of their deadlines' ticks:
  /// `f(std::uint64_t id, T&&)`. What `f` inserts waits for the next call, even where it is due.
  template <class F>
  void expire(time_point now, F&& f) {
    advance(tick_of(now));
    while (heads_[due_list] != none) {
      auto const index = heads_[due_list];
      auto const id = id_at(index);
      f(id, remove(index));
    }
  }

  /// Ends every request: `f(std::uint64_t id, T&&)`. The table is empty before the first call, and
  /// what `f` inserts stays.
  template <class F>
  void take_all(F&& f) {
    auto all = std::exchange(slots_, {});
    size_ = 0;
    first_free_ = none;
    heads_.fill(none);
    occupied_.fill(0);
    for (std::uint64_t index = 0; auto& entry : all) {
      if (entry.value)
        f(entry.generation << slot_bits | index, std::move(*entry.value));
      ++index;
    }
  }

  /// Calls visit(id, T const&) for each, in no particular order. It must not change the table.
  template <class F>
  void for_each(F&& visit) const {
    for (std::uint64_t index = 0; auto const& entry : slots_) {
      if (entry.value)
        visit(entry.generation << slot_bits | index, *entry.value);
      ++index;
    }
  }

  /// When expire() should be called next: the time at which the first deadline is due, or for a far
  /// one a time shortly before. Nothing while no request has a deadline.
  std::optional<time_point> next_wake() const noexcept {
    if (heads_[due_list] != none)
      return time_of(elapsed_);
    auto const next = next_slot();
    return next ? std::optional{time_of(next->start)} : std::nullopt;
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// Memory for entries; an empty table holds at most that of `kept_slots`.
  std::size_t held_bytes() const noexcept { return slots_.capacity() * sizeof(slot); }

  /// What an empty table keeps.
  static constexpr std::size_t kept_slots = 64;

private:
  // Ticks since the clock's epoch. Seven levels of 6 bits hold every one: 2^63 ns are fewer than
  // 2^41 ticks of 8 ms.
  using tick_count = std::int64_t;
  static constexpr unsigned slot_bits = 20;
  static constexpr unsigned level_bits = 6;
  static constexpr unsigned level_slots = 1u << level_bits;
  static constexpr unsigned levels = 7;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  // Which list a slot is in: of the wheel, of those that are due, or of none.
  static constexpr std::uint16_t due_list = levels * level_slots;
  static constexpr std::uint16_t unlisted = due_list + 1;

  struct slot {
    std::optional<T> value; // empty: the slot is free
    std::uint64_t generation = 0;
    tick_count due = 0;
    std::uint32_t next = none;     // in its list, or among the free
    std::uint32_t previous = none; // the first one's is the last
    std::uint16_t list = unlisted;
  };
  struct wheel_slot {
    tick_count start;
    unsigned level;
    unsigned list;
  };

  static tick_count tick_of(time_point when) noexcept {
    return std::max<tick_count>(when.time_since_epoch() / tick, 0);
  }
  static tick_count first_tick_from(time_point when) noexcept {
    auto const before = tick_of(when);
    return time_of(before) < when ? std::min(before + 1, tick_of(time_point::max())) : before;
  }
  static time_point time_of(tick_count ticks) noexcept { return time_point{ticks * tick}; }

  // ---- ids and slots ----
  std::uint64_t id_at(std::uint32_t index) const noexcept {
    return slots_[index].generation << slot_bits | index;
  }
  std::uint32_t index_of(std::uint64_t id) const noexcept {
    auto const index = static_cast<std::uint32_t>(id & (max_size - 1));
    auto const open = index < slots_.size() && slots_[index].value && id_at(index) == id;
    return open ? index : none;
  }
  /// One count for the whole table, so that ids stay unique when the slots are given back.
  std::uint64_t next_generation() noexcept {
    constexpr auto greatest = ~std::uint64_t{0} >> slot_bits;
    generation_ = generation_ == greatest ? 1 : generation_ + 1;
    return generation_;
  }
  std::uint32_t free_slot() {
    if (first_free_ == none) {
      slots_.emplace_back();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    return std::exchange(first_free_, slots_[first_free_].next);
  }
  T remove(std::uint32_t index) {
    if (slots_[index].list != unlisted)
      unlink(index);
    auto& entry = slots_[index];
    auto value = std::move(*entry.value);
    entry.value.reset();
    entry.next = std::exchange(first_free_, index);
    if (--size_ == 0 && slots_.size() > kept_slots) {
      slots_ = std::vector<slot>{};
      first_free_ = none;
    }
    return value;
  }

  // ---- lists ----
  void append(std::uint16_t list, std::uint32_t index) noexcept {
    auto& entry = slots_[index];
    auto& head = heads_[list];
    entry.list = list;
    entry.next = none;
    if (head == none) {
      head = entry.previous = index;
    } else {
      entry.previous = std::exchange(slots_[head].previous, index);
      slots_[entry.previous].next = index;
    }
    if (list < due_list)
      occupied_[list / level_slots] |= std::uint64_t{1} << list % level_slots;
  }
  void unlink(std::uint32_t index) noexcept {
    auto const& entry = slots_[index];
    auto& head = heads_[entry.list];
    if (head == index)
      head = entry.next;
    else
      slots_[entry.previous].next = entry.next;
    if (entry.next != none)
      slots_[entry.next].previous = entry.previous;
    else if (head != none)
      slots_[head].previous = entry.previous;
    if (head == none && entry.list < due_list)
      occupied_[entry.list / level_slots] &= ~(std::uint64_t{1} << entry.list % level_slots);
  }

  // ---- the wheel ----
  /// Files by the highest digit in which the entry's tick differs from the present one.
  void file(std::uint32_t index) noexcept {
    auto const due = slots_[index].due;
    auto const difference = static_cast<std::uint64_t>(due ^ elapsed_) | (level_slots - 1);
    auto const level = (static_cast<unsigned>(std::bit_width(difference)) - 1) / level_bits;
    auto const digit = static_cast<unsigned>(due >> level * level_bits) % level_slots;
    append(static_cast<std::uint16_t>(level * level_slots + digit), index);
  }
  /// The slot that comes up first: lower levels are all before higher ones, and within a level none
  /// is behind.
  std::optional<wheel_slot> next_slot() const noexcept {
    for (unsigned level = 0; level < levels; ++level) {
      if (occupied_[level] == 0)
        continue;
      auto const digit = static_cast<unsigned>(std::countr_zero(occupied_[level]));
      auto const shift = level * level_bits;
      auto const turn = elapsed_ >> (shift + level_bits) << (shift + level_bits);
      return wheel_slot{turn | tick_count{digit} << shift, level, level * level_slots + digit};
    }
    return std::nullopt;
  }
  /// Turns the wheel to `target` and lists what is due by then.
  void advance(tick_count target) noexcept {
    for (auto next = next_slot(); next && next->start <= target; next = next_slot()) {
      elapsed_ = next->start;
      while (heads_[next->list] != none) {
        auto const index = heads_[next->list];
        unlink(index);
        if (next->level == 0)
          append(due_list, index);
        else
          file(index);
      }
    }
    elapsed_ = std::max(elapsed_, target);
  }
  /// Keeps up with the time where no slot comes up in between, so that what is inserted is filed
  /// close by.
  void follow(time_point now) noexcept {
    auto const present = tick_of(now);
    if (auto const next = next_slot(); !next || next->start > present)
      elapsed_ = std::max(elapsed_, present);
  }

  std::vector<slot> slots_;
  std::size_t size_ = 0;
  std::uint32_t first_free_ = none;
  std::uint64_t generation_ = 0;
  tick_count elapsed_ = 0; // the wheel has turned to here
  std::array<std::uint32_t, due_list + 1> heads_ = all_empty();
  std::array<std::uint64_t, levels> occupied_{}; // a bit for each slot of a level that is not empty

  static constexpr std::array<std::uint32_t, due_list + 1> all_empty() noexcept {
    std::array<std::uint32_t, due_list + 1> heads{};
    heads.fill(none);
    return heads;
  }
};

} // namespace bulkhead::wire
