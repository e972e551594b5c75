#include <bulkhead/platform/linux/namespace_remedy.hpp>

#include <fstream>

namespace bulkhead::platform {
namespace {

std::optional<long> number_in(std::filesystem::path const& file) {
  std::ifstream stream{file};
  long number = 0;
  if (!(stream >> number))
    return {};
  return number;
}

} // namespace

namespace_restrictions namespace_restrictions::read(std::filesystem::path const& root) {
  auto const setting = [&](char const* name) { return number_in(root / "proc/sys" / name); };
  std::error_code ignored;
  return {
      .apparmor = setting("kernel/apparmor_restrict_unprivileged_userns"),
      .unprivileged = setting("kernel/unprivileged_userns_clone"),
      .most = setting("user/max_user_namespaces"),
      .in_container = std::filesystem::exists(root / ".dockerenv", ignored) ||
                      std::filesystem::exists(root / "run/.containerenv", ignored),
  };
}

std::string namespace_remedy(namespace_restrictions const& found) {
  if (found.unprivileged == 0)
    return "sysctl -w kernel.unprivileged_userns_clone=1, and the same line in /etc/sysctl.d/";
  if (found.most == 0)
    return "sysctl -w user.max_user_namespaces=10000, and the same line in /etc/sysctl.d/";
  if (found.in_container)
    return "this is a container: run it with a seccomp and AppArmor profile that lets user "
           "namespaces be made and /proc be mounted (docker run --security-opt "
           "seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
           "systempaths=unconfined), or require the basic tier";
  if (found.apparmor.value_or(0) != 0)
    return "give bubblewrap an AppArmor profile - printf 'abi <abi/4.0>,\\ninclude "
           "<tunables/global>\\nprofile bwrap /usr/bin/bwrap flags=(unconfined) {\\n  userns,\\n}"
           "\\n' > /etc/apparmor.d/bwrap && apparmor_parser -r /etc/apparmor.d/bwrap - or, for "
           "all programs, sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  return "this program may be in a chroot, in a container or behind a filter of system calls: run "
         "it outside of that, or require the basic tier";
}

} // namespace bulkhead::platform
