#pragma once

#include <cstdint>
#include <vector>

namespace wkvq {

/// Packs codes of 2, 3, 4 or 8 bits into a little-endian bit stream: code i occupies bits [i *
/// bits, (i + 1) * bits), so with 4 bits the low nibble is the even index. The last byte is padded
/// with code 0. Throws std::invalid_argument for another width or a code that does not fit.
std::vector<uint8_t> pack_codes(const std::vector<uint8_t>& codes, int bits);

/// The first `count` codes of a packed stream. Throws std::invalid_argument where the stream is too
/// short.
std::vector<uint8_t> unpack_codes(const std::vector<uint8_t>& packed, int bits, int64_t count);

}  // namespace wkvq
