#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/compare/paired_statistics.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// One evaluation of an open run file.
struct EvaluationRows {
  const hdf5::Reader& file;
  const Evaluation& evaluation;

  std::string group() const { return "/evaluation/" + evaluation.name; }
};

/// The raw rows of one evaluation in two runs, item by item or token by token the same.
struct PairedRows {
  PairedSums sums;
  std::string value;    ///< column that is compared: nll, kl, agree, correct, score
  std::string cluster;  ///< window, document or item
  std::string unit;     ///< what one weight is: token, word, byte or item
  /// Items of columns `correct`: their ids in order, to tell which flipped.
  std::vector<std::string> items;
};

/// ConfigError, saying what differs, where the evaluations do not stand on the same data, or the
/// same convention, or the same rows, or where they have no rows that can be paired. Whether an
/// item is right comes from `correct`, from `prediction` and `label`, or (one continuation) from
/// `greedy`; the NLL of one continuation is that of `ll`.
PairedRows pair_rows(const EvaluationRows& first, const EvaluationRows& second);

/// What one run gave to each cluster of an evaluation.
struct ClusterSums {
  std::vector<double> sums, weight;
  std::string value, unit;              ///< as in PairedRows
  std::string data;                     ///< equal where pair_rows() would take two evaluations
  std::vector<std::string> items = {};  ///< of `correct`: as in PairedRows
};

/// True of rows of items that are right or wrong.
bool has_items(const EvaluationRows& rows);

/// One side of pair_rows(). ConfigError where it has no rows that can be paired.
ClusterSums cluster_sums(const EvaluationRows& rows);

}  // namespace wkvq
