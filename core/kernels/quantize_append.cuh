// Smooths, quantizes and packs new tokens; every operation rounds as in packed_codec.inc, so nvcc
// must not contract products and sums.
#pragma once

#include "core/kernels/device_problems.h"
#include "core/kernels/launch.h"

namespace wkvq {
namespace {

/// One token of a head on its way.
struct TokenMemory {
  float x[kMaxHeadDim];
  uint32_t codes[kMaxHeadDim];
};

/// Word w of a lane that holds `codes`; see packed_layout.h.
WKVQ_HOST_DEVICE inline uint32_t lane_word(const uint32_t* codes, int bits, int64_t w) {
  uint32_t word = 0;
  if (bits != 3) {
    const int per_word = 32 / bits;
    for (int i = 0; i < per_word; ++i) word |= codes[w * per_word + i] << (bits * i);
    return word;
  }
  codes += w / 3 * kPanelStep;
  if (w % 3 == 2)
    for (int i = 0; i < 32; ++i) word |= codes[i] >> 2 << i;
  else
    for (int i = 0; i < 16; ++i) word |= (codes[w % 3 * 16 + i] & 3u) << (2 * i);
  return word;
}

/// The keys or values of one head that fall into one page. A thread is a channel.
class PageAppend {
 public:
  __device__ PageAppend(const DeviceAppend& problem, TokenMemory& memory)
      : p_(problem),
        is_key_(blockIdx.z == 0),
        side_(is_key_ ? problem.key : problem.value),
        format_(side_.format),
        part_{problem.pages[blockIdx.x] +
                  kv_part_offset(problem.key.format, problem.value.format, blockIdx.y, is_key_),
              format_},
        memory_(memory),
        head_(blockIdx.y),
        channel_(threadIdx.x) {}

  __device__ void append() {
    const int64_t page = blockIdx.x;
    const int64_t first = page == 0 ? 0 : page * kPageTokens - p_.slot;
    const int64_t next = (page + 1) * kPageTokens - p_.slot;
    const int64_t last = next < p_.tokens ? next : p_.tokens;
    for (int64_t t = first; t < last; ++t) {
      memory_.x[channel_] = smoothed(t);
      __syncthreads();
      const int64_t slot = (p_.slot + t) % kPageTokens;
      memory_.codes[channel_] = encode(slot);
      __syncthreads();
      is_key_ ? put_key(slot) : put_value(slot);
    }
  }

 private:
  /// (x - shift) / scale of this channel; 0, and a report, where it is not finite.
  __device__ float smoothed(int64_t t) {
    float x = side_.x[head_ * side_.head_stride + t * side_.stride + channel_];
    const int64_t at = head_ * format_.dim + channel_;
    if (side_.shift) x = x - side_.shift[at];
    if (side_.scale) x = x / side_.scale[at];
    if ((bits_of_float(x) & 0x7fffffffu) < 0x7f800000u) return x;
    atomicMin(p_.wrong, static_cast<int>((t * p_.kv_heads + head_) * 2 + (is_key_ ? 0 : 1)));
    return 0.0f;
  }

  /// The code of this channel; the first one of a group stores its scale and minimum.
  __device__ uint32_t encode(int64_t slot) {
    const int64_t group = channel_ / format_.group;
    const float* x = memory_.x + group * format_.group;
    float lowest = x[0], highest = x[0];
    for (int64_t i = 1; i < format_.group; ++i) {
      lowest = x[i] < lowest ? x[i] : lowest;
      highest = x[i] > highest ? x[i] : highest;
    }
    const GroupParams<float> params = group_params(lowest, highest, append_plan(format_));
    if (channel_ % format_.group == 0) {
      put_stored(part_.scales(), group * kPageTokens + slot, params.scale, format_.stored);
      put_stored(part_.minima(), group * kPageTokens + slot, params.minimum, format_.stored);
    }
    return static_cast<uint32_t>(static_cast<int32_t>(encode_one(memory_.x[channel_], params)));
  }

  /// A token is one lane: every thread a word of it.
  __device__ void put_key(int64_t slot) {
    if (channel_ >= format_.dim * format_.bits / 32) return;
    uint32_t* lane = part_.panel(slot / kPanelLanes) + slot % kPanelLanes;
    lane[channel_ * kPanelLanes] =
        lane_word(memory_.codes, static_cast<int>(format_.bits), channel_);
  }

  /// A channel is one lane, in which the token has one place.
  __device__ void put_value(int64_t slot) {
    put_panel_code(part_.panel(channel_ / kPanelLanes), static_cast<int>(format_.bits), slot,
                   channel_ % kPanelLanes, memory_.codes[channel_]);
  }

  const DeviceAppend& p_;
  bool is_key_;
  const DeviceAppend::Side& side_;
  const KvFormat& format_;
  KvPart part_;
  TokenMemory& memory_;
  int64_t head_, channel_;
};

/// Grid: pages, kv heads, keys and values.
template <class = void>
__global__ void append_tokens(DeviceAppend problem) {
  WKVQ_BLOCK_MEMORY(TokenMemory, memory);
  PageAppend(problem, memory).append();
}

template <class Launch>
void launch_quantize_append(const Launch& launch, const DeviceAppend& p) {
  const int64_t pages = (p.slot + p.tokens + kPageTokens - 1) / kPageTokens;
  launch(append_tokens<>, LaunchShape{pages, p.kv_heads, 2, p.key.format.dim}, p);
}

}  // namespace
}  // namespace wkvq
