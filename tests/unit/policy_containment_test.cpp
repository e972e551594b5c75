#include "policy_texts.hpp"

using namespace bulkhead;
using namespace policy_texts;

TEST_CASE("a host that says nothing of it is contained as well as can be") {
  auto const host = parse_policy("[hosts.x]\nextension = \"x\"", "/etc").hosts.at(0);
  CHECK(host.sandbox.require == sandbox_tier::strong);
  CHECK(!host.sandbox.network);
  CHECK(!host.sandbox.file_write);
  CHECK(host.sandbox.strict_mode);
  CHECK(host.sandbox.landlock);
  CHECK(report("[hosts.x]\nextension = \"x\"\nsandbox.require = 3") ==
        "policy.toml:3:19: hosts.x.sandbox.require is a whole number - it takes \"none\", "
        "\"basic\" or "
        "\"strong\"");
}

TEST_CASE("limits that Node can't start with are refused with what it needs") {
  auto const least = [](std::string_view limit, std::string_view need) {
    return "policy.toml:3:" + std::to_string(limit.find('=') + 3) + ": hosts.x." +
           std::string{limit.substr(0, limit.find(' '))} + " is too small for Node, which needs " +
           std::string{need};
  };
  for (auto const& [limit, need] :
       {std::pair{"limits.memory = \"63MiB\"", "\"64MiB\""},
        std::pair{"limits.processes = 10", "11"}, std::pair{"limits.open_files = 19", "20"}}) {
    CHECK(host_report(limit) == least(limit, need));
    CHECK(host_parsed("runtime = \"command\"\ncommand = [\"x\"]\n" + std::string{limit})
              .hosts.size() == 1);
  }
  CHECK(host_report("limits.cpu_time = \"1500ms\"") ==
        "policy.toml:3:1: hosts.x.limits.cpu_time is \"1500ms\" - it takes whole seconds");
}

TEST_CASE("what containment can't do is refused in the policy") {
  CHECK(first_code("[hosts.x]\nextension = \"x\"\n[hosts.x.sandbox]\nrequire = \"basic\"\n"
                   "landlock = false") == errc::policy_conflict);
  CHECK(first_code("[hosts.x]\nextension = \"x\"\ntransport = \"sockets\"") ==
        errc::policy_conflict);
  auto const plain = [](std::string const& limit) {
    return "[hosts.x]\nextension = \"x\"\nsandbox.require = \"none\"\n" + limit;
  };
  CHECK(first_code(plain("limits.cpu_percent = 20")) == errc::policy_conflict);
  CHECK(parse_policy(plain("limits.cpu_percent = 0"), "/etc").hosts.size() == 1);
  CHECK(parse_policy(plain({}), "/etc").hosts.size() == 1);
}

TEST_CASE("a digest is 64 digits, and a filter is a file or the default") {
  std::string const digest(64, 'a');
  auto const with = [](std::string const& line) {
    return parse_policy("[hosts.x]\nextension = \"x\"\n" + line, "/etc").hosts.at(0);
  };
  auto const host =
      with("integrity.interpreter_sha256 = [\"" + digest + "\"]\nintegrity.extension_sha256 = \"" +
           digest + "\"\nsandbox.seccomp = \"f.bpf\"");
  CHECK(host.integrity.interpreter_sha256 == std::vector{digest});
  CHECK(host.integrity.extension_sha256 == digest);
  CHECK(host.sandbox.seccomp.filename() == "f.bpf");
  CHECK(host.sandbox.seccomp.is_absolute());
  for (auto const* wrong : {"\"abc\"", "[\"abc\"]", "[\"\"]"})
    CHECK(first_code("[hosts.x]\nextension = \"x\"\nintegrity.interpreter_sha256 = " +
                     std::string{wrong}) != errc{});
  CHECK(with("sandbox.seccomp = \"default\"").sandbox.seccomp.empty());
}

TEST_CASE("processes are kept ready for those hosts only that can have them, within the limit") {
  auto const host = host_parsed("start.warm = 2").hosts.front();
  CHECK(host.start.warm == 2);
  CHECK(host_parsed("").hosts.front().start.warm == 0);
  CHECK(host_report("start.warm = 65") ==
        "policy.toml:3:14: hosts.x.start.warm is 65 - its range is 0 to 64");
  CHECK(host_report("start.warm = 9") ==
        "policy.toml:3:14: hosts.x.start.warm is 9, more than runtime.warm_limit, which is 8 - "
        "raise that");
  CHECK(parsed("runtime.warm_limit = 9\n" + host_with("start.warm = 9")).warm_limit == 9);
  CHECK(host_report("transport = \"sockets\"\nstart.warm = 1") ==
        "policy.toml:4:14: hosts.x.start.warm is 1, and the host is connected by sockets with "
        "paths, which a process has for itself - write  start.warm = 0");
  CHECK(first_code("[hosts.x]\nruntime = \"command\"\ncommand = [\"c\"]\nstart.warm = 1") ==
        errc::policy_conflict);
  CHECK(first_code("[hosts.x]\nextension = \"x\"\nstart.warm = 1\nsandbox.file_write = true") ==
        errc::policy_conflict);
  // Also where it stands in [defaults], until the host says otherwise.
  std::string const all = "[defaults]\nstart.warm = 1\n[hosts.x]\nruntime = \"command\"\n"
                          "command = [\"c\"]\n";
  CHECK(first_code(all) == errc::policy_conflict);
  CHECK(parsed(all + "start.warm = 0").hosts.front().start.warm == 0);
}

TEST_CASE("scripts are compiled ahead for those hosts only that Node runs") {
  CHECK(host_parsed("start.code_cache = true").hosts.front().start.code_cache);
  CHECK(!host_parsed("").hosts.front().start.code_cache);
  std::string const command = "[hosts.x]\nruntime = \"command\"\ncommand = [\"c\"]\n";
  CHECK(first_code(command + "start.code_cache = true") == errc::policy_conflict);
  CHECK(first_code(command + "start.code_cache = false") == errc{});
  host_policy embedded;
  CHECK(!why_never_compiled(embedded));
  embedded.environment["NODE_OPTIONS"] = "--enable-source-maps";
  CHECK(why_never_compiled(embedded));
}
