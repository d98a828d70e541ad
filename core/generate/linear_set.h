#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/kernels/packed_problems.h"
#include "core/kernels/team.h"
#include "core/model/transformer.h"
#include "core/number/packed_weight.h"
#include "core/number/quantized_rows.h"

namespace wkvq {

/// Rows of float32 numbers, one every `stride`.
struct PlainRows {
  float* data = nullptr;
  int64_t stride = 0;

  float* row(int64_t r) const { return data + r * stride; }
};

/// Linears of one input on the CPU over plain float32 memory, in one loop of a team; the input may be
/// quantized token by token. Packed weights give the bits of Linear::operator(); weights in float32
/// have products of their own here, whose sums have another order than the library's.
class LinearSet {
 public:
  /// Why linears cannot be a set, e.g. "an observed linear"; empty where they can.
  static std::string unsupported(const std::vector<const Linear*>& linears);

  LinearSet() = default;
  explicit LinearSet(const std::vector<const Linear*>& linears);

  /// Strides that rows must have: of the input, with zeros behind its end, and of output i.
  int64_t input_stride() const;
  int64_t output_stride(size_t i) const;
  /// Floats that run() needs for so many rows.
  int64_t scratch(int64_t rows) const;

  /// outputs[i] = linear i of the first `rows` rows of `x`. `sums`: see scratch().
  void run(Team& team, const float* x, int64_t rows, const std::vector<PlainRows>& outputs,
           float* sums);

 private:
  struct Part {
    Linear linear;
    int64_t out = 0, in = 0;
    int64_t step = 0;  ///< outputs of a task
    int64_t tasks = 0;
    size_t sums_of = 0;       ///< packed: the part whose sums over groups serve this one too
    int64_t sums_at = 0;      ///< where they begin, a row
    PackedProduct product{};  ///< packed: of the rows at hand
  };
  void run_task(const Part& part, int64_t task, const float* x, const PlainRows& y,
                int64_t rows) const;

  std::vector<Part> parts_;
  std::optional<QuantizedRows> input_;  ///< where the input is quantized
  int64_t tasks_ = 0, sums_ = 0;
};

}  // namespace wkvq
