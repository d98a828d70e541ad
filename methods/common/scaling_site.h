#pragma once

#include <string>
#include <vector>

#include "core/base/recorder.h"
#include "core/model/transformer.h"

namespace wkvq {

/// The places of a block where x / s and W s cancel: between a norm and the linears behind it,
/// between v_proj and o_proj (attention mixes tokens, not channels), and between up_proj and
/// down_proj.
enum class Site { kInputNorm, kPostNorm, kValueOutput, kUpDown };

/// One of them. `channels` are those of the norm's gain or of the linear in front; the `inputs` of
/// the linears behind are the same, but from v_proj to o_proj under grouped-query attention: there
/// the query heads of a kv head share its channels.
struct ScalingSite {
  std::string name;                ///< "input_norm", "post_norm", "value_output", "up_down"
  std::string input;               ///< the linear whose observed input is scaled
  std::vector<Linear*> linears;    ///< all that read this input
  at::Tensor* gain = nullptr;      ///< [channels], the norm in front; or
  Linear* producer = nullptr;      ///< [channels, ...], the linear in front
  int64_t heads = 1, sharing = 1;  ///< kv heads, and query heads that share one

  /// `x` [inputs] as [heads, sharing, inputs / (heads * sharing)]: reduce dimension 1 and flatten
  /// for a value a channel.
  at::Tensor by_channel(const at::Tensor& x) const;
  /// `s` [channels] as every input meets it, [inputs].
  at::Tensor to_inputs(const at::Tensor& s) const;
  /// Divides what comes from the front by `s` [channels] and multiplies the columns behind by it:
  /// the block computes the same. Replaces tensors, never writes into them.
  void apply(const at::Tensor& s) const;
};

/// A site of `weights`, which it points into.
ScalingSite scaling_site(Site site, const ModelConfig& model, BlockWeights& weights);

/// Largest weight of every input of the site over rows and linears, [inputs].
at::Tensor largest_weights(const ScalingSite& site);

/// SmoothQuant's scales, inputs^alpha / weights^(1 - alpha) of largest magnitudes, elementwise; 1
/// where an input is always 0.
at::Tensor smoothing_scale(const at::Tensor& inputs, const at::Tensor& weights, double alpha);

/// Writes the column `scale` of /calibration/block_NN/<site>.
void record_scale(Recorder& recorder, int64_t layer, const ScalingSite& site, const at::Tensor& s);

}  // namespace wkvq
