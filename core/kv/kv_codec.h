#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/kv/kv_channels.h"
#include "core/kv/normal_grid.h"
#include "core/kv/row_grid.h"
#include "core/number/outliers.h"
#include "core/number/quantizer.h"

namespace wkvq {

/// The stored form of a slice of the cache: codes on a dynamic uniform grid in `rows`, of
/// directions in `normal`, on any other grid in `codes` with their frame; the sparse part beside them.
struct EncodedKv {
  Encoded rows{};
  NormalCodes normal{};
  at::Tensor balance;  ///< tile_balance of options.tile, else undefined
  at::Tensor codes;
  GridFrame frame;
  std::vector<int64_t> shape;  ///< of the rows that `codes` are groups of
  SparseEntries outliers;
  int64_t batch = 0;
  int64_t kv_heads = 0;
  at::ScalarType dtype = at::kFloat;
};

/// Quantizes keys or values [batch, kv_heads, seq, head_dim]; every element once.
class KvTensorCodec {
 public:
  KvTensorCodec() = default;  ///< identity
  /// `range` may be empty where the options need no statistics of channels.
  KvTensorCodec(const KvTensorOptions& options, const ChannelRange& range);
  /// Differentiable in the channels too.
  KvTensorCodec(const KvTensorOptions& options, const ChannelTransform& channels,
                const GridConstants& constants = {});

  bool identity() const { return options_.identity(); }
  /// Whether it takes keys before RoPE.
  bool before_rope() const { return !identity() && options_.before_rope(); }
  /// The quantized copy of `x`, same shape and dtype. Backwards, rounding is the identity.
  at::Tensor fake(const at::Tensor& x) const;
  EncodedKv encode(const at::Tensor& x) const;
  /// Back to [batch, kv_heads, seq, head_dim]; equals fake(x) bit for bit.
  at::Tensor decode(const EncodedKv& encoded) const;
  /// What is quantized: `x` after channels and rotation, same shape.
  at::Tensor transformed(const at::Tensor& x) const;
  /// Takes channels and rotation back: the inverse of `transformed`, as fake and decode apply it.
  at::Tensor restored(const at::Tensor& x) const;
  const KvTensorOptions& options() const { return options_; }
  /// [1, kv_heads, 1, head_dim] or undefined.
  const at::Tensor& shift() const { return shift_; }
  const at::Tensor& scale() const { return scale_; }
  /// What a codebook is fitted to: the elements on the grid's scale, [-1, 1] where none is an
  /// outlier, and which ones are (undefined: none); both flatten to the order of x for seq 1.
  struct Normalized {
    at::Tensor levels, outliers;
  };
  Normalized normalized(const at::Tensor& x) const;
  /// Tokens that are encoded together: 1, the group along time, or the tile.
  int64_t tokens_per_group() const {
    if (options_.tile > 0) return options_.tile;
    return options_.axis == KvAxis::kTime ? options_.group_size : 1;
  }
  /// Stored bits of one element: code, scales and minima (none where ranges are static), and the
  /// sparse part (see sparse_bits). What the calibration text fixes is shared by all tokens and not
  /// counted.
  static double stored_bits(const KvTensorOptions& options, const ModelConfig& model,
                            int64_t compute_bits);

 private:
  /// Rows split into what the grid covers and what is kept; the mask is undefined without outliers.
  struct Split {
    at::Tensor dense, outliers;
  };
  /// `x` on its way into the quantizer.
  struct Prepared {
    at::Tensor rows, balance;
  };
  Prepared prepared(const at::Tensor& x) const;
  at::Tensor from_rows(const Prepared& quantized, int64_t batch, int64_t kv_heads) const;
  Split split(const at::Tensor& rows) const;
  /// Rows as [..., groups, elements], or unchanged where a row is one group.
  at::Tensor grouped(const at::Tensor& rows) const;
  /// What clips the range of each group, as options.clip says; undefined at 1.
  ClipRatios clip_of(const at::Tensor& rows) const;
  GridFrame frame_of(const at::Tensor& groups) const;
  QuantSpec spec(int64_t seq) const;

  KvTensorOptions options_;
  at::Tensor shift_, scale_;  // [1, kv_heads, 1, head_dim] or undefined
  at::Tensor rotation_;       // [1, kv_heads, head_dim, head_dim] or undefined
  at::Tensor low_, high_;     // static ranges, [1, kv_heads, 1, head_dim] or undefined
  RowGrid grid_;
  NormalGrid normal_;
};

/// The codec of a block's cache.
struct KvCodec {
  KvTensorCodec key, value;
  bool identity() const { return key.identity() && value.identity(); }
};

}  // namespace wkvq
