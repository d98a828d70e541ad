#include "core/kv/kv_codec.h"

#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "core/kv/tile_balance.h"
#include "core/number/hadamard.h"

namespace wkvq {

namespace {

at::Tensor over_tokens(const at::Tensor& x) {
  return x.defined() ? x.unsqueeze(0).unsqueeze(2) : x;
}

/// `fitted` is the rotation of options that fits_rotation(), its Hadamard matrix included.
at::Tensor rotated(const at::Tensor& x, const KvTensorOptions& options, const at::Tensor& fitted) {
  if (options.rotate == KvRotation::kNone) return x;
  if (options.rotate == KvRotation::kHadamard) return hadamard(x);
  if (options.rotate == KvRotation::kSigned) return hadamard_parts(x * fixed_signs(x.size(-1), x));
  TORCH_CHECK(fitted.defined(), "kv codec: rotate: queries or own without a fitted rotation");
  return at::matmul(x, fitted.to(x.options()));
}

at::Tensor rotated_back(const at::Tensor& x, const KvTensorOptions& options,
                        const at::Tensor& fitted) {
  if (options.rotate == KvRotation::kNone) return x;
  if (options.rotate == KvRotation::kHadamard) return hadamard(x);
  if (options.rotate == KvRotation::kSigned) return hadamard_parts(x) * fixed_signs(x.size(-1), x);
  return at::matmul(x, fitted.to(x.options()).transpose(-1, -2));
}

}  // namespace

KvTensorCodec::KvTensorCodec(const KvTensorOptions& options, const ChannelRange& range)
    : KvTensorCodec(options, static_channels(options, range)) {}

KvTensorCodec::KvTensorCodec(const KvTensorOptions& options, const ChannelTransform& channels,
                             const GridConstants& constants)
    : options_(options),
      shift_(over_tokens(channels.shift)),
      scale_(over_tokens(channels.scale)),
      rotation_(channels.rotation.defined() ? channels.rotation.unsqueeze(0) : at::Tensor()),
      low_(over_tokens(constants.low)),
      high_(over_tokens(constants.high)) {
  if (options.fits_grid()) grid_ = RowGrid(options, constants);
  if (options.grid == KvGrid::kNormal && !options.identity()) normal_ = NormalGrid(options);
}

QuantSpec KvTensorCodec::spec(int64_t seq) const {
  const bool time = options_.axis == KvAxis::kTime;
  return {.bits = options_.bits,
          .group_size = time ? std::min(options_.group_size, seq) : options_.group_size,
          .form = options_.form,
          .range = QuantRange::kRaw,
          .scale_dtype = options_.scale_dtype,
          .format = options_.format};
}

at::Tensor KvTensorCodec::transformed(const at::Tensor& x) const {
  at::Tensor y = widened(x);
  if (shift_.defined()) y = y - shift_;
  if (scale_.defined()) y = y / scale_;
  return rotated(y, options_, rotation_);
}

KvTensorCodec::Prepared KvTensorCodec::prepared(const at::Tensor& x) const {
  at::Tensor y = transformed(x), balance;
  if (options_.tile > 0) {
    balance = tile_balance(y.detach(), options_);
    y = y / over_tiles(balance, options_, y.size(2));
  }
  if (options_.axis == KvAxis::kTime) {
    y = y.transpose(2, 3);
  } else if (options_.group_scope == GroupScope::kToken) {
    y = y.transpose(1, 2).flatten(2);
  }
  return {y.contiguous(), balance};
}

at::Tensor KvTensorCodec::from_rows(const Prepared& quantized, int64_t batch,
                                    int64_t kv_heads) const {
  const at::Tensor& rows = quantized.rows;
  at::Tensor x = rows;
  if (options_.axis == KvAxis::kTime) {
    x = rows.transpose(2, 3);
  } else if (options_.group_scope == GroupScope::kToken) {
    x = rows.reshape({batch, rows.size(1), kv_heads, -1}).transpose(1, 2);
  }
  if (quantized.balance.defined()) x = x * over_tiles(quantized.balance, options_, x.size(2));
  return restored(x);
}

at::Tensor KvTensorCodec::restored(const at::Tensor& x) const {
  at::Tensor y = rotated_back(x, options_, rotation_);
  if (scale_.defined()) y = y * scale_;
  if (shift_.defined()) y = y + shift_;
  return y;
}

KvTensorCodec::Split KvTensorCodec::split(const at::Tensor& rows) const {
  if (options_.range == KvRange::kStatic) {
    TORCH_CHECK(low_.defined(), "kv codec: range: static without calibration statistics");
    const at::Tensor inside = at::minimum(at::maximum(rows, low_), high_);
    if (options_.outliers == 0) return {inside, {}};
    return {inside, (rows < low_) | (rows > high_)};
  }
  if (options_.outliers == 0) return {rows, {}};
  // The median lies on every grid's inside: an outlier widens no range (as KVQuant's code does it).
  const OutlierThresholds limits = outlier_thresholds(rows, options_.outliers);
  const at::Tensor beyond = (rows < limits.low) | (rows > limits.high);
  return {at::where(beyond, limits.median, rows), beyond};
}

at::Tensor KvTensorCodec::grouped(const at::Tensor& rows) const {
  if (options_.range == KvRange::kStatic || options_.group_size == -1) return rows;
  return rows.unflatten(-1, {-1, options_.group_size});
}

ClipRatios KvTensorCodec::clip_of(const at::Tensor& rows) const {
  if (options_.clip == 1) return {};
  const int64_t width = rows.size(-1);
  const int64_t group = options_.group_size == -1 ? width : std::min(options_.group_size, width);
  const at::Tensor ratio =
      at::full({rows.numel() / width, (width + group - 1) / group}, options_.clip, rows.options());
  return {ratio, ratio};
}

GridFrame KvTensorCodec::frame_of(const at::Tensor& groups) const {
  if (options_.range == KvRange::kStatic) return grid_.frame(low_, high_);
  return grid_.frame(groups.amin(-1, true), groups.amax(-1, true));
}

at::Tensor KvTensorCodec::fake(const at::Tensor& x) const {
  if (identity()) return x;
  const auto [rows, balance] = prepared(x);
  const Split parts = split(rows);
  at::Tensor quantized;
  if (options_.fits_grid()) {
    const at::Tensor groups = grouped(parts.dense.detach());
    const GridFrame frame = frame_of(groups);
    quantized = grid_.values(grid_.codes(groups, frame), frame).view(rows.sizes());
  } else if (options_.grid == KvGrid::kNormal) {
    quantized = normal_.decode(normal_.encode(grouped(parts.dense.detach()))).view(rows.sizes());
  } else {
    const ClipRatios clip = clip_of(rows);
    quantized = clip.high.defined() ? fake_quantize_clipped(parts.dense, clip, spec(x.size(2)))
                                    : fake_quantize(parts.dense, spec(x.size(2)));
  }
  // Adds an exact zero whose gradient is that of the input; fake_quantize has a gradient itself.
  if (parts.dense.requires_grad() && !quantized.requires_grad())
    quantized = quantized + (parts.dense - parts.dense.detach());
  if (parts.outliers.defined()) quantized = at::where(parts.outliers, rows, quantized);
  return from_rows({quantized, balance}, x.size(0), x.size(1)).to(x.scalar_type());
}

EncodedKv KvTensorCodec::encode(const at::Tensor& x) const {
  TORCH_CHECK(!identity(), "kv codec: 16 bits has no codes");
  const auto [rows, balance] = prepared(x);
  const Split parts = split(rows);
  EncodedKv encoded{
      .balance = balance, .batch = x.size(0), .kv_heads = x.size(1), .dtype = x.scalar_type()};
  if (options_.fits_grid()) {
    const at::Tensor groups = grouped(parts.dense);
    encoded.frame = frame_of(groups);
    encoded.codes = grid_.codes(groups, encoded.frame);
    encoded.shape = rows.sizes().vec();
  } else if (options_.grid == KvGrid::kNormal) {
    encoded.normal = normal_.encode(grouped(parts.dense));
    encoded.shape = rows.sizes().vec();
  } else {
    encoded.rows = wkvq::encode(parts.dense, spec(x.size(2)), clip_of(rows));
  }
  if (parts.outliers.defined()) encoded.outliers = sparse_entries(rows, parts.outliers);
  return encoded;
}

at::Tensor KvTensorCodec::decode(const EncodedKv& encoded) const {
  at::Tensor rows;
  if (options_.fits_grid()) {
    rows = grid_.values(encoded.codes, encoded.frame).view(encoded.shape);
  } else if (options_.grid == KvGrid::kNormal) {
    rows = normal_.decode(encoded.normal).view(encoded.shape);
  } else {
    rows = wkvq::decode(encoded.rows);
  }
  if (encoded.outliers.defined()) encoded.outliers.put_into(rows);
  return from_rows({rows, encoded.balance}, encoded.batch, encoded.kv_heads).to(encoded.dtype);
}

KvTensorCodec::Normalized KvTensorCodec::normalized(const at::Tensor& x) const {
  const Split parts = split(prepared(x).rows);
  const at::Tensor groups = grouped(parts.dense);
  const GridFrame frame = frame_of(groups);
  return {(groups - frame.offset) / frame.step, parts.outliers};
}

double KvTensorCodec::stored_bits(const KvTensorOptions& options, const ModelConfig& model,
                                  int64_t compute_bits) {
  if (options.identity()) return static_cast<double>(compute_bits);
  KvTensorCodec codec;
  codec.options_ = options;
  const double balance = balance_bits(options, model.head_dim, compute_bits);
  if (options.axis == KvAxis::kTime)
    return codec.spec(options.group_size).bits_per_value(options.group_size, compute_bits) +
           balance;
  const int64_t token = model.head_dim * model.kv_heads;
  const int64_t width = options.group_scope == GroupScope::kHead ? model.head_dim : token;
  if (options.grid == KvGrid::kNormal) return NormalGrid::stored_bits(options, width, compute_bits);
  const bool is_static = options.range == KvRange::kStatic;
  double bits = is_static ? static_cast<double>(options.bits)
                          : codec.spec(1).bits_per_value(width, compute_bits) + balance;
  if (options.outliers == 0) return bits;
  const double kept = is_static
                          ? options.outliers
                          : 2.0 * static_cast<double>(outliers_per_end(options.outliers, width)) /
                                static_cast<double>(width);
  return bits + sparse_bits(kept, token, compute_bits);
}

}  // namespace wkvq
