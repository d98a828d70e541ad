// Reductions over the 32 threads of a warp; every one of them gets the result.
#pragma once

namespace wkvq {
namespace {

__device__ inline float warp_max(float x) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, x, lanes);
    x = other > x ? other : x;
  }
  return x;
}

__device__ inline float warp_sum(float x) {
  for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffffu, x, lanes);
  return x;
}

}  // namespace
}  // namespace wkvq
