#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/yaml/yaml_node.h"
#include "core/cache/storage.h"
#include "core/calibrate/method.h"
#include "datasets/corpora/dataset.h"
#include "datasets/tasks/common/task.h"

namespace wkvq {

/// kAuto is what DtypeResolver (model_dtype.h) puts another one in the place of.
enum class ModelDtype { kFloat32, kFloat64, kBfloat16, kFloat16, kAuto };
enum class Residency { kAuto, kResident, kStreaming };
/// Where hidden states wait between two blocks.
enum class ActivationHome { kDevice, kHost };

/// `model:` of a configuration.
struct ModelOptions {
  std::string path;
  ModelDtype dtype = ModelDtype::kFloat32;
  std::string device = "cpu";  ///< cpu, cuda or cuda:i
  Residency blocks = Residency::kAuto;
  ActivationHome activations = ActivationHome::kDevice;

  void visit(OptionVisitor& v);
};

/// A data set by name; none where the task brings its own data.
struct DatasetChoice {
  std::string name;
  std::shared_ptr<Dataset> dataset;
};

/// `calibration:`; absent where the method needs none.
struct CalibrationOptions {
  DatasetChoice data;
  int64_t samples = 32;
  int64_t length = 512;
  int64_t seed = 0;  ///< 0: the first windows of the data; else which ones are drawn
  std::string from;  ///< a run file whose trained parameters are used instead of training

  void visit(OptionVisitor& v);
};

/// How an evaluation runs the model: all positions in one pass, or token by token through the
/// cache.
enum class Engine { kOnePass, kCache };

/// One entry of `evaluate:`.
struct EvaluationEntry {
  std::string name;  ///< given by the user, else empty
  std::string task_name;
  std::shared_ptr<Task> task;
  DatasetChoice data;
  std::optional<KvViewOptions> own_view;  ///< absent: the method's
  bool context_prefill = false;  ///< mode past: each request's context attends in full precision
  Engine engine = Engine::kOnePass;
  Storage storage = Storage::kSimulated;  ///< of weights and cache; packed with kCache only

  /// Short name of its data in names of metrics.
  std::string label() const { return data.dataset ? data.dataset->label() : task->label(); }
};

/// One run, fully resolved.
struct RunConfig {
  ModelOptions model;
  std::optional<CalibrationOptions> calibration;
  std::string method_name;
  std::shared_ptr<Method> method;
  std::vector<EvaluationEntry> evaluations;

  /// The view of an entry, its own or the method's.
  const KvViewOptions& view_of(const EvaluationEntry& entry) const {
    return entry.own_view ? *entry.own_view : method->kv().view;
  }
  /// "past", "past-context", ...: part of every metric's name.
  std::string kv_mode(const EvaluationEntry& entry) const;
  /// "<metric>.<data>.<kv mode>", or "<metric>.<name>" where the user named the entry.
  std::string metric_name(const EvaluationEntry& entry, const std::string& metric) const;
  /// Every effective value in the order of declaration: what the run file holds.
  std::string canonical_yaml() const;
  /// The same without what only says where content lies, which fingerprints stand for: model.path
  /// and options called `from`; data sets have their label in the place of a path.
  std::string identity_yaml() const;

 private:
  YamlNode canonical() const;
};

/// Reads one planned run strictly. ConfigError with file:line:column.
RunConfig read_run_config(const YamlNode& node);
/// Model, method and calibration of one, strictly; what it evaluates is not looked at.
RunConfig read_quantization(const YamlNode& node);

}  // namespace wkvq
