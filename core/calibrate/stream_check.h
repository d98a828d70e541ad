#pragma once

#include <optional>

#include "core/calibrate/pipeline.h"

namespace wkvq {

/// Where a stream holds a value that is not finite.
struct NotFinitePlace {
  std::string what;  ///< "keys of", "hidden states that leave"
  int64_t row = 0;   ///< of the batch
  int64_t column = 0;
};

/// `attention`, but on the CPU queries, keys and values are looked at on their way in: an infinite
/// key whose score is minus infinity would leave no other trace. On a device a look would have to
/// wait for it, so there hidden states alone are looked at.
AttentionFunction watched(const AttentionFunction& attention, std::optional<NotFinitePlace>& found);

/// Of hidden states [batch, seq, hidden] that leave a block.
std::optional<NotFinitePlace> not_finite_hidden(const at::Tensor& hidden);

/// Throws NotFiniteError with block, sequence and position. Carries the sequence through the
/// full-precision model to say whether that or its quantized copy is to blame.
[[noreturn]] void fail_stream(ModelSource& source, int64_t layer, const Stream& stream,
                              const StreamBatch& batch, const NotFinitePlace& place);

/// Throws NotFiniteError where calibration text leaves quantized block `layer` with states that are
/// not finite.
void check_quantized_chain(ModelSource& source, int64_t layer, const CalibrationChain& chain,
                           const std::vector<at::Tensor>& hidden);

/// Throws NotFiniteError where a weight that the method rewrote is not finite, or a scale of the
/// cache's channels is not a positive number.
void check_quantized_block(int64_t layer, const BlockWeights& full, const QuantizedBlock& block);

/// Whether the full-precision model carries `tokens` [1, seq] as far as its logits with finite
/// numbers only.
bool full_precision_is_finite(ModelSource& source, const at::Tensor& tokens);

}  // namespace wkvq
