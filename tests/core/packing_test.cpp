#include "core/number/packing.h"

#include <random>
#include <stdexcept>

#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("packing: literals") {
  // 4 bits: the low nibble is the even index. 3 bits: a little-endian bit stream.
  REQUIRE(pack_codes({1, 2, 3}, 4) == std::vector<uint8_t>{0x21, 0x03});
  REQUIRE(pack_codes({1, 2, 3, 0}, 2) == std::vector<uint8_t>{0x39});
  REQUIRE(pack_codes({7, 0, 5}, 3) == std::vector<uint8_t>{0x47, 0x01});
  REQUIRE(pack_codes({255}, 8) == std::vector<uint8_t>{0xff});
}

TEST_CASE("packing: round trip for every width and odd lengths, exact size") {
  std::mt19937 generator(0);
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t n : {0, 1, 2, 3, 7, 8, 9, 63, 1001}) {
      std::vector<uint8_t> codes(static_cast<size_t>(n));
      for (auto& code : codes) code = static_cast<uint8_t>(generator() % (1u << bits));
      const auto packed = pack_codes(codes, bits);
      REQUIRE(packed.size() == static_cast<size_t>((n * bits + 7) / 8));
      REQUIRE(unpack_codes(packed, bits, n) == codes);
    }
  }
}

TEST_CASE("packing: refuses what does not fit") {
  REQUIRE_THROWS_AS(pack_codes({1}, 5), std::invalid_argument);
  REQUIRE_THROWS_AS(pack_codes({16}, 4), std::invalid_argument);
  REQUIRE_THROWS_AS(unpack_codes({0}, 3, 3), std::invalid_argument);
  REQUIRE_THROWS_AS(unpack_codes({0}, 4, -1), std::invalid_argument);
}
