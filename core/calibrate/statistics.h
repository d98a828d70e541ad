#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/base/recorder.h"
#include "core/kv/kv_codec.h"
#include "core/model/transformer.h"

namespace wkvq {

/// "/statistics/block_07".
std::string statistics_group(int64_t layer);
/// "/calibration/block_07".
std::string calibration_group(int64_t layer);

/// Signal-to-quantization-noise ratio in dB: 10 log10(sum x^2 / sum (x - y)^2); infinity where they
/// are equal.
double sqnr_db(const at::Tensor& x, const at::Tensor& y);

/// Writes sqnr_db, relative_error (|x - y| / |x|, Frobenius) and largest_error of one linear's
/// weight [out, in].
void record_weight_error(Recorder& recorder, int64_t layer, const std::string& linear,
                         const at::Tensor& weight, const at::Tensor& quantized);

/// What a sample of tokens says about a block's cache: per channel (kv_heads x head_dim) min, max,
/// mean and standard deviation of keys (where they are quantized: after RoPE or before it) and
/// values, sqnr_db of their quantized copies, and the error of attention logits,
///   logit_error = sqrt(mean over s <= t of (q_t . (khat_s - k_s))^2 / head_dim).
/// head_error is the relative error (Frobenius) of each kv head's keys and values. In `heads`, where
/// the cache is quantized, the HeadErrors that this alone makes.
void record_kv_statistics(Recorder& recorder, int64_t layer, const AttentionInputs& sample,
                          const KvCodec& codec);

/// Relative errors (Frobenius) of a block's attention, over a sample of its tokens.
struct AttentionErrors {
  double logits = 0;  ///< of q_t . k_s, s <= t
  double output = 0;  ///< of what attention returns, in front of o_proj
};

/// Compares the attention of a quantized block with that in full precision on the same hidden
/// states; every query sees every token quantized, its own too.
AttentionErrors attention_errors(const AttentionInputs& full, const AttentionInputs& quantized,
                                 const KvCodec& codec);

/// The same of every query head, [heads], float64; 0 where nothing differs.
struct HeadErrors {
  at::Tensor logits, output;
};
HeadErrors head_errors(const AttentionInputs& full, const AttentionInputs& quantized,
                       const KvCodec& codec);

}  // namespace wkvq
