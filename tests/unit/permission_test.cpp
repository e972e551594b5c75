#include <bulkhead/config/permission.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <set>

using namespace bulkhead;

TEST_CASE("every permission has its own name, and the name leads back to it") {
  std::set<std::string_view> names;
  for (permission const p : all_permissions()) {
    CHECK(permission_from_string(to_string(p)) == p);
    names.insert(to_string(p));
  }
  CHECK(names.size() == permission_count);
}

TEST_CASE("permissions are named as on the wire") {
  CHECK(to_string(permission::file_system_read) == "fileSystem.read");
  CHECK(to_string(permission::network_web_socket) == "network.webSocket");
  CHECK(to_string(permission::authentication_create_session) == "authentication.createSession");
  CHECK(to_string(permission::project_metadata) == "project.metadata");
}

TEST_CASE("a name that no permission has is none") {
  for (char const* name : {"", "fileSystem", "fileSystem.Read", "fileSystem.read ", "*"})
    CHECK_FALSE(permission_from_string(name));
}

TEST_CASE("a permission set is empty until filled, and holds in an intersection what both have") {
  permission_set asked;
  CHECK(asked.empty());
  asked.insert(permission::secrets_read);
  asked.insert(permission::file_system_read);
  permission_set granted;
  granted.insert(permission::file_system_read);
  granted.insert(permission::env_read);

  CHECK(to_string(asked) == "fileSystem.read, secrets.read");
  CHECK(to_string(asked & granted) == "fileSystem.read");
  CHECK(to_string(asked - granted) == "secrets.read");
  CHECK(to_string(permission_set{}).empty());
}

TEST_CASE("an unknown permission is told the nearest name") {
  CHECK(unknown_permission_sentence("fileSystem.raed") ==
        "unknown permission \"fileSystem.raed\" - did you mean \"fileSystem.read\"?");
  CHECK(unknown_permission_sentence("everything") ==
        "unknown permission \"everything\" - \"bulkhead policy reference\" lists them all");
}
