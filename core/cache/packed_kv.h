#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/kernels/packed_kernels.h"
#include "core/kernels/packed_layout.h"
#include "core/kv/kv_codec.h"

namespace wkvq {

struct DeviceKernels;

/// Throws ConfigError where the "keys" or "values" (`who`) cannot be packed: they need 2, 3, 4 or 8
/// bits on a dynamic uniform grid of form B, groups within a token and head whose size is a
/// multiple of 32 that divides head_dim (-1: all of it), or of keys 16, 32 or 64 tokens along time,
/// and head_dim a multiple of 32 from 32 to 256.
void check_packable(const char* who, const KvTensorOptions& options, int64_t head_dim);

/// How check_packable's options store one head.
KvFormat packed_format(const KvTensorOptions& options, int64_t head_dim, bool is_key);

/// The packed past of one block: codes, scales and minima of the keys and values of `batch`
/// sequences of unequal length, in pages of kPageTokens tokens that are never copied. A page is
/// [kv_heads] of a key part and a value part (packed_layout.h). Scales and minima of scale_dtype
/// compute are stored in float32. Keys may be ahead of values, as KIVI's windows want it.
class PackedKv {
 public:
  struct Shape {
    int64_t batch = 1, kv_heads = 0, head_dim = 0;
    at::Device device = at::kCPU;  ///< where pages lie; the channels of the codec too
  };
  /// `name` begins every message. `device`: what works on the pages in place of `kernels`; a CUDA
  /// device has its own. Throws ConfigError, see check_packable.
  PackedKv(const KvCodec& codec, const Shape& shape, std::string name = "packed cache",
           const PackedKernels& kernels = packed_kernels().front(),
           const DeviceKernels* device = nullptr);

  /// Encodes and appends the next keys and the next values of sequence `row`, each exactly once;
  /// key and value [kv_heads, n, head_dim], where n may differ and holds whole groups along time.
  /// Throws c10::Error where one is not finite, naming token and head; a device is
  /// waited for to know.
  void append(int64_t row, const at::Tensor& key, const at::Tensor& value);

  /// Tokens in float32 memory of the CPU: token t of head h at h * head_stride + t * stride.
  struct Tokens {
    const float* data;
    int64_t head_stride, stride, count;
  };
  /// The same of plain memory, one after the other. Not of codecs that rotate.
  void append(int64_t row, const Tokens& key, const Tokens& value);

  int64_t tokens(int64_t row, bool is_key) const {
    return (is_key ? key_counts_ : value_counts_)[static_cast<size_t>(row)];
  }
  /// Those with key and value.
  int64_t tokens(int64_t row) const { return std::min(tokens(row, true), tokens(row, false)); }
  const Shape& shape() const { return shape_; }
  const KvCodec& codec() const { return codec_; }
  const PackedKernels& kernels() const { return kernels_; }
  /// Null where the pages belong to `kernels()`.
  const DeviceKernels* device_kernels() const { return device_; }
  const KvFormat& format(bool is_key) const { return is_key ? key_ : value_; }

  /// The keys or values of a sequence, [1, kv_heads, tokens of them, head_dim] in float32: equals
  /// KvTensorCodec::fake of what was appended, bit for bit. For tests and conversion: attention
  /// reads the codes.
  at::Tensor decode(int64_t row, bool is_key) const;

  /// Bytes of the tokens stored: KvTensorCodec::stored_bits an element.
  int64_t stored_bytes() const;
  /// Bytes of all pages, the unfilled ends of the last ones included.
  int64_t allocated_bytes() const;

  /// Pages of a sequence, and where the part of a head begins in each of them.
  const unsigned char* const* pages(int64_t row) const {
    return starts_[static_cast<size_t>(row)].data();
  }
  int64_t part_offset(int64_t head, bool is_key) const {
    return kv_part_offset(key_, value_, head, is_key);
  }

 private:
  int64_t page_bytes() const { return shape_.kv_heads * (key_.page_bytes() + value_.page_bytes()); }
  void grow(int64_t row, int64_t tokens);
  void check_shape(const at::Tensor& x, bool is_key) const;
  void append_head(int64_t row, int64_t head, const Tokens& x, bool is_key);
  void append_on_device(int64_t row, const at::Tensor& key, const at::Tensor& value);

  KvCodec codec_;
  Shape shape_;
  std::string name_;
  PackedKernels kernels_;
  const DeviceKernels* device_;
  KvFormat key_, value_;
  std::vector<std::vector<at::Tensor>> pages_;       // [batch]: bytes
  std::vector<std::vector<unsigned char*>> starts_;  // the same, plain
  std::vector<int64_t> key_counts_, value_counts_;   // [batch]
};

}  // namespace wkvq
