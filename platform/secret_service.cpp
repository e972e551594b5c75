#include <bulkhead/platform/secret_service.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <libsecret/secret.h>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

namespace bulkhead::platform {
namespace {

using clock = std::chrono::steady_clock;

constexpr auto bus_name = "org.freedesktop.secrets";
constexpr auto service_path = "/org/freedesktop/secrets";
constexpr auto service_interface = "org.freedesktop.Secret.Service";
constexpr auto default_keyring = "default";

SecretSchema const schema = {"org.bulkhead.Secret",
                             SECRET_SCHEMA_NONE,
                             {{"runtime", SECRET_SCHEMA_ATTRIBUTE_STRING},
                              {"host", SECRET_SCHEMA_ATTRIBUTE_STRING},
                              {"key", SECRET_SCHEMA_ATTRIBUTE_STRING},
                              {nullptr, SECRET_SCHEMA_ATTRIBUTE_STRING}},
                             0,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr};

// ---- ownership of what GLib hands out -------------------------------------------------------

template <auto Release>
struct released_by {
  void operator()(auto* object) const noexcept { Release(object); }
};

template <class T>
using owned = std::unique_ptr<T, released_by<&::g_object_unref>>;
using attributes = std::unique_ptr<GHashTable, released_by<&::g_hash_table_unref>>;
using variant = std::unique_ptr<GVariant, released_by<&::g_variant_unref>>;
using held_value =
    std::unique_ptr<SecretValue,
                    released_by<[](SecretValue* value) noexcept { ::secret_value_unref(value); }>>;

void release_items(GList* list) noexcept {
  ::g_list_free_full(list, &::g_object_unref);
}
using item_list = std::unique_ptr<GList, released_by<&release_items>>;

std::vector<SecretItem*> items_of(item_list const& list) {
  std::vector<SecretItem*> items;
  for (auto const* node = list.get(); node != nullptr; node = node->next)
    items.push_back(static_cast<SecretItem*>(node->data));
  return items;
}

/// Receives the error of a call; its text is never passed on, as it is the service's.
class outcome {
public:
  outcome() noexcept = default;
  outcome(outcome&&) = delete;
  ~outcome() { ::g_clear_error(&error_); }

  GError** out() noexcept {
    ::g_clear_error(&error_);
    return &error_;
  }
  explicit operator bool() const noexcept { return error_ == nullptr; }
  bool is(GQuark domain, int code) const noexcept {
    return ::g_error_matches(error_, domain, code);
  }

private:
  GError* error_ = nullptr;
};

// ---- what goes wrong ------------------------------------------------------------------------

error unavailable(std::string why, std::string remedy) {
  return error{errc::secrets_unavailable, std::move(why), std::move(remedy)};
}

error locked() {
  return unavailable("the keyring is locked",
                     "unlock it: log in to the desktop, or  gnome-keyring-daemon --unlock");
}

error failure_of(outcome const& failed) {
  if (failed.is(G_IO_ERROR, G_IO_ERROR_CANCELLED) || failed.is(G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ||
      failed.is(G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY))
    return unavailable("the secret service did not answer in time", "restart the secret service");
  if (failed.is(SECRET_ERROR, SECRET_ERROR_IS_LOCKED))
    return locked();
  return unavailable("no secret service answers on the session's bus",
                     "start one, such as gnome-keyring, or use  secrets.backend = \"vault\"");
}

bool is_gone(outcome const& failed) noexcept {
  return failed.is(SECRET_ERROR, SECRET_ERROR_NO_SUCH_OBJECT) ||
         failed.is(G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT);
}

// ---- a service that asks nobody ------------------------------------------------------------

GVariant* refuse_prompt(SecretService*, SecretPrompt*, GCancellable*, GVariantType const*,
                        GError** failed) {
  ::g_set_error_literal(failed, SECRET_ERROR, SECRET_ERROR_IS_LOCKED, "a prompt would be needed");
  return nullptr;
}

/// Some versions of libsecret (0.20.5 is one) name the service while it is constructed, and make it
/// one of the program's own session bus; GDBusProxy loses the memory of a name that is set twice.
GObject* construct_for_connection(GType type, guint count, GObjectConstructParam* properties) {
  auto* const parent = static_cast<GObjectClass*>(::g_type_class_peek(SECRET_TYPE_SERVICE));
  auto* const made = parent->constructor(type, count, properties);
  ::g_object_set(made, "g-bus-type", G_BUS_TYPE_NONE, nullptr);
  if (::g_dbus_proxy_get_name(reinterpret_cast<GDBusProxy*>(made)) == nullptr)
    ::g_object_set(made, "g-name", bus_name, "g-object-path", service_path, "g-interface-name",
                   service_interface, nullptr);
  return made;
}

void define_promptless_service(void* type, void*) {
  static_cast<SecretServiceClass*>(type)->prompt_sync = &refuse_prompt;
  static_cast<GObjectClass*>(type)->constructor = &construct_for_connection;
}

/// libsecret asks its service class to show a prompt, wherever the need for one arises.
GType promptless_service() {
  static auto const type = ::g_type_register_static_simple(
      SECRET_TYPE_SERVICE, "BulkheadPromptlessSecretService", sizeof(SecretServiceClass),
      &define_promptless_service, sizeof(SecretService), nullptr, GTypeFlags{});
  return type;
}

// ---- one operation --------------------------------------------------------------------------

/// Cancels what is under way once patience ran out. A thread of its own, since libsecret has
/// time-outs for some of its calls only.
class time_limit {
public:
  explicit time_limit(std::chrono::milliseconds patience)
      : patience_{patience}
      , end_{clock::now() + patience}
      , watch_{[this](std::stop_token const& over) { wait(over); }} {}

  GCancellable* cancellable() const noexcept { return cancellable_.get(); }
  /// A step was taken: the next one may take as long.
  void begin_anew() {
    std::lock_guard const guard{guard_};
    end_ = clock::now() + patience_;
  }

private:
  void wait(std::stop_token const& over) {
    std::unique_lock guard{guard_};
    while (!over.stop_requested() && clock::now() < end_) {
      auto const end = end_;
      woken_.wait_until(guard, over, end, [] { return false; });
    }
    if (!over.stop_requested())
      ::g_cancellable_cancel(cancellable_.get());
  }

  owned<GCancellable> const cancellable_{::g_cancellable_new()};
  std::chrono::milliseconds const patience_;
  std::mutex guard_;
  std::condition_variable_any woken_;
  clock::time_point end_;
  std::jthread watch_;
};

/// What GLib wants to tell this thread goes here for as long as it lives, rather than to the
/// program's own main context, where nobody may ever look.
class private_context {
public:
  private_context() noexcept { ::g_main_context_push_thread_default(context_); }
  private_context(private_context&&) = delete;
  ~private_context() {
    while (::g_main_context_iteration(context_, FALSE)) {
    }
    ::g_main_context_pop_thread_default(context_);
    ::g_main_context_unref(context_);
  }

private:
  GMainContext* const context_ = ::g_main_context_new();
};

attributes attributes_of(secret_scope const& scope) {
  return attributes{::secret_attributes_build(&schema, "runtime", scope.runtime.c_str(), "host",
                                              scope.host.c_str(), nullptr)};
}

attributes attributes_of(secret_name const& name) {
  return attributes{::secret_attributes_build(&schema, "runtime", name.scope.runtime.c_str(),
                                              "host", name.scope.host.c_str(), "key",
                                              name.key.c_str(), nullptr)};
}

/// The default keyring, unlocked when it was opened, for one operation of one thread.
class keyring {
public:
  explicit keyring(std::chrono::milliseconds patience)
      : limit_{patience} {}

  result<void> open(std::string const& bus_address);

  /// At most one where `which` has a key; the secrets themselves are not loaded.
  result<item_list> search(attributes const& which);
  /// How many a search would find; one call, whatever their number.
  result<std::size_t> count(attributes const& which);
  result<std::optional<secret_bytes>> value_of(SecretItem* item);
  result<void> store(secret_name const& name, std::string_view value);
  /// False where it was gone already.
  result<bool> erase(SecretItem* item);

private:
  GCancellable* cancellable() const noexcept { return limit_.cancellable(); }

  private_context const context_;
  time_limit limit_;
  outcome outcome_;
  owned<GDBusConnection> bus_;
  owned<SecretService> service_;
  owned<SecretCollection> collection_;
};

result<void> keyring::open(std::string const& bus_address) {
  if (bus_address.empty())
    return unavailable("this process has no session bus",
                       "run in a session that has one, or use  secrets.backend = \"vault\"");
  // Not g_bus_get(), whose connection is the whole program's and ends it when the bus goes away.
  bus_.reset(::g_dbus_connection_new_for_address_sync(
      bus_address.c_str(),
      GDBusConnectionFlags(G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                           G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION),
      nullptr, cancellable(), outcome_.out()));
  if (!bus_)
    return failure_of(outcome_);
  service_.reset(static_cast<SecretService*>(
      ::g_initable_new(promptless_service(), cancellable(), outcome_.out(), "g-connection",
                       bus_.get(), "flags", SECRET_SERVICE_NONE, nullptr)));
  if (!service_)
    return failure_of(outcome_);
  collection_.reset(::secret_collection_for_alias_sync(
      service_.get(), default_keyring, SECRET_COLLECTION_NONE, cancellable(), outcome_.out()));
  if (!outcome_)
    return failure_of(outcome_);
  if (!collection_)
    return unavailable("the secret service has no default keyring",
                       "log in to the desktop once, or make one with  gnome-keyring-daemon "
                       "--unlock");
  if (::secret_collection_get_locked(collection_.get()))
    return locked();
  return {};
}

result<item_list> keyring::search(attributes const& which) {
  auto found = item_list{::secret_collection_search_sync(
      collection_.get(), &schema, which.get(), SECRET_SEARCH_ALL, cancellable(), outcome_.out())};
  if (!outcome_)
    return failure_of(outcome_);
  return found;
}

result<std::size_t> keyring::count(attributes const& which) {
  GVariantBuilder wanted;
  ::g_variant_builder_init(&wanted, G_VARIANT_TYPE("a{ss}"));
  ::g_variant_builder_add(&wanted, "{ss}", "xdg:schema", schema.name);
  GHashTableIter each;
  ::g_hash_table_iter_init(&each, which.get());
  void* name = nullptr;
  void* value = nullptr;
  while (::g_hash_table_iter_next(&each, &name, &value))
    ::g_variant_builder_add(&wanted, "{ss}", name, value);
  constexpr auto own_time_limit = -1; // the cancellable's
  variant const found{::g_dbus_proxy_call_sync(reinterpret_cast<GDBusProxy*>(collection_.get()),
                                               "SearchItems", ::g_variant_new("(a{ss})", &wanted),
                                               G_DBUS_CALL_FLAGS_NONE, own_time_limit,
                                               cancellable(), outcome_.out())};
  if (!found)
    return failure_of(outcome_);
  if (!::g_variant_is_of_type(found.get(), G_VARIANT_TYPE("(ao)")))
    return unavailable("the secret service answers in a way of its own", "update it");
  variant const paths{::g_variant_get_child_value(found.get(), 0)};
  return ::g_variant_n_children(paths.get());
}

result<std::optional<secret_bytes>> keyring::value_of(SecretItem* item) {
  if (::secret_item_get_locked(item))
    return locked();
  if (!::secret_item_load_secret_sync(item, cancellable(), outcome_.out())) {
    if (is_gone(outcome_))
      return std::nullopt;
    return failure_of(outcome_);
  }
  held_value const value{::secret_item_get_secret(item)};
  if (!value)
    return locked();
  gsize size = 0;
  auto const* const bytes = ::secret_value_get(value.get(), &size);
  return secret_bytes{std::string_view{bytes, size}};
}

result<void> keyring::store(secret_name const& name, std::string_view value) {
  auto const label = "Bulkhead: " + name.scope.host + ", " + name.key;
  auto const which = attributes_of(name);
  held_value const held{::secret_value_new(value.empty() ? "" : value.data(),
                                           static_cast<gssize>(value.size()),
                                           "application/octet-stream")};
  owned<SecretItem> const stored{
      ::secret_item_create_sync(collection_.get(), &schema, which.get(), label.c_str(), held.get(),
                                SECRET_ITEM_CREATE_REPLACE, cancellable(), outcome_.out())};
  if (!stored)
    return failure_of(outcome_);
  return {};
}

result<bool> keyring::erase(SecretItem* item) {
  limit_.begin_anew();
  if (::secret_item_delete_sync(item, cancellable(), outcome_.out()))
    return true;
  if (is_gone(outcome_))
    return false;
  return failure_of(outcome_);
}

std::string key_of(SecretItem* item) {
  attributes const all{::secret_item_get_attributes(item)};
  auto const* const key = static_cast<char const*>(::g_hash_table_lookup(all.get(), "key"));
  return key != nullptr ? key : std::string{};
}

result<std::size_t> erase_all(keyring& from, attributes const& which) {
  auto const found = from.search(which);
  if (!found)
    return found.error();
  std::size_t count = 0;
  for (auto* const item : items_of(*found)) {
    auto const erased = from.erase(item);
    if (!erased)
      return erased.error();
    if (*erased)
      ++count;
  }
  return count;
}

} // namespace

std::string session_bus_address() {
  if (auto const* const address = std::getenv("DBUS_SESSION_BUS_ADDRESS"))
    return address;
  auto const* const folder = std::getenv("XDG_RUNTIME_DIR");
  if (folder == nullptr || *folder != '/')
    return {};
  std::unique_ptr<char, released_by<&::g_free>> const escaped{
      ::g_dbus_address_escape_value(folder)};
  return std::string{"unix:path="} + escaped.get() + "/bus";
}

secret_service::secret_service(std::string bus_address, secret_service_options options)
    : bus_address_{std::move(bus_address)}
    , options_{options} {}

result<void> secret_service::probe() {
  keyring opened{options_.patience};
  if (auto const usable = opened.open(bus_address_); !usable)
    return error{errc::keyring_unusable, usable.error().detail(), usable.error().remedy()};
  return {};
}

result<std::optional<secret_bytes>> secret_service::get(secret_name const& name) {
  if (auto const checked = check(name); !checked)
    return checked.error();
  keyring opened{options_.patience};
  if (auto const usable = opened.open(bus_address_); !usable)
    return usable.error();
  auto const found = opened.search(attributes_of(name));
  if (!found)
    return found.error();
  if (!*found)
    return std::nullopt;
  return opened.value_of(items_of(*found).front());
}

result<void> secret_service::set(secret_name const& name, std::string_view value) {
  if (auto const checked = check(name, value); !checked)
    return checked;
  keyring opened{options_.patience};
  if (auto const usable = opened.open(bus_address_); !usable)
    return usable;
  auto const same = opened.count(attributes_of(name));
  if (!same)
    return same.error();
  if (*same == 0) {
    auto const others = opened.count(attributes_of(name.scope));
    if (!others)
      return others.error();
    if (auto const fits = check(options_.limits, *others + 1, 0); !fits)
      return fits;
  }
  return opened.store(name, value);
}

result<bool> secret_service::remove(secret_name const& name) {
  if (auto const checked = check(name); !checked)
    return checked.error();
  keyring opened{options_.patience};
  if (auto const usable = opened.open(bus_address_); !usable)
    return usable.error();
  auto const count = erase_all(opened, attributes_of(name));
  if (!count)
    return count.error();
  return *count != 0;
}

result<std::vector<std::string>> secret_service::list(secret_scope const& scope) {
  if (auto const checked = check(scope); !checked)
    return checked.error();
  keyring opened{options_.patience};
  if (auto const usable = opened.open(bus_address_); !usable)
    return usable.error();
  auto const found = opened.search(attributes_of(scope));
  if (!found)
    return found.error();
  std::vector<std::string> keys;
  for (auto* const item : items_of(*found))
    if (auto key = key_of(item); !key.empty()) // an item that somebody else made has none
      keys.push_back(std::move(key));
  std::ranges::sort(keys);
  return keys;
}

result<std::size_t> secret_service::remove_all(secret_scope const& scope) {
  if (auto const checked = check(scope); !checked)
    return checked.error();
  keyring opened{options_.patience};
  if (auto const usable = opened.open(bus_address_); !usable)
    return usable.error();
  return erase_all(opened, attributes_of(scope));
}

} // namespace bulkhead::platform
