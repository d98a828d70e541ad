#pragma once

#include <ATen/ATen.h>

#include "core/base/files/tensor_file.h"

namespace wkvq {

/// True where `entry` is stored in blocks of a quantized GGUF type.
bool in_blocks(const TensorEntry& entry);

/// All values of `entry`, stored in blocks, on the CPU. Values are decoded in float32 and then
/// rounded to `dtype`; beside the result at most 16 MiB are used.
at::Tensor decode_blocks(const TensorEntry& entry, at::ScalarType dtype);

/// Rows `ids` [n] (int64, below the row count) of the matrix `entry`: [n, columns].
at::Tensor decode_block_rows(const TensorEntry& entry, const at::Tensor& ids, at::ScalarType dtype);

/// Weight or bias `values` [heads * head_dim, ...] with its rows 2i and 2i + 1 of each head moved
/// to i and i + head_dim / 2.
at::Tensor separate_pairs(const at::Tensor& values, int64_t head_dim);

}  // namespace wkvq
