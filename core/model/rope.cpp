#include "core/model/rope.h"

#include <algorithm>
#include <cmath>

#include "core/model/fused_ops.h"

namespace wkvq {
namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;
constexpr int64_t kLeastTable = 512;

at::Tensor inverse_frequencies(const RopeConfig& rope, int64_t head_dim, int64_t length,
                               const at::TensorOptions& options) {
  double theta = rope.theta;
  if (rope.scaling == RopeScaling::kDynamic && length > rope.original_max_positions) {
    const double ratio =
        static_cast<double>(length) / static_cast<double>(rope.original_max_positions);
    const auto dim = static_cast<double>(head_dim);
    theta *= std::pow(rope.factor * ratio - (rope.factor - 1.0), dim / (dim - 2.0));
  }
  const at::Tensor exponent = at::arange(0, head_dim, 2, options) / head_dim;
  at::Tensor inverse = at::pow(theta, exponent).reciprocal();
  if (!rope.factors.empty()) {
    inverse = inverse / at::tensor(at::ArrayRef<float>(rope.factors), at::kFloat).to(options);
  }
  if (rope.scaling == RopeScaling::kLinear) return inverse / rope.factor;
  if (rope.scaling != RopeScaling::kLlama3) return inverse;
  const at::Tensor turns = inverse * (static_cast<double>(rope.original_max_positions) / kTwoPi);
  const at::Tensor smooth =
      ((turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor))
          .clamp(0.0, 1.0);
  return (1.0 - smooth) * inverse / rope.factor + smooth * inverse;
}

}  // namespace

Rope::Rope(const ModelConfig& config, at::ScalarType dtype, at::Device device)
    : config_(config.rope), head_dim_(config.head_dim), dtype_(dtype), device_(device) {}

Rope::Table Rope::build(int64_t length) const {
  const at::NoGradGuard no_grad;
  const at::ScalarType exact = dtype_ == at::kDouble ? at::kDouble : at::kFloat;
  const at::TensorOptions options = at::device(at::kCPU).dtype(exact);
  const at::Tensor inverse = inverse_frequencies(config_, head_dim_, length, options);
  const at::Tensor angle = at::outer(at::arange(length, options), inverse);
  return {angle.cos().to(device_, dtype_), angle.sin().to(device_, dtype_)};
}

Rope::Table Rope::table(int64_t first_position, int64_t seq) const {
  const int64_t length = first_position + seq;
  const std::lock_guard lock(mutex_);
  const bool dynamic = config_.scaling == RopeScaling::kDynamic;
  // Doubled, so that a sequence that grows token by token does not make a table for each.
  const int64_t wanted = dynamic ? std::max(length, config_.original_max_positions)
                                 : std::max({length, kLeastTable, 2 * cached_length_});
  if (dynamic ? wanted != cached_length_ : length > cached_length_) {
    cached_ = build(wanted);
    cached_length_ = wanted;
  }
  return {cached_.cos.narrow(0, first_position, seq), cached_.sin.narrow(0, first_position, seq)};
}

at::Tensor Rope::apply(const at::Tensor& x, const Positions& positions) const {
  if (!positions.each.defined()) {
    const Table rotation = table(positions.first, x.size(2));
    return rotate_pairs(x, rotation.cos, rotation.sin);
  }
  const at::Tensor& each = positions.each;
  TORCH_CHECK(each.dim() == 1 && each.size(0) == x.size(2), "rope: positions of ", each.sizes(),
              " for input ", x.sizes());
  const Table rotation = table(0, each.max().item<int64_t>() + 1);
  return rotate_pairs(x, rotation.cos.index_select(0, each), rotation.sin.index_select(0, each));
}

}  // namespace wkvq
