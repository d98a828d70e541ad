#pragma once

#include "core/kernels/panel_codes.h"

// Where the codes, scales and minima of keys and values lie in their pages.
namespace wkvq {

/// Tokens of a page of packed keys and values.
constexpr int64_t kPageTokens = 64;
constexpr int64_t kMaxHeadDim = 256;
/// Groups of a head.
constexpr int64_t kMaxGroups = kMaxHeadDim / kPanelStep;

/// How the keys or values of one head are stored: form B, groups within a token or, of keys, of the
/// tokens of a channel.
struct KvFormat {
  int64_t bits = 4;
  int64_t dim = 0;    ///< multiple of 32, at most kMaxHeadDim
  int64_t group = 0;  ///< multiple of 32 that divides dim, or 16, 32 or 64 along time
  ScaleDtype stored = ScaleDtype::kFloat16;
  bool is_key = true;
  bool along_time = false;

  /// Groups of a token, or of a channel in a page.
  constexpr int64_t groups() const { return (along_time ? kPageTokens : dim) / group; }
  constexpr int64_t code_bytes() const { return kPageTokens * dim * bits / 8; }
  /// Scales of a page [groups, kPageTokens], along time [groups, dim]; the minima, of the same
  /// shape, follow them.
  constexpr int64_t scale_bytes() const {
    return groups() * (along_time ? dim : kPageTokens) * stored_scale_bytes(stored);
  }
  /// Where the scale of a channel of a token lies among those of a page.
  constexpr int64_t scale_index(int64_t slot, int64_t channel) const {
    return along_time ? slot / group * dim + channel : channel / group * kPageTokens + slot;
  }
  constexpr int64_t page_bytes() const { return code_bytes() + 2 * scale_bytes(); }
  /// Codes of a lane of a page, and its panels.
  constexpr int64_t inner() const { return is_key ? dim : kPageTokens; }
  constexpr int64_t panels() const { return (is_key ? kPageTokens : dim) / kPanelLanes; }
};

/// How groups are quantized.
WKVQ_HOST_DEVICE inline QuantPlan append_plan(const KvFormat& format) {
  QuantPlan plan;
  plan.max_code = (int64_t{1} << format.bits) - 1;
  plan.form = QuantForm::kMinimum;
  plan.stored = format.stored;
  plan.include_zero = false;
  return plan;
}

/// The codes, scales and minima of one head in one page.
struct KvPart {
  unsigned char* data;
  KvFormat format;

  WKVQ_HOST_DEVICE uint32_t* panel(int64_t p) const {
    return reinterpret_cast<uint32_t*>(data) + p * panel_words(format.bits, format.inner());
  }
  WKVQ_HOST_DEVICE void* scales() const { return data + format.code_bytes(); }
  WKVQ_HOST_DEVICE void* minima() const {
    return data + format.code_bytes() + format.scale_bytes();
  }
};

/// Bytes from the beginning of a page to the keys or values of a head.
constexpr int64_t kv_part_offset(const KvFormat& key, const KvFormat& value, int64_t head,
                                 bool is_key) {
  return head * (key.page_bytes() + value.page_bytes()) + (is_key ? 0 : key.page_bytes());
}

}  // namespace wkvq
