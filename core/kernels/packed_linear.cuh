// A packed weight times a few rows on a device, and the weight itself. A block is a panel: its
// threads are the 16 outputs times kSlices shares of the inputs.
#pragma once

#include <cmath>

#include "core/kernels/lane_codes.h"
#include "core/kernels/launch.h"
#include "core/kernels/weight_grid.h"

namespace wkvq {
namespace {

constexpr int64_t kSlices = kLaunchThreads / kPanelLanes;

template <int kRows>
struct PanelMemory {
  float sums[kSlices][kRows][kPanelLanes];
};

/// What code i of `of` stands for before the scale.
template <int kBits, bool kWhole>
__device__ inline float level_of(const LaneCodes<kBits>& of, int i, const WeightFormat& f) {
  if constexpr (kWhole)
    return of.code(i);
  else
    return element_value(of.bits(i), f.element, 0.0f);
}

/// Grid: panels, blocks of rows. Rows beyond the last one repeat it and are not written.
template <int kBits, int kRows, bool kWhole>
__global__ void multiply_panels(PackedProduct w) {
  WKVQ_BLOCK_MEMORY(PanelMemory<kRows>, memory);
  const WeightFormat& f = w.format;
  const int64_t panel = blockIdx.x, first = static_cast<int64_t>(blockIdx.y) * kRows;
  const int64_t rows = w.rows - first < kRows ? w.rows - first : kRows;
  const int64_t lane = threadIdx.x % kPanelLanes, slice = threadIdx.x / kPanelLanes;
  const int64_t width = f.padded_in();
  const uint32_t* codes = w.codes + panel * panel_words(kBits, width) + lane;
  const float* x[kRows];
  for (int64_t r = 0; r < kRows; ++r) x[r] = w.x + (first + (r < rows ? r : rows - 1)) * width;
  float sums[kRows] = {};
  // Groups of 16 are of other elements.
  const int64_t step = kWhole || f.group >= kPanelStep ? kPanelStep : f.group;
  for (int64_t begin = slice * kPanelStep; begin < width; begin += kSlices * kPanelStep) {
    for (int64_t i = begin; i < begin + kPanelStep && i < f.in; i += step) {
      const WeightGrid grid = weight_grid(w, panel, i / f.group, lane);
      for_lane_codes<kBits>(codes + panel_words(kBits, i), step,
                            [&](const LaneCodes<kBits>& of, int64_t j) {
                              for (int k = 0; k < of.kCodes; ++k) {
                                const float weight = grid.value(level_of<kBits, kWhole>(of, k, f));
                                for (int64_t r = 0; r < kRows; ++r)
                                  sums[r] = fmaf(x[r][i + j + k], weight, sums[r]);
                              }
                            });
    }
  }
  for (int64_t r = 0; r < kRows; ++r) memory.sums[slice][r][lane] = sums[r];
  __syncthreads();
  for (int64_t i = threadIdx.x; i < rows * kPanelLanes; i += blockDim.x) {
    const int64_t r = i / kPanelLanes, output = i % kPanelLanes;
    float sum = 0.0f;
    for (int64_t s = 0; s < kSlices; ++s) sum += memory.sums[s][r][output];
    w.y[((first + r) * f.panels() + panel) * kPanelLanes + output] = sum;
  }
}

/// Grid: panels, blocks of inputs. `out` [out, in].
template <class = void>
__global__ void decode_panels(PackedProduct w, float* out) {
  const WeightFormat& f = w.format;
  const int64_t panel = blockIdx.x, i = blockIdx.y * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (i >= f.in) return;
  const uint32_t* codes = w.codes + panel * panel_words(f.bits, f.padded_in());
  for (int64_t lane = 0; lane < kPanelLanes && panel * kPanelLanes + lane < f.out; ++lane)
    out[(panel * kPanelLanes + lane) * f.in + i] =
        weight_grid(w, panel, i / f.group, lane)
            .value(element_value(panel_code(codes, static_cast<int>(f.bits), i, lane), f.element,
                                 0.0f));
}

template <int kBits, bool kWhole, class Launch>
void launch_bits(const Launch& launch, const PackedProduct& w) {
  const auto rows = [&](auto kernel, int64_t count) {
    launch(kernel, LaunchShape{w.format.panels(), (w.rows + count - 1) / count, 1, kLaunchThreads},
           w);
  };
  if (w.rows == 1)
    rows(multiply_panels<kBits, 1, kWhole>, 1);
  else if (w.rows == 2)
    rows(multiply_panels<kBits, 2, kWhole>, 2);
  else if (w.rows <= 4)
    rows(multiply_panels<kBits, 4, kWhole>, 4);
  else
    rows(multiply_panels<kBits, 8, kWhole>, 8);
}

/// Everything of `w` but the sums is looked at.
template <class Launch>
void launch_packed_linear(const Launch& launch, const PackedProduct& w) {
  if (!w.format.integers())
    return w.format.bits == 4 ? launch_bits<4, false>(launch, w) : launch_bits<8, false>(launch, w);
  if (w.format.bits == 2) launch_bits<2, true>(launch, w);
  if (w.format.bits == 3) launch_bits<3, true>(launch, w);
  if (w.format.bits == 4) launch_bits<4, true>(launch, w);
  if (w.format.bits == 8) launch_bits<8, true>(launch, w);
}

template <class Launch>
void launch_decode_weight(const Launch& launch, const PackedProduct& w, float* out) {
  const int64_t blocks = (w.format.in + kLaunchThreads - 1) / kLaunchThreads;
  launch(decode_panels<>, LaunchShape{w.format.panels(), blocks, 1, kLaunchThreads}, w, out);
}

}  // namespace
}  // namespace wkvq
