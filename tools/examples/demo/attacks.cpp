#include "attacks.hpp"

#include <algorithm>
#include <map>

namespace demo {
namespace {

/// Which layer answers with which code.
struct answer {
  std::string_view code;
  std::string_view layer;
};
using answers = std::span<answer const>;

constexpr answer to_files[] = {
    {"ENOENT", "a root of its own, where it is not"},
    {"EACCES", "Landlock"},
    {"EROFS", "a root of its own, read-only"},
    {"ERR_ACCESS_DENIED", "Node's permission model, before the kernel"},
};
constexpr answer to_process_files[] = {
    {"ENOENT", "a namespace of processes, where it is not"},
    {"EACCES", "Landlock"},
    {"ERR_ACCESS_DENIED", "Node's permission model, before the kernel"},
};
constexpr answer to_signals[] = {
    {"ESRCH", "a namespace of processes, where it is not"},
    {"EPERM", "Landlock or the filter of system calls"},
    {"IGNORED", "a namespace, whose first process can't be killed from inside"},
};
constexpr answer to_calls[] = {
    {"EPERM", "the filter of system calls"},
    {"EACCES", "the filter of system calls"},
    {"ERR_ACCESS_DENIED", "Node's permission model, before the kernel"},
};
constexpr answer to_variables[] = {{"NOT THERE", "an environment of its own"}};
constexpr answer to_strings[] = {{"EvalError", "Node's flags (strict_mode)"}};
constexpr answer to_addons[] = {{"ERR_DLOPEN_DISABLED", "Node's flags (strict_mode)"}};
constexpr answer to_requests[] = {
    {"path_denied", "the backend: no path rule"},
    {"permission_denied", "the backend: no permission"},
};

struct attack {
  std::string_view name; ///< as the extension calls it
  std::string_view what;
  answers stops;
};

constexpr attack attacks[] = {
    {"passwords", "reads /etc/shadow", to_files},
    {"vault", "reads the vault of secrets", to_files},
    {"sources", "reads what it was not given", to_files},
    {"link", "reads the vault through a link", to_files},
    {"foreign file", "changes what it was not given", to_files},
    {"audit log", "changes the audit log", to_files},
    {"own code", "changes its own code", to_files},
    {"interpreter", "changes the interpreter", to_files},
    {"kernel settings", "writes to /proc/sys", to_files},
    {"process list", "lists all processes", to_process_files},
    {"backend memory", "reads /proc of the backend", to_process_files},
    {"kill backend", "kills the backend", to_signals},
    {"kill parent", "kills its parent", to_signals},
    {"become root", "becomes root", to_calls},
    {"program", "runs a program", to_calls},
    {"tcp", "connects by TCP", to_calls},
    {"listen", "listens on TCP", to_calls},
    {"udp", "sends by UDP", to_calls},
    {"unix socket", "connects to D-Bus", to_calls},
    {"environment", "reads the environment", to_variables},
    {"eval", "evaluates a string", to_strings},
    {"addon", "loads native code", to_addons},
    {"ask for vault", "asks the backend for the vault", to_requests},
    {"ask for file", "asks it for a foreign file", to_requests},
    {"ask for secret", "asks it for others' secrets", to_requests},
};

std::string text_of(bulkhead::json const& result, std::string_view member) {
  auto const* const found = result.as_object().if_contains(member);
  return found && found->is_string() ? std::string{found->as_string()} : std::string{};
}

finding judge(attack const& tried, bulkhead::json const* result) {
  if (result == nullptr)
    return {std::string{tried.what}, "was not tried", {}};
  auto const code = text_of(*result, "code");
  if (code.empty())
    return {std::string{tried.what}, "got " + text_of(*result, "got"), {}};
  auto const found = std::ranges::find(tried.stops, code, &answer::code);
  return {std::string{tried.what}, code,
          std::string{found != tried.stops.end() ? found->layer : std::string_view{}}};
}

} // namespace

std::vector<finding> judge(bulkhead::json const& results) {
  std::map<std::string, bulkhead::json const*, std::less<>> by_name;
  for (auto const& each : results.as_array())
    by_name.emplace(text_of(each, "name"), &each);
  std::vector<finding> found;
  for (auto const& each : attacks) {
    auto const result = by_name.extract(std::string{each.name});
    found.push_back(judge(each, result ? result.mapped() : nullptr));
  }
  for (auto const& [name, result] : by_name)
    found.push_back({name, "is known to nobody", {}});
  return found;
}

} // namespace demo
