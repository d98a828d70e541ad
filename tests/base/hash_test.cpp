#include "core/base/files/hash.h"

#include "tests/support/catch.h"

using namespace wkvq;
using wkvq::test::TemporaryFolder;
using wkvq::test::write_file;

TEST_CASE("hash_text is XXH3 with 128 bits") {
  // Published values of XXH3_128bits with seed 0: the empty input, and `printf abc | xxh128sum`.
  CHECK(hash_text("") == "99aa06d3014798d86001c324468d497f");
  CHECK(hash_text("abc") == "06b05ab6733a618578af5f94892f3950");
}

TEST_CASE("a stream hashes as its bytes in one piece") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i);
  for (size_t cut : {size_t{0}, size_t{1}, size_t{240}, size_t{1024}, text.size()}) {
    INFO("cut " << cut);
    Hasher hasher;
    hasher.add(text.substr(0, cut)).add(text.substr(cut));
    CHECK(hasher.hex() == hash_text(text));
  }
}

TEST_CASE("hex may be asked for on the way") {
  Hasher hasher;
  hasher.add("ab");
  CHECK(hasher.hex() == hash_text("ab"));
  CHECK(hasher.add("c").hex() == hash_text("abc"));
}

TEST_CASE("parts cannot run into each other") {
  CHECK(Hasher().add("ab").add("c").hex() == Hasher().add("a").add("bc").hex());
  CHECK(Hasher().add_part("ab").add_part("c").hex() != Hasher().add_part("a").add_part("bc").hex());
  CHECK(Hasher().add_part("").add_part("a").hex() != Hasher().add_part("a").add_part("").hex());
}

TEST_CASE("hash_file hashes the bytes of a file") {
  TemporaryFolder folder;
  const std::string text(3 * (1 << 20) + 17, 'x');  // more than one buffer
  write_file(folder / "large", text);
  write_file(folder / "empty", "");
  CHECK(hash_file(folder / "large") == hash_text(text));
  CHECK(hash_file(folder / "empty") == hash_text(""));
}

TEST_CASE("hash_file refuses what cannot be read") {
  TemporaryFolder folder;
  REQUIRE_CONFIG_ERROR(hash_file(folder / "absent"), "absent: no such file");
  REQUIRE_CONFIG_ERROR(hash_file(folder.path()), "a folder, expected a regular file");
}
