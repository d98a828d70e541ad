#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/run/progress.h"
#include "core/calibrate/calibration.h"
#include "core/model/model_source.h"
#include "datasets/tokenizers/tokenizer.h"
#include "experiments/config/run_config.h"

namespace wkvq {

/// A loaded model with its tokenizer (null where the folder has none).
struct LoadedModel {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::unique_ptr<ModelSource> source;
  std::unique_ptr<Tokenizer> tokenizer;
  std::string fingerprint;

  /// The token a text begins with when sampled: BOS where the tokenizer adds it, else EOS, else
  /// token 0.
  int64_t start_token() const;
};

/// A task with the requests it made; shared by all entries that ask for the same.
struct PreparedTask {
  std::shared_ptr<const Task> task;
  std::vector<Request> requests;
  std::string data_fingerprint;
};

/// What the runs of a sweep share: models, corpora, the full-precision model's hidden states.
/// Nothing here changes a result; it only saves doing the same work again.
class Session {
 public:
  /// `cache` is the folder for sampled text, `data` that of the tasks' published sets (may be
  /// empty).
  explicit Session(std::filesystem::path cache, std::filesystem::path data = {})
      : cache_(std::move(cache)), data_(std::move(data)) {}

  /// Sampling of text says on `sink` how far it is; without this call nothing is said.
  void show_progress(ProgressSink sink) { progress_ = std::move(sink); }
  const std::optional<ProgressSink>& progress() const { return progress_; }

  LoadedModel& model(const ModelOptions& options);
  /// The corpus of `choice` for `model`.
  const Corpus& corpus(const ModelOptions& options, const DatasetChoice& choice);
  /// The requests of `entry`'s task for `model`.
  const PreparedTask& requests(const ModelOptions& options, const EvaluationEntry& entry);
  /// The full-precision chain of calibration `windows`; shared by runs where it can be kept whole.
  std::shared_ptr<CalibrationChain> calibration(const ModelOptions& options,
                                                const std::vector<std::vector<int32_t>>& windows);
  /// Hidden states that leave the full-precision model, kept by `key`; null where they were not
  /// stored.
  const std::vector<at::Tensor>* full_precision(const std::string& key) const;
  void store_full_precision(const std::string& key, std::vector<at::Tensor> hidden);

 private:
  /// What data sets and tasks see of a model.
  const DatasetContext& context(const ModelOptions& options);
  std::vector<std::vector<int32_t>> sampled(LoadedModel& model, int64_t count, int64_t length,
                                            int64_t seed);

  /// Says `text` on stderr, once a session.
  void tell(const std::string& text);

  std::filesystem::path cache_, data_;
  std::set<std::string> told_;
  std::optional<ProgressSink> progress_;
  std::map<std::string, LoadedModel> models_;
  std::map<std::string, Corpus> corpora_;
  std::map<std::string, DatasetContext> contexts_;
  std::map<std::string, PreparedTask> tasks_;
  std::map<std::string, std::shared_ptr<CalibrationChain>> calibrations_;
  std::map<std::string, std::vector<at::Tensor>> full_precision_;
};

/// torch's names of the options. ConfigError where the device does not exist here.
at::ScalarType torch_dtype(ModelDtype dtype);
at::Device torch_device(const std::string& device);

}  // namespace wkvq
