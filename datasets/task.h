#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/options.h"
#include "core/base/recorder.h"
#include "datasets/dataset.h"

namespace wkvq {

/// One sequence to run through the model; the tokens from position `score_from` (>= 1) to the end
/// are scored given all before them. `prefill` is the number of leading tokens that a deployed
/// model would process as its prompt.
struct Request {
  std::vector<int32_t> tokens;
  int64_t score_from = 1;
  int64_t prefill = 0;
};

/// What the model said of one request; vectors have one entry a scored token.
struct Scored {
  std::vector<float> nll;           ///< natural log
  std::vector<float> kl;            ///< KL(full precision || this), empty unless asked for
  std::vector<uint8_t> top1_agree;  ///< arg max equals full precision's, empty unless asked for
};

/// One reported number with all that it stands on.
struct Metric {
  std::string metric;  ///< perplexity, kl, top1_agreement, acc, ...
  double value = 0;
  double stderr_ = 0;
  int64_t n = 0;  ///< scored tokens or items
  std::string convention;
  std::map<std::string, Column> rows;  ///< raw rows, from which the value is derived
};

/// A task turns a corpus into requests and the model's answers into metrics. It never sees the
/// model.
class Task {
 public:
  virtual ~Task() = default;
  virtual void visit(OptionVisitor& v) = 0;
  virtual std::string summary() const = 0;
  /// True where full-precision log-probabilities are needed beside the quantized ones.
  virtual bool needs_full_precision() const { return false; }
  /// True where a deployed model would read the context in full precision first (choice tasks).
  virtual bool has_prefill() const { return false; }
  virtual std::vector<Request> prepare(const Corpus& corpus, int64_t max_context) = 0;
  /// `scored` in the order of prepare(). Pure: same input, same bits.
  virtual std::vector<Metric> score(const std::vector<Scored>& scored) const = 0;
};

/// Throws ConfigError naming the known ones.
std::unique_ptr<Task> make_task(const std::string& name);
std::vector<std::string> task_names();

}  // namespace wkvq
