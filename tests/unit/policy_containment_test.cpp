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
