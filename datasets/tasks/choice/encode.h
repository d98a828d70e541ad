#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/corpora/corpus.h"
#include "datasets/tasks/common/task.h"

namespace wkvq {

/// Requests for the likelihood of a continuation after a context, as lm-evaluation-harness makes
/// them: white space at the end of the context goes over to the continuation; both are tokenized
/// together; the continuation's tokens are what is left of that after as many as the context alone
/// has. An empty context is one BOS, else EOS. What is too long loses its beginning.
class PairEncoder {
 public:
  /// The model reads at most `max_context` tokens; the last token of a request is not read.
  PairEncoder(const DatasetContext& context, BosRule bos, int64_t max_context)
      : context_(context), bos_(bos), max_context_(max_context) {}

  /// `score_from` and `prefill` are the length of the context. ConfigError opens with `place`: no
  /// token to score, more than the model reads, an id outside the vocabulary.
  Request encode(std::string context, std::string continuation, const std::string& place);

  int64_t requests() const { return requests_; }
  /// Requests that lost tokens.
  int64_t truncated() const { return truncated_; }

 private:
  Request after_nothing(const std::string& continuation, const std::string& place) const;
  const std::vector<int32_t>& tokens_of(const std::string& context);

  const DatasetContext& context_;
  BosRule bos_;
  int64_t max_context_;
  int64_t requests_ = 0;
  int64_t truncated_ = 0;
  // The choices of an item follow each other: the context is tokenized once.
  std::string last_context_;
  std::vector<int32_t> last_tokens_;
};

}  // namespace wkvq
