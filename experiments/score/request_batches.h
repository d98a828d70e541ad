#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "core/attention/packed_row.h"
#include "datasets/tasks/common/task.h"

namespace wkvq {

/// Requests of one entry that go through the model together.
struct RequestBatch {
  std::vector<size_t> requests;  ///< indices into the entry's requests
  at::Tensor tokens;             ///< [batch, seq] int64, padded on the right, or one packed row
  KvViewOptions view;
  std::shared_ptr<const PackedRow> packed;  ///< null where every sequence has a row of its own
  /// By request: of each scored token, the place (row * seq + column) whose hidden state predicts
  /// it.
  std::vector<std::vector<int64_t>> predictors;
};

struct BatchingOptions {
  KvViewOptions view;
  bool context_prefill = false;  ///< mode past: prefill is that of each request
  /// RoPE's frequencies depend on the length: only requests that read as many tokens share a batch,
  /// and a last token that the convention does not read is left out.
  bool equal_lengths = false;
  bool pack = false;             ///< what requests have in common is computed once
  at::Device device = at::kCPU;  ///< of the packed rows' positions
};

/// One sequence a row: equal prefill, similar length; every token goes in. With `pack`: rows that
/// are trees of what requests have in common, in the order of a dictionary; the last token of a
/// request predicts nothing and is left out.
std::vector<RequestBatch> make_batches(const std::vector<Request>& requests,
                                       const BatchingOptions& options);

/// Tokens of a batch, about: enough for efficient matrix products, few enough for activations to
/// stay in cache.
inline constexpr int64_t kBatchTokens = 1024;

}  // namespace wkvq
