#pragma once

#include <bulkhead/runtime.hpp>

#include <boost/asio/use_future.hpp>
#include <boost/json/value_to.hpp>
#include <chrono>
#include <cstddef>
#include <string>

/// A small backend: what it does with documents it leaves to plugins, and goes on without them.
class document_service {
public:
  explicit document_service(bulkhead::runtime& plugins)
      : plugins_{plugins} {}

  /// The text as the formatter lays it out; as it is where the formatter can't be asked. One that
  /// ends meanwhile is asked once more: formatting twice does no harm.
  std::string format(std::string const& text) {
    for (auto attempts = 2; attempts > 0; --attempts) {
      try {
        auto answer = plugins_.host("formatter")
                          .async_command("format", {text}, patience, boost::asio::use_future);
        return boost::json::value_to<std::string>(answer.get());
      } catch (bulkhead::error const& failed) {
        if (failed.code() != bulkhead::errc::connection_lost)
          break;
      }
    }
    return text;
  }

  /// How many words of the text the speller does not know. Throws bulkhead::error.
  std::size_t misspelt(std::string const& text) {
    auto answer =
        plugins_.host("speller").async_command("check", {text}, patience, boost::asio::use_future);
    return answer.get().as_array().size();
  }

private:
  static constexpr std::chrono::seconds patience{10};

  bulkhead::runtime& plugins_;
};
