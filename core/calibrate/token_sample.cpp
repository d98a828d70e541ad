#include "core/calibrate/token_sample.h"

#include <algorithm>

#include "core/device/torch_headers.h"

namespace wkvq {

TokenSample::TokenSample(const std::vector<at::Tensor>& batches, int64_t limit) {
  int64_t total = 0;
  for (const at::Tensor& batch : batches) total += batch.size(0) * batch.size(1);
  const int64_t count = std::min(limit, total);
  std::vector<at::Tensor> positions;
  int64_t first = 0, next = 0;
  for (const at::Tensor& batch : batches) {
    const int64_t tokens = batch.size(0) * batch.size(1);
    std::vector<int64_t> chosen;
    for (; next < count && next * total / count < first + tokens; ++next)
      chosen.push_back(next * total / count - first);
    index_.push_back(at::tensor(chosen, at::kLong));
    positions.push_back(index_.back().remainder(batch.size(1)));
    first += tokens;
  }
  positions_ = at::cat(positions);
}

at::Tensor TokenSample::take(size_t i, const at::Tensor& x) const {
  return x.transpose(1, 2).flatten(0, 1).index_select(0, index_[i].to(x.device()));
}

}  // namespace wkvq
