#pragma once

#include <ATen/core/Tensor.h>

#include "core/base/options/options.h"
#include "core/number/weight_codes.h"

namespace wkvq {

/// How GPTQ rounds one weight (Frantar et al., arXiv 2210.17323).
struct GptqOptions {
  double damping = 0.01;       ///< added to the Hessian's diagonal, relative to its mean
  bool act_order = false;      ///< columns by falling Hessian diagonal
  bool static_groups = false;  ///< grids of all groups from the weight as it was
  int64_t block_size = 128;    ///< columns whose effect on later blocks is applied at once

  void visit(OptionVisitor& v);
};

/// What enters a linear: sums over tokens, at any common scale.
struct InputMoments {
  InputMoments(at::Tensor second_moments, at::Tensor deviations = {})
      : hessian(std::move(second_moments)), deviation(std::move(deviations)) {}

  at::Tensor hessian;    ///< of x x^T, [in, in], float32 or float64
  at::Tensor deviation;  ///< GPTAQ: of alpha (xf - x) x^T, xf in full precision; may be undefined
};

struct GptqResult {
  at::Tensor weight;                         ///< quantized, shape and dtype of the input
  std::shared_ptr<const WeightCodes> codes;  ///< null unless asked for
  double damping = 0;                        ///< the one that the factorization took
  int64_t dead_columns = 0;  ///< inputs that were never other than 0; their weights became 0
};

/// Whether groups are cut from permuted columns, which codes of neighbouring columns cannot hold.
bool permutes_groups(const GptqOptions& options, const QuantSpec& spec);

/// Rounds `weight` [out, in] column by column to the grid of `spec` and lets the columns not yet
/// rounded make up for the error, which keeps the output on inputs x of second moments H near the
/// original:
///   inv(H + damping mean(diag H) I) = U^T U
///   e_i = (w_i - Q(w_i)) / U_ii
///   w_j -= e_i U_ij for j > i
/// With deviations D of these inputs from those in full precision (GPTAQ, arXiv 2504.02692) it is
/// the output on the latter that is kept near:
///   P = triu(D U^T, 1) U,  w_j -= e_i U_ij - w_i P_ij, w_i as it was before it was rounded.
/// A group's grid comes from its columns as they are when the first of them is rounded; with
/// act_order groups are cut from the permuted columns, unless static_groups. Damping rises tenfold
/// until the factorization succeeds. Throws c10::Error where no damping helps (values that are not
/// finite). With `keep_codes` the codes too, unless permutes_groups() or one grid is for all rows.
GptqResult gptq_solve(const at::Tensor& weight, const InputMoments& inputs, const QuantSpec& spec,
                      const GptqOptions& options, bool keep_codes = false);

}  // namespace wkvq
