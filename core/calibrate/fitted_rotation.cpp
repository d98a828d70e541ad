#include "core/calibrate/fitted_rotation.h"

#include <fmt/format.h>

#include <vector>

#include "core/device/finite.h"
#include "core/device/torch_headers.h"
#include "core/number/hadamard.h"

namespace wkvq {

namespace {

/// Tokens of a kv head, [kv_heads, tokens, head_dim] in float64: x is [batch, heads, seq, head_dim],
/// its heads in runs that share one.
at::Tensor by_kv_head(const at::Tensor& x, int64_t kv_heads) {
  return x.to(at::kDouble).unflatten(1, {kv_heads, -1}).permute({1, 0, 2, 3, 4}).flatten(1, 3);
}

at::Tensor gram(const at::Tensor& x) {
  return at::matmul(x.transpose(-1, -2), x);
}

/// Where the n channels of a matrix come from, so that neighbours are far apart: bits reversed.
std::vector<int64_t> bit_reversed(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n), 0);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t bit = 1, other = n / 2; bit < n; bit *= 2, other /= 2)
      if (i & bit) order[static_cast<size_t>(i)] |= other;
  return order;
}

/// Of n = m 2^k channels, every m-th in turn: each part of 2^k gets strong and weak ones.
std::vector<int64_t> dealt(int64_t n) {
  const int64_t parts = n / (n & -n);
  std::vector<int64_t> order;
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t i = part; i < n; i += parts) order.push_back(i);
  return order;
}

void add(at::Tensor& sum, const at::Tensor& x) {
  sum = sum.defined() ? sum + x : x;
}

/// Covariances of one block.
struct Covariances {
  at::Tensor query, key, value, weighted;
};

Covariances covariances_of(const BlockContext& context) {
  Covariances sums;
  const std::vector<at::Tensor>& hidden = context.inputs_quantized();
  const int64_t kv_heads = context.model.kv_heads;
  const auto inputs = [&](const at::Tensor& x) {
    return attention_inputs(context.model, context.block.weights, context.rope, x, 0);
  };
  for (const at::Tensor& x : hidden) {
    const AttentionInputs in = inputs(x);
    add(sums.query, gram(by_kv_head(in.query, kv_heads)));
    add(sums.key, gram(by_kv_head(in.key, kv_heads)));
    add(sums.value, gram(by_kv_head(in.value, kv_heads)));
  }
  for (const at::Tensor& x : hidden) {
    const AttentionInputs in = inputs(x);
    const at::Tensor key = by_kv_head(in.key, kv_heads), value = by_kv_head(in.value, kv_heads);
    const at::Tensor weight = (at::matmul(key, sums.query) * key).sum(-1, /*keepdim=*/true);
    add(sums.weighted, at::matmul((value * weight).transpose(-1, -2), value));
  }
  return sums;
}

}  // namespace

at::Tensor spreading_rotation(const at::Tensor& covariance) {
  const auto [values, vectors] = at::linalg_eigh(covariance.to(at::kCPU, at::kDouble));
  const int64_t n = covariance.size(-1);
  const at::Tensor by_eigenvalue = vectors.flip({-1});
  if (is_power_of_two(n))
    return hadamard(by_eigenvalue).index_select(-1, at::tensor(bit_reversed(n), at::kLong));
  return hadamard_parts(by_eigenvalue.index_select(-1, at::tensor(dealt(n), at::kLong)));
}

FittedRotations fit_rotations(const BlockContext& context, const KvOptions& options) {
  FittedRotations fitted;
  if (!options.fits_rotation()) return fitted;
  const at::NoGradGuard no_grad;
  const Covariances sums = covariances_of(context);
  const auto fit = [&](const KvTensorOptions& side, const at::Tensor& queries,
                       const at::Tensor& own, const char* name) {
    if (!side.fits_rotation()) return at::Tensor();
    const at::Tensor& chosen = side.rotate == KvRotation::kQueries ? queries : own;
    require_finite(chosen, fmt::format("covariance of block_{:02}/{}", context.layer, name));
    return spreading_rotation(chosen).to(chosen.device());
  };
  fitted.key = fit(options.key, sums.query, sums.key, "key");
  fitted.value = fit(options.value, sums.weighted, sums.value, "value");
  return fitted;
}

}  // namespace wkvq
