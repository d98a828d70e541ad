#include "core/calibration.h"

#include <utility>

#include "core/batches.h"
#include "core/masked_attention.h"
#include "core/torch_headers.h"

namespace wkvq {

CalibrationChain::CalibrationChain(ModelSource& source, std::vector<at::Tensor> tokens,
                                   int64_t keep_bytes)
    : source_(source),
      tokens_(std::move(tokens)),
      states_(static_cast<size_t>(source.config().layers) + 1) {
  int64_t bytes = 0;
  for (const at::Tensor& batch : tokens_) {
    states_.front().push_back(source.rest(source.embed(batch)));
    bytes += static_cast<int64_t>(states_.front().back().nbytes());
  }
  keep_ = bytes * (source.config().layers + 1) <= keep_bytes;
}

const std::vector<at::Tensor>& CalibrationChain::entering(int64_t layer) {
  auto known = static_cast<size_t>(layer);
  while (known > 0 && states_[known].empty()) --known;
  TORCH_CHECK(!states_[known].empty(), "calibration: states of block ", layer, " were released");
  for (; known < static_cast<size_t>(layer); ++known) {
    std::vector<at::Tensor> hidden = states_[known];
    const auto block = static_cast<int64_t>(known);
    carry(source_, block, source_.block(block), plain_attention, hidden);
    states_[known + 1] = std::move(hidden);
  }
  return states_[static_cast<size_t>(layer)];
}

void CalibrationChain::release_before(int64_t layer) {
  if (keep_) return;
  for (size_t i = 0; i < static_cast<size_t>(layer); ++i) states_[i].clear();
}

const std::vector<KvGradients>& CalibrationChain::gradients(KeyPoint point) {
  const auto found = gradients_.find(point);
  if (found != gradients_.end()) return found->second;
  return gradients_.emplace(point, kv_gradients(source_, *this, point)).first->second;
}

void carry(const ModelSource& source, int64_t layer, const BlockWeights& weights,
           const AttentionFunction& attention, std::vector<at::Tensor>& hidden) {
  for_each_batch(hidden.size(), source.options().device, [&](size_t i) {
    hidden[i] = source.rest(
        forward_block(source.config(), layer, weights, source.rope(), hidden[i], 0, attention));
  });
}

}  // namespace wkvq
