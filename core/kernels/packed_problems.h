#pragma once

#include "core/kernels/packed_layout.h"
#include "core/kernels/weight_format.h"

// What the kernels of packed codes work on.
namespace wkvq {

/// One head's keys or values of one token, or of one group along time, on their way into a page.
struct KvAppend {
  KvPart part;
  int64_t slot;        ///< first token of the page; codes are still zero
  const float* x;      ///< [dim], along time [group, dim]
  int64_t stride;      ///< of `x`, from token to token
  const float* shift;  ///< [dim]; x' = (x - shift) / scale is what is quantized. May be null
  const float* scale;  ///< likewise
};

/// A run of tokens of one kv head of one sequence, at most kSpanPages pages: keys packed, values
/// packed or exact.
struct DecodeSpan {
  KvFormat key, value;
  const unsigned char* const* pages;
  int64_t key_offset, value_offset;  ///< bytes from the beginning of a page to this head's part
  int64_t begin, end;                ///< tokens seen, counted from the first page's; not empty
  bool more;                 ///< whether `pages` goes on behind the span: what is read next, likely
  const float* exact_value;  ///< [end - begin, dim]: values in full precision; null: packed
  const float* query;        ///< [rows, dim], scaled
  int64_t rows;
  float* scratch;  ///< [kDecodeRows, kSpanTokens], 64 bytes aligned
  float* top;      ///< [rows]: largest score
  float* total;    ///< [rows]: sum of exp(score - top)
  float* sums;     ///< [rows, dim]: sum of exp(score - top) times the values before channels
};

constexpr int64_t kSpanPages = 8;
constexpr int64_t kSpanTokens = kSpanPages * kPageTokens;
/// Rows of queries that share the unpacking of a code.
constexpr int64_t kDecodeRows = 8;

/// Tokens [begin, end) in full precision of one kv head of one sequence.
struct ExactSpan {
  const float *key, *value;  ///< token t at t * stride
  int64_t stride, dim;
  int64_t begin, end;
  const float* query;   ///< [rows, dim], scaled
  const float* offset;  ///< [rows], subtracted from all scores of a row
  const int64_t*
      hidden;  ///< [rows]: tokens at the end that a row does not see; it sees one at least
  int64_t rows;
  float* scratch;             ///< [end - begin]
  float *top, *total, *sums;  ///< as in DecodeSpan
};

/// y = x W^T with a packed weight. Inputs that were rounded to whole numbers under a scale for
/// every 32 of them may come as those too: products are then sums of whole numbers, which are
/// exact, before any scale.
struct PackedProduct {
  WeightFormat format;
  const uint32_t* codes;         ///< [panels, padded_in * bits / 32, 16]
  const unsigned char* scales;   ///< [panels, groups, 16]
  const unsigned char* offsets;  ///< [panels, groups, ...]: zero points or minima
  const float* x;                ///< [rows, padded_in], zeros behind `in`
  const float* sums;             ///< [rows, groups]: sum of x over each group
  int64_t rows;
  float* y;  ///< [rows, panels * 16]
  /// [rows, padded_in], every 32 of them in the order of input_place(); null: products with x.
  const int8_t* whole = nullptr;
  const float* whole_scales = nullptr;  ///< [rows, padded_in / 32]
  /// What every code stands for, [2^bits], on the CPU; null: of whole numbers.
  const float* table = nullptr;
};

/// Whether inputs may come as whole numbers beside weights of so many bits.
constexpr bool multiplies_whole(int64_t bits) {
  return bits == 2 || bits == 4 || bits == 8;
}

/// Where input i of 32 stands: the four that meet the bytes of a word of codes, shifted by 0, `bits`
/// and so on, follow each other.
constexpr int64_t input_place(int64_t bits, int64_t i) {
  const int64_t shifts = 8 / bits, of_word = i % (32 / bits);
  return (i / (32 / bits) * shifts + of_word % shifts) * 4 + of_word / shifts;
}

}  // namespace wkvq
