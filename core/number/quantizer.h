#pragma once

#include <ATen/core/Tensor.h>

#include "core/number/fake_quant.h"
#include "core/number/quant_spec.h"

namespace wkvq {

/// x' = decode(encode(x)) along the last dimension of `x`, fused. Differentiable: rounding is the
/// identity backwards, the range of a group passes its gradient to the elements that set it. 16
/// bits returns `x` itself. Throws c10::Error where the group does not fit.
at::Tensor fake_quantize(const at::Tensor& x, const QuantSpec& spec);

/// The same with every group's range clipped; differentiable in the ratios too. `clip` holds
/// [rows, groups] in the dtype of `x`, both defined.
at::Tensor fake_quantize_clipped(const at::Tensor& x, const ClipRatios& clip,
                                 const QuantSpec& spec);

/// The stored form of a tensor.
struct Encoded {
  EncodedGroups groups;
  QuantPlan plan;
  at::ScalarType dtype;
};

/// Codes, scales and offsets of `x`, its ranges clipped where `clip` is defined; spec is not the
/// identity.
Encoded encode(const at::Tensor& x, const QuantSpec& spec, const ClipRatios& clip = {});

/// Equals fake_quantize(x, spec), or fake_quantize_clipped(x, clip, spec), bit for bit.
at::Tensor decode(const Encoded& encoded);

/// The grid of one group a row (per tensor: one for all), held fixed while values on it change.
struct GroupGrid {
  at::Tensor scale, offset;  ///< [rows] or [1], compute dtype; offset as in EncodedGroups
  QuantPlan plan;

  /// The codes nearest to `x` [..., rows], whole numbers in the dtype of the grid; form C: from
  /// -2^(bits-1) on; of formats other than integers the elements themselves.
  at::Tensor codes(const at::Tensor& x) const;
  /// What `codes` stand for; of the nearest ones bit for bit what fake_quantize gives with this
  /// grid.
  at::Tensor values(const at::Tensor& codes) const;
  /// The bytes that `codes` are stored as.
  at::Tensor stored(const at::Tensor& codes) const;
  at::Tensor nearest(const at::Tensor& x) const { return values(codes(x)).to(x.scalar_type()); }
};

/// The grid that fake_quantize(x, spec) puts each row of `x` [rows, n] on, the row taken as one
/// group whatever spec.group_size is.
GroupGrid group_grid(const at::Tensor& x, QuantSpec spec);

}  // namespace wkvq
