#include <bulkhead/platform/linux/launch_probes.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/linux/bounded_run.hpp>
#include <bulkhead/platform/linux/elf_dependencies.hpp>
#include <bulkhead/platform/linux/kernel_probes.hpp>
#include <bulkhead/platform/linux/namespace_remedy.hpp>
#include <bulkhead/platform/linux/probe_verdict.hpp>
#include <bulkhead/platform/linux/sandbox.hpp>
#include <bulkhead/platform/linux/sandbox_root.hpp>
#include <bulkhead/platform/linux/sealed_memory.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>
#include <bulkhead/platform/ownership.hpp>

#include <cerrno>
#include <fcntl.h>
#include <span>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

constexpr auto install_bubblewrap =
    "install bubblewrap 0.8 or later: apt install bubblewrap (or dnf, zypper, pacman -S)";

/// Every option of a launch, those that only some hosts need as well.
std::string every_option() {
  sandbox_spec spec;
  spec.program_path = "/program";
  spec.libraries = {"/library"};
  spec.bound = {{.outside = "/read", .inside = "/read"},
                {.outside = "/written", .inside = "/written", .writable = true}};
  auto const mounts = mounts_of(spec);
  return bubblewrap_options(spec, mounts, false) + bubblewrap_options(spec, mounts, true);
}

/// What bubblewrap says of its options: it reads them in their order, and refuses one that it does
/// not know before it comes to --help.
result<bounded_run> read_options(std::filesystem::path const& bubblewrap) {
  constexpr auto options_descriptor = 3;
  auto const words = every_option();
  auto const options = seal_in_memory("options", std::as_bytes(std::span{words}));
  if (!options)
    return options.error();
  return run_bounded({.program = bubblewrap,
                      .arguments = {"--args", std::to_string(options_descriptor), "--help"},
                      .environment = {},
                      .working_directory = {},
                      .inherited = {{options_descriptor, options->get()}}});
}

std::string first_line(std::string const& text) {
  return text.substr(0, text.find('\n'));
}

/// A small program that every machine has, opened as a host's is.
struct shell_program {
  std::filesystem::path path;
  unique_fd descriptor;
  elf_dependencies needed;
};

result<shell_program> open_shell() {
  std::error_code failed;
  auto const path = std::filesystem::canonical("/bin/sh", failed);
  if (failed)
    return error{errc::spawn_failed, "/bin/sh: " + failed.message()};
  auto opened = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!opened)
    return error{errc::spawn_failed, path.string() + ": " + errno_text(errno)};
  auto needed = dependencies_of(opened.get());
  if (!needed)
    return needed.error();
  return shell_program{path, std::move(opened), *std::move(needed)};
}

sandbox_spec shell_spec(shell_program const& shell, int filter, sandbox_tier tier) {
  sandbox_spec spec;
  spec.tier = tier;
  spec.program = shell.descriptor.get();
  spec.program_path = shell.path;
  spec.arguments = {"-c", ":"};
  for (auto const& each : shell.needed.files)
    spec.libraries.emplace_back(each.path);
  if (::access(loader_cache::usual_path, R_OK) == 0)
    spec.libraries.emplace_back(loader_cache::usual_path);
  spec.loader = shell.needed.loader;
  spec.filter = filter;
  return spec;
}

/// Nothing where the program ran, and ended well.
result<void> launch(sandbox_spec const& spec) {
  auto started = start_sandboxed(spec);
  if (!started)
    return started.error();
  auto const ended = wait_bounded(std::move(started->process));
  if (!ended)
    return ended.error();
  if (auto const& failure = started->launch->failure)
    return to_error(*failure);
  if (*ended != exit_status{.kind = exit_kind::exited})
    return error{errc::sandbox_step_failed, "the program ended with " + to_string(*ended)};
  return {};
}

result<void> launch_shell(sandbox_tier tier, std::filesystem::path const& bubblewrap,
                          uid_t host_user) {
  auto const shell = open_shell();
  if (!shell)
    return shell.error();
  constexpr auto first_with_scopes = 6;
  auto const filter =
      make_seccomp_filter({.profile = seccomp_profile::command,
                           .basic_tier = tier == sandbox_tier::basic,
                           .signals_scoped = landlock_version() >= first_with_scopes});
  if (!filter)
    return filter.error();
  auto spec = shell_spec(*shell, filter->get(), tier);
  spec.bubblewrap = bubblewrap;
  if (::geteuid() == 0)
    spec.run_as = identity{host_user, host_user};
  return launch(spec);
}

} // namespace

mechanism probe_bubblewrap(std::filesystem::path const& bubblewrap) {
  mechanism const what{.name = "bubblewrap", .needed_for = purpose::strong_tier};
  unique_fd const opened{::open(bubblewrap.c_str(), O_PATH | O_CLOEXEC)};
  if (!opened)
    return not_held(what, bubblewrap.string() + ": " + errno_text(errno), install_bubblewrap);
  if (auto const safe = require_safe_path(opened.get()); !safe)
    return not_held(what, safe.error().detail(), safe.error().remedy());
  auto const ran = read_options(bubblewrap);
  if (!ran)
    return not_held(what, ran.error().detail(), install_bubblewrap);
  if (ran->status != exit_status{.kind = exit_kind::exited})
    return not_held(what,
                    bubblewrap.string() + " lacks an option: " +
                        (ran->errors.empty() ? to_string(ran->status) : first_line(ran->errors)),
                    install_bubblewrap);
  return held(what, bubblewrap.string() + " knows every option that a launch gives");
}

mechanism launch_of(sandbox_tier tier) {
  if (tier == sandbox_tier::strong)
    return {.name = "strong launch", .needed_for = purpose::strong_tier};
  return {.name = "basic launch", .needed_for = purpose::basic_tier};
}

mechanism probe_launch(sandbox_tier tier, std::filesystem::path const& bubblewrap,
                       uid_t host_user) {
  auto const what = launch_of(tier);
  auto const launched = launch_shell(tier, bubblewrap, host_user);
  if (launched)
    return held(what, "a program was launched with every layer, and ran");
  return not_held(what, launched.error().detail(), launched.error().remedy());
}

} // namespace bulkhead::platform
