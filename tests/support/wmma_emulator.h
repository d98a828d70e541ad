#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <type_traits>

#include "tests/support/cuda_emulator.h"

// nvcuda::wmma of 16 x 16 x 16 for the emulator: products of half types, which are exact in
// float32, with sums in float32. A thread knows the whole of what it multiplies, but only its own
// eight sums, of half a column; so what others of its warp have stored is there after __syncwarp
// alone. Which elements a thread really holds is unspecified: a kernel that works on rows must not
// find here what it relies on.
namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major };

/// An operand, read as it lies in memory.
template <class Use, int kM, int kN, int kK, class T, class Layout = void>
struct fragment {
  static_assert(kM == 16 && kN == 16 && kK == 16 && sizeof(T) == 2);
  T line[16][16];

  float at(int row, int column) const {
    return static_cast<float>(std::is_same_v<Layout, row_major> ? line[row][column]
                                                                : line[column][row]);
  }
};

template <>
struct fragment<accumulator, 16, 16, 16, float> {
  static constexpr int num_elements = 8;
  float x[num_elements];

  static int row(int i) { return static_cast<int>(threadIdx.x % 2) * num_elements + i; }
  static int column() { return static_cast<int>(threadIdx.x % 32) / 2; }
};

using Sums = fragment<accumulator, 16, 16, 16, float>;

/// What CUDA demands of every tile in memory, and would not report.
template <class T>
void check_tile(const T* tile, unsigned stride) {
  const auto address = reinterpret_cast<uintptr_t>(tile);
  if (address % 32 != 0 || stride * sizeof(T) % 16 != 0)
    throw std::runtime_error(fmt::format(
        "wmma: got a tile at address {} with lines {} bytes apart; expected multiples of 32 and 16",
        address, stride * sizeof(T)));
}

inline void fill_fragment(Sums& sums, float value) {
  for (float& x : sums.x) x = value;
}

template <class Use, class T, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout>& to, const T* from, unsigned stride) {
  check_tile(from, stride);
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned j = 0; j < 16; ++j) to.line[i][j] = from[i * stride + j];
}

inline void load_matrix_sync(Sums& to, const float* from, unsigned stride, layout_t) {
  check_tile(from, stride);
  for (int i = 0; i < Sums::num_elements; ++i)
    to.x[i] =
        from[static_cast<unsigned>(Sums::row(i)) * stride + static_cast<unsigned>(Sums::column())];
}

inline void store_matrix_sync(float* to, const Sums& from, unsigned stride, layout_t) {
  check_tile(to, stride);
  for (int i = 0; i < Sums::num_elements; ++i)
    to[static_cast<unsigned>(Sums::row(i)) * stride + static_cast<unsigned>(Sums::column())] =
        from.x[i];
}

/// All threads of a warp come together here, or it is an error.
template <class T, class A, class B>
void mma_sync(Sums& to, const fragment<matrix_a, 16, 16, 16, T, A>& a,
              const fragment<matrix_b, 16, 16, 16, T, B>& b, const Sums& c,
              const std::source_location& place = std::source_location::current()) {
  wkvq::test::exchange_value({place.file_name(), static_cast<int>(place.line())}, 0xffffffffU, 0,
                             1);
  for (int i = 0; i < Sums::num_elements; ++i) {
    float sum = c.x[i];
    for (int k = 0; k < 16; ++k) sum += a.at(Sums::row(i), k) * b.at(k, Sums::column());
    to.x[i] = sum;
  }
}

}  // namespace nvcuda::wmma
