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
        memory_(memory),
        head_(blockIdx.y),
        channel_(threadIdx.x) {}

  __device__ void append() {
    const int64_t slot = side_.first % kPageTokens, page = blockIdx.x;
    const int64_t first = page == 0 ? 0 : page * kPageTokens - slot;
    const int64_t next = (page + 1) * kPageTokens - slot;
    const int64_t last = next < side_.tokens ? next : side_.tokens;
    // Keys and values may fill different numbers of pages.
    if (first >= last) return;
    part_ = {side_.pages[page] + kv_part_offset(p_.key.format, p_.value.format, head_, is_key_),
             format_};
    if (format_.along_time)
      for (int64_t t = first; t < last; t += format_.group) append_group(t);
    else
      for (int64_t t = first; t < last; ++t) append_token(t);
  }

 private:
  __device__ int64_t slot_of(int64_t t) const { return (side_.first + t) % kPageTokens; }

  __device__ void append_token(int64_t t) {
    memory_.x[channel_] = smoothed(t);
    __syncthreads();
    memory_.codes[channel_] = encode(slot_of(t));
    __syncthreads();
    is_key_ ? put_key(slot_of(t)) : put_value(slot_of(t));
  }

  /// Keys of a group of tokens: a channel's own, so threads meet at the codes only.
  __device__ void append_group(int64_t first) {
    float lowest = smoothed(first), highest = lowest;
    for (int64_t t = first + 1; t < first + format_.group; ++t) {
      const float x = smoothed(t);
      lowest = x < lowest ? x : lowest;
      highest = x > highest ? x : highest;
    }
    const GroupParams<float> params = group_params(lowest, highest, append_plan(format_));
    put_grid(format_.scale_index(slot_of(first), channel_), params);
    for (int64_t t = first; t < first + format_.group; ++t) {
      __syncthreads();
      memory_.codes[channel_] = code_of(smoothed(t), params);
      __syncthreads();
      put_key(slot_of(t));
    }
  }

  /// (x - shift) / scale of this channel; 0, and a report, where it is not finite.
  __device__ float smoothed(int64_t t) {
    float x = side_.x[head_ * side_.head_stride + t * side_.stride + channel_];
    const int64_t at = head_ * format_.dim + channel_;
    if (side_.shift) x = x - side_.shift[at];
    if (side_.scale) x = x / side_.scale[at];
    if ((bits_of_float(x) & 0x7fffffffu) < 0x7f800000u) return x;
    atomicMin(p_.wrong,
              static_cast<int>(((side_.first + t) * p_.kv_heads + head_) * 2 + (is_key_ ? 0 : 1)));
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
    if (channel_ % format_.group == 0) put_grid(format_.scale_index(slot, channel_), params);
    return code_of(memory_.x[channel_], params);
  }

  __device__ void put_grid(int64_t at, const GroupParams<float>& params) {
    put_stored(part_.scales(), at, params.scale, format_.stored);
    put_stored(part_.minima(), at, params.minimum, format_.stored);
  }

  __device__ static uint32_t code_of(float x, const GroupParams<float>& params) {
    return static_cast<uint32_t>(static_cast<int32_t>(encode_one(x, params)));
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
  KvPart part_{};
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
  const auto pages = [](const DeviceAppend::Side& side) {
    return (side.first % kPageTokens + side.tokens + kPageTokens - 1) / kPageTokens;
  };
  const int64_t most = pages(p.key) < pages(p.value) ? pages(p.value) : pages(p.key);
  launch(append_tokens<>, LaunchShape{most, p.kv_heads, 2, p.key.format.dim}, p);
}

}  // namespace
}  // namespace wkvq
