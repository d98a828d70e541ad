#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/options/options.h"
#include "core/base/recorder.h"
#include "datasets/corpora/dataset.h"

namespace wkvq {

/// What a model writes after a request's tokens.
struct Generation {
  int64_t max_tokens = 0;         ///< 0: nothing is written
  std::vector<std::string> stop;  ///< text that ends it, itself left out
  double temperature = 0;         ///< 0: greedy
  int64_t seed = 0;               ///< of the draws at other temperatures
};

/// One sequence to run through the model; the tokens from position `score_from` (>= 1) to the end
/// are scored given all before them. `prefill` is the number of leading tokens that a deployed
/// model would process as its prompt.
struct Request {
  std::vector<int32_t> tokens;
  int64_t score_from = 1;
  int64_t prefill = 0;
  /// >= 0: the item (question) that the request belongs to; what such requests have in common is
  /// computed once.
  int64_t item = -1;
  /// Whether the convention lets the model read the last token, which predicts nothing. Matters
  /// where frequencies follow the length; of items it is never read.
  bool reads_last = true;
  Generation generation{};  ///< where it is asked for, nothing is scored
};

/// What the model said of one request; vectors have one entry a scored token.
struct Scored {
  std::vector<float> nll;            ///< natural log
  std::vector<float> kl;             ///< KL(full precision || this), empty unless asked for
  std::vector<float> full_nll;       ///< full precision's of the same tokens, where there is a KL
  std::vector<uint8_t> top1_agree;   ///< arg max equals full precision's, empty unless asked for
  std::vector<uint8_t> greedy;       ///< the token is the arg max, empty unless asked for
  std::vector<int32_t> generated;    ///< what was written; empty unless asked for
  std::vector<int32_t> followed;     ///< Task::follows: what full precision wrote, scored above
  std::vector<float> generated_nll;  ///< Task::follows: full precision's, of what was written
};

/// One reported number with all that it stands on.
struct Metric {
  std::string metric;  ///< perplexity, kl, top1_agreement, acc, ...
  double value = 0;
  double stderr_ = 0;
  int64_t n = 0;  ///< scored tokens or items
  std::string convention;
  std::map<std::string, Column> rows;  ///< raw rows, from which the value is derived
  /// Further facts, attributes of the metric's group in the run file: `windows`, `task_version`,
  /// `num_fewshot`, `limit`, ... (results/README.md)
  std::map<std::string, AttributeValue> attributes = {};
};

/// What a task makes its requests from.
struct TaskInputs {
  /// The entry's `dataset:`; null where the task brings its own data.
  const Corpus* corpus = nullptr;
  /// Tokenizer, vocabulary and name of the model; outlives the task.
  const DatasetContext* text = nullptr;
  int64_t max_context = 0;  ///< where a task's context is not given, and where it cuts
  /// The most tokens of a request where that is more: scalings of RoPE that follow the length.
  int64_t longest_context = 0;
  int64_t most() const { return std::max(max_context, longest_context); }
  /// Folder of the published sets (`--data`, WKVQ_DATA); empty: none given.
  std::filesystem::path data_folder;
};

/// A task turns a corpus, or data of its own, into requests and the model's answers into metrics.
/// It never sees the model.
class Task {
 public:
  virtual ~Task() = default;
  virtual void visit(OptionVisitor& v) = 0;
  virtual std::string summary() const = 0;
  /// False where the task brings its own data: an entry then has no `dataset:`.
  virtual bool takes_dataset() const { return true; }
  /// Stands for the data set in names of metrics where the task brings its own data.
  virtual std::string label() const { return {}; }
  /// Hash of the data and templates of a task that brings its own, or that reads a corpus by
  /// documents; empty: the corpus's fingerprint is that of the data. Valid after prepare().
  virtual std::string data_fingerprint() const { return {}; }
  /// True where full-precision log-probabilities are needed beside the quantized ones.
  virtual bool needs_full_precision() const { return false; }
  /// True where Scored::greedy is needed.
  virtual bool needs_greedy() const { return false; }
  /// True where a deployed model would read the context in full precision first (choice tasks).
  virtual bool has_prefill() const { return false; }
  /// True where requests ask for text: such an entry decodes through the cache.
  virtual bool generates() const { return false; }
  /// True where the full-precision model writes first: the quantized one is scored on that text,
  /// token by token through its cache, and writes its own; both end where max_tokens says.
  virtual bool follows() const { return false; }
  /// ConfigError where data are missing or malformed (file, line, what was expected).
  virtual std::vector<Request> prepare(const TaskInputs& inputs) = 0;
  /// `scored` in the order of prepare(). Pure: same input, same bits.
  virtual std::vector<Metric> score(const std::vector<Scored>& scored) const = 0;
};

/// The task of that name, or the one that the YAML file `name` (.yaml, .yml) declares. Throws
/// ConfigError naming the known ones.
std::unique_ptr<Task> make_task(const std::string& name);
std::vector<std::string> task_names();

}  // namespace wkvq
