#pragma once

#include <bulkhead/messages/error.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

/// Sizes and times as a policy writes them: a whole number and its unit, without a space.
namespace bulkhead::units {

/// "250ms", "30s", "5min", "1h". Fails with policy_missing_unit (and the text with `usual_unit` as
/// the suggestion), policy_wrong_type where it is no time at all, policy_out_of_range where it does
/// not fit.
result<std::chrono::milliseconds> parse_time(std::string_view text, std::string_view usual_unit);

/// Bytes from "512B", "64KiB", "512MiB", "2GiB" (powers of 1024) and "64KB", "512MB", "2GB" (powers
/// of 1000); fails like parse_time.
result<std::size_t> parse_size(std::string_view text, std::string_view usual_unit);

/// In the largest unit that shows it exactly: 300000 ms is "5min", 0 is "0s".
std::string time_text(std::chrono::milliseconds time);

/// The same in powers of 1024: 52428800 is "50MiB", 1000 is "1000B".
std::string size_text(std::size_t bytes);

/// The shortest text that is read as that number, and as no whole one: "2.0", "0.1", "nan".
std::string number_text(double number);

/// The unit of a text that time_text or size_text made: "min".
std::string_view unit_of(std::string_view text) noexcept;

/// Regular expressions for the units alone, for a JSON schema.
inline constexpr std::string_view time_units = "ms|s|min|h";
inline constexpr std::string_view size_units = "B|KiB|MiB|GiB|KB|MB|GB";

} // namespace bulkhead::units
