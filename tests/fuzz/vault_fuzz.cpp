// A vault's file that somebody else wrote. The first byte chooses what the rest is:
//   'f'  the file as it stands;
//   'b'  a body, which is sealed under the passphrase as a vault would do it;
//   'd'  damage to a good file: where (2 bytes), which bits (1), what to cut off (1), and then the
//        bytes that are added.
// What opens must be what was sealed, to the byte; all else is refused. The key is derived at the
// lowest cost that scrypt has.
#include "fuzz_target.hpp"

#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/vault.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::platform;
using fuzz::require;

namespace {

namespace fs = std::filesystem;
using octets = std::vector<unsigned char>;

constexpr std::string_view passphrase = "correct horse";
constexpr scrypt_cost lowest{2, 1, 1};
/// n·r·p. What costs more is a decision of is_bearable's, which is looked at and not paid for.
constexpr std::uint64_t affordable_work = 64;

class vault_on_disk {
public:
  vault_on_disk()
      : path_{folder_.write("vault", "")} {
    fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write);
  }

  vault open_with(std::span<unsigned char const> content) const {
    folder_.write("vault", {reinterpret_cast<char const*>(content.data()), content.size()});
    return vault{path_, secret_bytes{passphrase}, {lowest, {}, std::chrono::milliseconds{0}}};
  }

private:
  testing::temporary_directory folder_;
  fs::path path_;
};

octets sealed(vault_header const& header, std::string_view body) {
  auto const key = derive_key(passphrase, header.salt, header.cost).value();
  auto const clear = encode(header);
  auto const closed = seal(key, header.nonce, clear, secret_bytes{body}.bytes()).value();
  octets content(clear.size() + closed.size());
  std::ranges::copy(closed, std::ranges::copy(clear, content.begin()).out);
  return content;
}

vault_header fixed_header() {
  vault_header header{lowest, {}, {}};
  header.salt.fill(0x5a);
  header.nonce.fill(0xa5);
  return header;
}

/// A body taken apart without the library: four texts an entry, each with its length before it.
bool read_plain(std::string_view body, std::vector<std::string>& texts) {
  while (!body.empty()) {
    if (body.size() < 4)
      return false;
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i)
      size |= std::size_t{static_cast<unsigned char>(body[i])} << (8 * i);
    if (size > body.size() - 4)
      return false;
    texts.emplace_back(body.substr(4, size));
    body.remove_prefix(4 + size);
  }
  return texts.size() % 4 == 0;
}

void require_refused(vault& opened) {
  auto const probed = opened.probe();
  require(!probed && probed.error().code() == errc::vault_unusable, "a damaged vault is refused");
  secret_name const name{{"demo", "formatter"}, "token"};
  require(!opened.get(name) && !opened.list(name.scope), "a damaged vault tells nothing");
  require(!opened.set(name, "x") && !opened.remove(name), "a damaged vault is not written to");
}

void check_file(vault_on_disk const& disk, std::span<unsigned char const> content) {
  auto const header = decode_vault_header(content);
  if (header) {
    auto const again = encode(*header);
    require(std::ranges::equal(again, content.first(vault_header_size)), "a header reads back");
    require(is_bearable(header->cost), "nobody can demand what is not bearable");
    if (header->cost.n * header->cost.r * header->cost.p > affordable_work)
      return;
  }
  auto opened = disk.open_with(content);
  if (!opened.probe())
    return require_refused(opened);
  require(header.has_value(), "what opens has a header");
  auto const key = derive_key(passphrase, header->salt, header->cost).value();
  auto const body = open_sealed(key, header->nonce, content.first(vault_header_size),
                                content.subspan(vault_header_size))
                        .value();
  require(body && sealed(*header, body->view()) == octets(content.begin(), content.end()),
          "what opens is what was sealed");
}

void check_body(vault_on_disk const& disk, std::string_view body) {
  auto const content = sealed(fixed_header(), body);
  std::vector<std::string> texts;
  bool const is_whole = read_plain(body, texts);
  auto const entries = decode_vault_entries(body);
  require(is_whole || !entries, "a body that is cut short is refused");
  auto opened = disk.open_with(content);
  require(opened.probe().has_value() == entries.has_value(), "a vault is as good as its body");
  if (!entries)
    return;
  require(encode(*entries).view() == body, "a body reads back");
  require(std::ranges::adjacent_find(*entries, std::greater_equal<>{}, &vault_entry::name) ==
              entries->end(),
          "each name is there once, in order");
  require(texts.size() == 4 * entries->size(), "as many entries as are written");
  for (std::size_t i = 0; i < entries->size(); ++i) {
    secret_name const name{{texts[4 * i], texts[4 * i + 1]}, texts[4 * i + 2]};
    auto const found = opened.get(name);
    require(found.has_value() == check(name).has_value(), "a name that is one is found");
    require(!found || (*found && (*found)->view() == texts[4 * i + 3]),
            "a secret is the one that was written");
  }
}

octets good_file() {
  std::vector<vault_entry> const entries{{"demo", "formatter", "token", "s3cr3t"},
                                         {"demo", "linter", "token", "another"}};
  auto const body = encode(entries);
  return sealed(fixed_header(), body.view());
}

void check_damage(vault_on_disk const& disk, std::span<unsigned char const> how) {
  static auto const good = good_file();
  constexpr std::size_t choices = 4;
  if (how.size() < choices)
    return;
  auto damaged = good;
  damaged[(std::size_t{how[0]} << 8 | how[1]) % damaged.size()] ^= how[2];
  damaged.resize(damaged.size() - how[3] % damaged.size());
  damaged.insert(damaged.end(), how.begin() + choices, how.end());
  // A cost that was changed is not paid for.
  if (auto const header = decode_vault_header(damaged); header && header->cost != lowest)
    return;
  auto opened = disk.open_with(damaged);
  if (damaged != good)
    return require_refused(opened);
  secret_name const name{{"demo", "formatter"}, "token"};
  auto const found = opened.get(name);
  require(found && *found && (*found)->view() == "s3cr3t", "a good vault opens");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* bytes, std::size_t size) {
  static vault_on_disk const disk;
  if (size == 0)
    return 0;
  auto const rest = std::span{bytes, size}.subspan(1);
  switch (bytes[0]) {
  case 'f':
    check_file(disk, rest);
    break;
  case 'b':
    check_body(disk, fuzz::text_of(rest.data(), rest.size()));
    break;
  case 'd':
    check_damage(disk, rest);
    break;
  default:
    break;
  }
  return 0;
}
