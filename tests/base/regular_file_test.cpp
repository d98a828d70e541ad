#include "core/base/files/regular_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/checkpoint/safetensors.h"
#include "core/base/files/hash.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/json/json.h"
#include "core/base/run/run_summary.h"
#include "core/base/yaml/yaml_node.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// Every reader of this folder by name; each must refuse without waiting for a writer.
const std::vector<std::pair<const char*, void (*)(const std::filesystem::path&)>> kReaders = {
    {"require", [](const auto& path) { require_regular_file(path); }},
    {"open", [](const auto& path) { ::close(open_regular_file(path)); }},
    {"text", [](const auto& path) { read_text_file(path); }},
    {"json", [](const auto& path) { read_json_file(path); }},
    {"yaml", [](const auto& path) { read_yaml(path); }},
    {"hash", [](const auto& path) { hash_file(path); }},
    {"safetensors", [](const auto& path) { SafetensorsFile file(path); }},
    {"hdf5", [](const auto& path) { hdf5::Reader reader(path); }},
};

void check_refused(const std::filesystem::path& path, const std::string& kind) {
  for (const auto& [name, read] : kReaders) {
    const std::string message = test::error_of([&, r = read] { r(path); });
    INFO(name << ": " << message);
    CHECK(message == path.string() + ": " + kind);
  }
}

}  // namespace

TEST_CASE("readers open regular files only: no folder, pipe, socket or device") {
  const test::TemporaryFolder folder;
  check_refused(folder / "absent", "no such file");
  check_refused(folder.path(), "a folder, expected a regular file");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  check_refused(folder / "pipe", "a pipe, expected a regular file");
  std::filesystem::create_symlink("pipe", folder / "link");
  check_refused(folder / "link", "a pipe, expected a regular file");
  std::filesystem::create_symlink("round", folder / "round");
  check_refused(folder / "round", "cannot be read: Too many levels of symbolic links");
  check_refused("/dev/zero", "a device, expected a regular file");
  check_refused("/dev/null", "a device, expected a regular file");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string name = folder / "socket";
  name.copy(address.sun_path, sizeof(address.sun_path) - 1);
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  check_refused(name, "a socket, expected a regular file");
  ::close(socket);
}

TEST_CASE("a regular file is opened also through a link") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "a", "text");
  std::filesystem::create_symlink("a", folder / "b");
  CHECK(read_text_file(folder / "b") == "text");
  CHECK(hash_file(folder / "b") == hash_text("text"));
}

TEST_CASE("what no run file can be is not complete, and nothing waits for it") {
  const test::TemporaryFolder folder;
  REQUIRE(mkfifo((folder / "a.h5").c_str(), 0600) == 0);
  CHECK(!is_complete(folder / "a.h5"));
}

TEST_CASE("a sparse file is refused by its size, before memory is asked for") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "sparse", "{");
  std::filesystem::resize_file(folder / "sparse", uintmax_t{1} << 40);
  REQUIRE_CONFIG_ERROR(read_text_file(folder / "sparse"), "1099511627776 bytes, expected at most");
  REQUIRE_CONFIG_ERROR(read_yaml(folder / "sparse"), "expected at most 1048576");
  REQUIRE_CONFIG_ERROR(read_json_file(folder / "sparse"), "expected at most 268435456");
}
