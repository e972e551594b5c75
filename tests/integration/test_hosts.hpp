#pragma once

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/testing.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

// What a failed check shows of our own types.
namespace Catch {
template <>
struct StringMaker<bulkhead::errc> {
  static std::string convert(bulkhead::errc code) { return std::string{to_string(code)}; }
};
template <>
struct StringMaker<bulkhead::reason> {
  static std::string convert(bulkhead::reason why) { return std::string{to_string(why)}; }
};
template <>
struct StringMaker<bulkhead::host_state> {
  static std::string convert(bulkhead::host_state state) { return std::string{to_string(state)}; }
};
template <class T>
struct StringMaker<boost::system::result<T, bulkhead::error>> {
  static std::string convert(bulkhead::result<T> const& ended) {
    if (!ended)
      return ended.error().what();
    if constexpr (std::is_void_v<T>)
      return "done";
    else
      return StringMaker<T>::convert(*ended);
  }
};
} // namespace Catch

/// The hosts that the integration tests run.
namespace test_hosts {

inline std::filesystem::path const folder{BULKHEAD_TEST_SOURCE_DIR "/tests/integration"};

/// The system's own: a version manager's python3 is a script that needs the environment which a
/// host does not get.
inline std::string python() {
  if (!std::filesystem::exists("/usr/bin/python3"))
    FAIL("this test needs /usr/bin/python3: run  tools/bootstrap --for-tests");
  return "/usr/bin/python3";
}

/// A host that does these steps of raw_host.py, one after the other.
inline bulkhead::host_policy raw_host(std::vector<std::string> steps, std::string id = "raw") {
  std::vector<std::string> command{python(), "-I", (folder / "hosts/raw_host.py").string()};
  command.insert(command.end(), steps.begin(), steps.end());
  return bulkhead::testing::command_host(std::move(id), std::move(command));
}

/// One that serves and does nothing wrong.
inline bulkhead::host_policy serving_host(std::string id = "raw") {
  return raw_host({"ready", "serve"}, std::move(id));
}

/// The Node extension that does what it is told.
inline bulkhead::host_policy echo_extension(std::string id = "echo") {
  return bulkhead::testing::node_host(std::move(id), folder / "extensions/echo");
}

inline auto start(bulkhead::host_handle host) {
  return bulkhead::testing::outcome(host.async_start(boost::asio::use_future));
}
inline auto stop(bulkhead::host_handle host) {
  return bulkhead::testing::outcome(host.async_stop(boost::asio::use_future));
}

inline bulkhead::policy only(bulkhead::host_policy host) {
  return bulkhead::testing::policy_of({std::move(host)});
}

} // namespace test_hosts
