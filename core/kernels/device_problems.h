#pragma once

#include "core/kernels/packed_problems.h"

// What the kernels of a device work on. All pointers are the device's own.
namespace wkvq {

/// Tokens of one sequence on their way into its pages: x' = (x - shift) / scale is quantized.
struct DeviceAppend {
  struct Side {  ///< keys or values
    KvFormat format;
    const float* x;               ///< [kv_heads, tokens, dim]
    int64_t head_stride, stride;  ///< of `x`: from head to head, from token to token
    const float *shift, *scale;   ///< [kv_heads, dim], or null
    int64_t first;                ///< place of the first token in its sequence
    int64_t tokens;               ///< along time: whole groups
    unsigned char* const* pages;  ///< from that of the first token on; their new places are zero
  };
  Side key, value;
  int64_t kv_heads;
  int* wrong;  ///< becomes the smallest (token * kv_heads + head) * 2 + (0 key, 1 value) that is
               ///< not finite; tokens counted from the beginning of the sequence
};

/// Tokens of one sequence that a block attends to: packed ones of up to kSpanPages pages, those
/// with a packed key and an exact value, or exact ones, up to kSpanTokens.
struct DeviceSpan {
  const unsigned char* pages[kSpanPages];  ///< the first is null: exact keys
  const float *key, *value;  ///< exact: token begin + t of head h at (h * capacity + t) * dim;
                             ///< null: packed
  int64_t capacity;
  int64_t batch;
  int64_t begin, end;  ///< packed: counted from the first page's first token
  int64_t own;         ///< exact: query j of the step sees tokens up to own + j
};

/// Decode attention of a batch: spans one by one, then their sums.
struct DeviceDecode {
  KvFormat key, value;
  const DeviceSpan* spans;  ///< those of a sequence lie together, in order of tokens
  const int64_t* firsts;    ///< [batch + 1]: the first span of a sequence, and the end
  int64_t span_count, batch, kv_heads;
  int64_t rows;                 ///< queries that share a kv head: query heads times steps
  int64_t steps;                ///< row r is query r % steps of the step
  const float *plain, *folded;  ///< [batch, kv_heads, rows, dim], scaled, for exact and packed keys
  const float* offset;          ///< [batch, kv_heads, rows], subtracted from scores of exact keys
  float *top, *total;           ///< [span_count, kv_heads, rows], as in DecodeSpan
  float* sums;                  ///< [span_count, kv_heads, rows, dim]
  float *packed, *exact;        ///< [batch, kv_heads, rows, dim]: the results of either kind
  float* share;                 ///< [batch, kv_heads, rows]: weight of the packed tokens
};

/// Rows of [batch, heads, seq, dim], elements of a row without gaps. Half types: rows begin at
/// multiples of 16 bytes.
struct DeviceRows {
  const void* data;  ///< of the kernel's type; may be null
  int64_t batch, head, row;
};

/// masked_attention: query t, at position first + t, sees token s as in AttentionProblem.
struct DeviceAttention {
  int64_t first, seq, dim, batch, heads, kv_heads;
  DeviceRows query, key, value, key_hat, value_hat;
  void* out;                                        ///< [batch, seq, heads, dim]
  const int64_t *key_bound, *value_bound, *lowest;  ///< [seq], none of them ever decreasing
  float scale;                                      ///< of the scores
};

}  // namespace wkvq
