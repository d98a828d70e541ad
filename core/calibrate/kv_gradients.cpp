#include "core/calibrate/kv_gradients.h"

#include "core/attention/masked_attention.h"
#include "core/calibrate/calibration.h"
#include "core/calibrate/token_sample.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

using torch::autograd::grad;

// Positions whose logits exist at a time.
constexpr int64_t kLogitRows = 128;

at::Tensor leaf(const at::Tensor& x) {
  return x.detach().requires_grad_();
}

/// Gradient of the summed next-token NLL, over `predicted`, with respect to `hidden` [windows, seq,
/// hidden] leaving the last block.
at::Tensor head_gradient(const Head& head, const at::Tensor& hidden, const at::Tensor& tokens,
                         double predicted) {
  at::Tensor gradient = at::zeros_like(hidden, head.device());
  const int64_t last = hidden.size(1) - 1;
  for (int64_t window = 0; window < hidden.size(0); ++window)
    for (int64_t t = 0; t < last; t += kLogitRows) {
      const int64_t rows = std::min(kLogitRows, last - t);
      const at::Tensor input = leaf(hidden[window].narrow(0, t, rows).to(head.device()));
      const at::Tensor logits = widened(head.logits(input));
      const at::Tensor next = tokens[window].narrow(0, t + 1, rows).to(logits.device());
      const at::Tensor loss = at::cross_entropy_loss(logits, next, {}, at::Reduction::Sum);
      gradient[window].narrow(0, t, rows).copy_(grad({loss / predicted}, {input})[0]);
    }
  return gradient;
}

/// Replaces `gradient`, of the output of a block on `hidden`, by that of its input; returns those
/// of keys and values.
KvGradients through_block(ModelSource& source, int64_t layer, const at::Tensor& hidden,
                          KeyPoint point, at::Tensor& gradient) {
  const at::Tensor input = leaf(hidden.to(gradient.device()));
  at::Tensor key, value;
  const AttentionFunction attention = [&](const AttentionInputs& in) {
    key = point == KeyPoint::kBeforeRope ? in.key_before_rope : in.key;
    value = in.value;
    return plain_attention(in);
  };
  const at::Tensor output = forward_block(source.config(), layer, source.block(layer),
                                          source.rope(), input, 0, attention);
  const auto gradients = grad({output}, {input, key, value}, {gradient});
  gradient = gradients[0];
  return {gradients[1], gradients[2]};
}

}  // namespace

std::vector<KvGradients> kv_gradients(ModelSource& source, CalibrationChain& chain,
                                      KeyPoint point) {
  const at::AutoGradMode with_gradients(true);
  const int64_t layers = source.config().layers;
  const std::vector<at::Tensor>& tokens = chain.tokens();
  int64_t predicted = 0;
  for (const at::Tensor& batch : tokens) predicted += batch.size(0) * (batch.size(1) - 1);
  const Head head = source.head();
  const std::vector<at::Tensor>& leaving = chain.entering(layers);
  std::vector<at::Tensor> gradient;
  for (size_t i = 0; i < tokens.size(); ++i)
    gradient.push_back(head_gradient(head, leaving[i], tokens[i], static_cast<double>(predicted)));
  const TokenSample sample(tokens, kCodebookTokens);
  std::vector<KvGradients> blocks(static_cast<size_t>(layers));
  for (int64_t layer = layers; layer-- > 0;) {
    std::vector<at::Tensor> keys, values;
    const std::vector<at::Tensor>& entering = chain.entering(layer);
    for (size_t i = 0; i < tokens.size(); ++i) {
      const KvGradients g = through_block(source, layer, entering[i], point, gradient[i]);
      keys.push_back(sample.take(i, g.key).to(at::kFloat).square());
      values.push_back(sample.take(i, g.value).to(at::kFloat).square());
    }
    blocks[static_cast<size_t>(layer)] = {at::cat(keys), at::cat(values)};
  }
  return blocks;
}

}  // namespace wkvq
