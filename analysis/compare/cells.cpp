#include "analysis/compare/cells.h"

#include "analysis/compare/significance.h"

namespace wkvq {

Cell value_cell(const Evaluation& evaluation) {
  return {.kind = Cell::Kind::kNumber,
          .value = evaluation.value,
          .error = evaluation.stderr_,
          .n = evaluation.n,
          .convention = evaluation.convention};
}

Cell difference_cell(const Comparison& comparison) {
  const PairedDifference& difference = comparison.difference;
  return {.kind = Cell::Kind::kNumber,
          .value = difference.value,
          .error = difference.standard_error,
          .n = comparison.clusters,
          .stars = significant_stars(difference.value / difference.standard_error,
                                     static_cast<double>(comparison.clusters - 1)),
          .convention = comparison.first.convention};
}

}  // namespace wkvq
