#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/corpora/corpus.h"
#include "datasets/tasks/common/task.h"
#include "datasets/tasks/common/token_scores.h"

namespace wkvq {

/// The windows in which `tokens` are scored once each, as loglikelihood_rolling of
/// lm-evaluation-harness cuts them for a model that reads `length` tokens: the first holds `prefix`
/// and the first `length` tokens, each next one the last token before it and `length` new ones; the
/// last is extended to the left until it is as long as the others. The last token of a window is
/// only scored, so a window is one longer than what the model reads of it. `length` >= 1; no tokens
/// give no windows.
std::vector<Request> rolling_windows(const std::vector<int32_t>& tokens, int32_t prefix,
                                     int64_t length);

/// Perplexity of documents as lm-evaluation-harness counts it (loglikelihood_rolling; task wikitext
/// on data set wikitext2): documents apart, windows of rolling_windows, sums over all documents.
///
/// With L the sum of log-likelihoods: `word_perplexity` = exp(-L / words), `byte_perplexity` =
/// exp(-L / bytes), `bits_per_byte` = -L / (bytes ln 2), words and bytes those of the original
/// texts. Their standard errors are the ratio estimator's over documents (clustered_ratio), by the
/// delta method; NaN with one document; rows, one a document: document, nll, words or bytes.
/// Besides, the metrics of TokenScores with "rolling_" in front, clustered by document. `n` is the
/// number of scored tokens throughout.
class RollingPerplexityTask final : public Task {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool needs_full_precision() const override { return kl_; }
  std::string data_fingerprint() const override { return fingerprint_; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  /// NLL a unit of the original texts, not yet exponentiated.
  Metric by_unit(const std::string& name, const std::vector<double>& nll,
                 const std::vector<int64_t>& units, const std::string& unit) const;

  int64_t context_ = 0;
  int64_t documents_ = 0;
  BosRule bos_ = BosRule::kTokenizer;
  bool kl_ = false;
  std::vector<int64_t> words_, bytes_;  ///< by document
  std::vector<size_t> document_of_request_;
  TokenScores scores_;
  std::string fingerprint_;
};

}  // namespace wkvq
