#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/calibrate/pipeline.h"
#include "experiments/config/run_config.h"
#include "experiments/score/request_batches.h"
#include "experiments/session/session.h"

namespace wkvq {

/// An entry of `evaluate:` turned into batches.
struct PreparedEvaluation {
  const EvaluationEntry* entry = nullptr;
  std::string kv_mode;
  KvViewOptions view;
  const PreparedTask* made = nullptr;  ///< requests and the task that made them; the session's
  std::string batches_key;  ///< equal for entries whose full-precision hidden states are equal
  std::vector<RequestBatch> batches;

  const Task& task() const { return *made->task; }
  const std::vector<Request>& requests() const { return made->requests; }
  bool needs_reference() const { return task().needs_full_precision(); }
  /// For messages: "perplexity on wiki, KV mode past".
  std::string where() const;
};

/// Loads the data of every entry and cuts it into batches; checks views against the model.
/// ConfigError before any work.
std::vector<PreparedEvaluation> prepare_evaluations(const RunConfig& config, Session& session);

/// The most resident memory that a process of this run alone is expected to reach, in bytes: see
/// process_memory and process_question.
double estimated_bytes(const RunConfig& config, Session& session);

/// Told which share of a piece of work is done, 0 to 1, by the thread that began it; may be empty.
using ShareTold = std::function<void(double share)>;

/// Scores an entry from the hidden states that left the last block, one tensor a batch; `reference`
/// is empty or those of the full precision model.
std::vector<Scored> score_evaluation(const Head& head, const PreparedEvaluation& prepared,
                                     const std::vector<at::Tensor>& hidden,
                                     const std::vector<at::Tensor>& reference,
                                     const ShareTold& told = {});

/// The batches of `prepared` embedded, ready for the blocks.
Stream embed_stream(const ModelSource& source, const PreparedEvaluation& prepared,
                    bool full_precision);

/// The hidden states of `prepared` through the quantized blocks token by token; blocks and caches
/// are of the entry's storage.
std::vector<at::Tensor> decode_stream(ModelSource& source, const PreparedEvaluation& prepared,
                                      const std::vector<QuantizedBlock>& blocks,
                                      const ShareTold& told = {});

}  // namespace wkvq
