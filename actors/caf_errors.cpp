#include <bulkhead/actors/caf_errors.hpp>

#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>
#include <cstdint>
#include <string>
#include <utility>

namespace bulkhead {
namespace {

// CAF's codes have eight bits and no zero. errc numbers are 4000 + 100 * block + n: seven blocks of
// up to 35 codes fit.
constexpr int first_number = 4000;
constexpr int block_size = 100;
constexpr int codes_in_block = 36;

std::uint8_t to_caf_code(errc code) {
  auto const number = static_cast<int>(code) - first_number;
  return static_cast<std::uint8_t>(number / block_size * codes_in_block + number % block_size);
}

errc from_caf_code(std::uint8_t code) {
  return static_cast<errc>(first_number + code / codes_in_block * block_size +
                           code % codes_in_block);
}

/// The order of the fields in the error's context.
caf::message to_context(error const& failed) {
  return caf::make_message(failed.detail(), failed.remedy(), failed.host(), failed.message_type(),
                           static_cast<std::uint16_t>(failed.host_reason()), failed.remote_code());
}

error from_context(errc code, caf::message const& context) {
  if (!context.match_elements<std::string, std::string, std::string, std::string, std::uint16_t,
                              std::string>())
    return error{code};
  return error{code, context.get_as<std::string>(0), context.get_as<std::string>(1)}
      .with_host(context.get_as<std::string>(2))
      .with_message_type(context.get_as<std::string>(3))
      .with_host_reason(static_cast<reason>(context.get_as<std::uint16_t>(4)))
      .with_remote_code(context.get_as<std::string>(5));
}

std::optional<errc> from_caf(caf::error const& failed) {
  if (failed == caf::sec::request_timeout)
    return errc::request_timeout;
  if (failed == caf::sec::request_receiver_down || failed == caf::exit_reason::user_shutdown)
    return errc::runtime_stopped;
  return std::nullopt;
}

} // namespace

caf::error make_error(errc code) {
  return {to_caf_code(code), error_atom};
}

caf::error make_error(error const& failed) {
  return {to_caf_code(failed.code()), error_atom, to_context(failed)};
}

std::optional<errc> errc_of(caf::error const& failed) {
  if (failed && failed.category() == error_atom)
    return from_caf_code(failed.code());
  return from_caf(failed);
}

error to_error(caf::error const& failed) {
  if (failed && failed.category() == error_atom)
    return from_context(from_caf_code(failed.code()), failed.context());
  if (auto const known = from_caf(failed))
    return error{*known};
  return error{errc::handler_failed, to_string(failed)};
}

void add_error_category(caf::actor_system_config& config) {
  config.add_error_category(error_atom,
                            [](std::uint8_t code, caf::atom_value, caf::message const& context) {
                              return std::string{from_context(from_caf_code(code), context).what()};
                            });
}

} // namespace bulkhead
