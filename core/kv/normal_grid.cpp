#include "core/kv/normal_grid.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "core/device/torch_headers.h"
#include "core/kv/row_grid.h"
#include "core/number/codebook.h"
#include "core/number/fixed_random.h"

namespace wkvq {

namespace {

/// Sum over the last dimension, kept, in an order that does not depend on the shape in front of it:
/// a token alone gives the same bits as among others.
at::Tensor ordered_sum(at::Tensor x) {
  for (int64_t n = x.size(-1); n > 1; n = x.size(-1)) {
    const int64_t half = n / 2;
    const at::Tensor folded = x.narrow(-1, 0, half) + x.narrow(-1, half, half);
    x = n % 2 == 0 ? folded : at::cat({folded, x.narrow(-1, n - 1, 1)}, -1);
  }
  return x;
}

at::Tensor length(const at::Tensor& x) {
  return ordered_sum(x * x).sqrt();
}

/// The fixed matrix [n, n] of standard normal numbers, filled row by row.
at::Tensor projection(int64_t n, const at::Tensor& x) {
  std::vector<double> numbers(static_cast<size_t>(n * n));
  FixedRandom random;
  for (double& number : numbers) number = random.normal();
  return at::tensor(numbers, at::kDouble).view({n, n}).to(x.options());
}

}  // namespace

NormalGrid::NormalGrid(const KvTensorOptions& options) : options_(options) {
  codebook_ = normal_codebook(int64_t{1} << (options.bits - (options.qjl ? 1 : 0)));
  const int64_t inner = codebook_.numel() - 1;
  boundaries_ = (codebook_.narrow(0, 0, inner) + codebook_.narrow(0, 1, inner)) / 2;
}

NormalCodes NormalGrid::encode(const at::Tensor& groups) const {
  const double spread = std::sqrt(static_cast<double>(groups.size(-1)));
  const at::Tensor norm = length(groups);
  const at::Tensor direction = groups / at::where(norm > 0, norm, 1);
  NormalCodes encoded{.norm = as_stored(norm, options_.scale_dtype)};
  encoded.codes =
      at::bucketize(direction * spread, boundaries_.to(groups.options()), /*out_int32=*/true)
          .to(at::kByte);
  if (!options_.qjl) return encoded;
  const at::Tensor nearest = codebook_.to(groups.options())
                                 .index_select(0, encoded.codes.flatten().to(at::kInt))
                                 .view(groups.sizes());
  const at::Tensor rest = direction - nearest / spread;
  encoded.residual = as_stored(length(rest), options_.scale_dtype);
  const at::Tensor sign = at::matmul(rest, projection(groups.size(-1), groups).t()) >= 0;
  encoded.codes = encoded.codes * 2 + sign.to(at::kByte);
  return encoded;
}

at::Tensor NormalGrid::decode(const NormalCodes& encoded) const {
  const auto channels = static_cast<double>(encoded.codes.size(-1));
  const at::Tensor codes = options_.qjl ? at::bitwise_right_shift(encoded.codes, 1) : encoded.codes;
  const at::Tensor levels = codebook_.to(encoded.norm.options())
                                .index_select(0, codes.flatten().to(at::kInt))
                                .view(codes.sizes());
  if (options_.norm_correction) return levels * (encoded.norm / length(levels));
  at::Tensor direction = levels / std::sqrt(channels);
  if (options_.qjl) {
    const at::Tensor sign = at::bitwise_and(encoded.codes, 1).to(direction.scalar_type()) * 2 - 1;
    const at::Tensor back = at::matmul(sign, projection(encoded.codes.size(-1), sign));
    direction =
        direction + back * (encoded.residual * (std::sqrt(std::numbers::pi / 2) / channels));
  }
  return direction * encoded.norm;
}

double NormalGrid::stored_bits(const KvTensorOptions& options, int64_t width,
                               int64_t compute_bits) {
  const int64_t group = options.group_size == -1 ? width : options.group_size;
  const auto lengths = static_cast<double>((width + group - 1) / group * (options.qjl ? 2 : 1));
  return static_cast<double>(options.bits) +
         lengths * static_cast<double>(scale_bits(options.scale_dtype, compute_bits)) /
             static_cast<double>(width);
}

}  // namespace wkvq
