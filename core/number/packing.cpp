#include "core/number/packing.h"

#include <fmt/format.h>

#include <stdexcept>

namespace wkvq {

namespace {

void check_width(int bits) {
  if (bits != 2 && bits != 3 && bits != 4 && bits != 8)
    throw std::invalid_argument(fmt::format("pack: got {} bits; expected 2, 3, 4 or 8", bits));
}

}  // namespace

std::vector<uint8_t> pack_codes(const std::vector<uint8_t>& codes, int bits) {
  check_width(bits);
  const auto width = static_cast<size_t>(bits);
  std::vector<uint8_t> packed((codes.size() * width + 7) / 8, 0);
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] >> width)
      throw std::invalid_argument(
          fmt::format("pack: code {} does not fit {} bits", codes[i], bits));
    const size_t at = i * width;
    const unsigned shifted = static_cast<unsigned>(codes[i]) << (at % 8);
    packed[at / 8] = static_cast<uint8_t>(packed[at / 8] | (shifted & 0xffu));
    if (at % 8 + width > 8)
      packed[at / 8 + 1] = static_cast<uint8_t>(packed[at / 8 + 1] | (shifted >> 8));
  }
  return packed;
}

std::vector<uint8_t> unpack_codes(const std::vector<uint8_t>& packed, int bits, int64_t count) {
  check_width(bits);
  const auto width = static_cast<size_t>(bits);
  const auto n = static_cast<size_t>(count);
  if (count < 0 || n > packed.size() * 8 / width)
    throw std::invalid_argument(
        fmt::format("unpack: {} codes of {} bits do not fit {} bytes", count, bits, packed.size()));
  std::vector<uint8_t> codes(n);
  const unsigned mask = (1u << width) - 1u;
  for (size_t i = 0; i < n; ++i) {
    const size_t at = i * width;
    unsigned word = packed[at / 8];
    if (at % 8 + width > 8) word |= static_cast<unsigned>(packed[at / 8 + 1]) << 8;
    codes[i] = static_cast<uint8_t>((word >> (at % 8)) & mask);
  }
  return codes;
}

}  // namespace wkvq
