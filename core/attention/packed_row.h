#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "core/kv/kv_codec.h"
#include "core/kv/kv_view.h"
#include "core/model/transformer.h"

namespace wkvq {

/// Sequences of unequal length behind each other in one row [1, tokens], without padding, as a
/// tree: a segment begins a sequence or continues an earlier segment, which several may continue.
/// What sequences have in common is so computed once.
struct PackedRow {
  struct Segment {
    int64_t begin = 0;    ///< in the row
    int64_t length = 0;   ///< tokens, at least 1
    int64_t trunk = -1;   ///< index of the segment that it continues; -1: it begins a sequence
    int64_t prefill = 0;  ///< of its sequence, as KvViewOptions::prefill
  };
  std::vector<Segment> segments;
  at::Tensor positions;  ///< [tokens] int64: where each token stands in its sequence
};

/// The segments, each behind the one before it (their `begin` is set here), with their positions.
std::shared_ptr<const PackedRow> pack_row(std::vector<PackedRow::Segment> segments,
                                          at::Device device);

/// quantized_attention in every sequence of `row` on its own, under `view` with the prefill of the
/// segment. Inputs are [1, heads, tokens, head_dim] at row->positions.
AttentionFunction packed_attention(std::shared_ptr<const PackedRow> row, const KvCodec& codec,
                                   const KvViewOptions& view);

}  // namespace wkvq
