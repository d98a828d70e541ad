#include "core/calibrate/calibration.h"

#include <fmt/format.h>

#include <utility>

#include "core/attention/masked_attention.h"
#include "core/device/batches.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"

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

int64_t CalibrationChain::known_before(int64_t layer) const {
  while (layer >= 0 && states_[static_cast<size_t>(layer)].empty()) --layer;
  return layer;
}

bool CalibrationChain::reaches(int64_t layer) const {
  return known_before(layer) >= 0;
}

void CalibrationChain::carry_on(int64_t layer, std::vector<at::Tensor>& hidden) const {
  carry(source_, layer, source_.block(layer), plain_attention, hidden);
  int64_t sample = 0;
  for (const at::Tensor& batch : hidden) {
    if (const auto place = first_not_finite(batch))
      throw NotFiniteError(model_not_finite(
          source_.options().dtype,
          fmt::format("hidden states that leave block {}, calibration text, sequence {}, position "
                      "{}",
                      layer, sample + (*place)[0], (*place)[1])));
    sample += batch.size(0);
  }
}

const std::vector<at::Tensor>& CalibrationChain::entering(int64_t layer) {
  const int64_t known = known_before(layer);
  TORCH_CHECK(known >= 0, "calibration: states of block ", layer, " were released");
  for (int64_t block = known; block < layer; ++block) {
    std::vector<at::Tensor> hidden = states_[static_cast<size_t>(block)];
    carry_on(block, hidden);
    states_[static_cast<size_t>(block) + 1] = std::move(hidden);
  }
  return states_[static_cast<size_t>(layer)];
}

const std::vector<at::Tensor>& CalibrationChain::advance_to(int64_t layer) {
  if (keep_) return entering(layer);
  const int64_t known = known_before(layer);
  TORCH_CHECK(known >= 0, "calibration: states of block ", layer, " were released");
  std::vector<at::Tensor> hidden = std::move(states_[static_cast<size_t>(known)]);
  release_before(layer);
  for (int64_t block = known; block < layer; ++block) carry_on(block, hidden);
  states_[static_cast<size_t>(layer)] = std::move(hidden);
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
