#include "experiments/config/run_config.h"

#include <fmt/format.h>

#include <set>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "core/base/options/options_text.h"
#include "core/base/options/options_yaml.h"
#include "core/base/yaml/yaml_text.h"
#include "methods/registry.h"

namespace wkvq {

namespace {

const std::vector<std::string>& storage_names() {
  static const std::vector<std::string> names{"simulated", "packed"};
  return names;
}

DatasetChoice read_dataset(YamlMap map) {
  DatasetChoice choice;
  choice.dataset = map.located("name", [&] {
    choice.name = map.take_string("name");
    return std::shared_ptr<Dataset>(make_dataset(choice.name));
  });
  map.read(*choice.dataset);
  map.finish();
  return choice;
}

EvaluationEntry read_evaluation(YamlMap& map) {
  EvaluationEntry entry;
  entry.task = map.located("task", [&] {
    entry.task_name = map.take_string("task");
    return std::shared_ptr<Task>(make_task(entry.task_name));
  });
  if (entry.task->takes_dataset()) entry.data = read_dataset(map.take_map("dataset"));
  map.read(*entry.task);
  struct Common {
    EvaluationEntry& entry;
    void visit(OptionVisitor& v) {
      v("name", entry.name, "name in tables instead of data set and KV mode");
      v("context_prefill", entry.context_prefill, "mode past: contexts attend in full precision");
      v.choice("engine", entry.engine, {"one_pass", "cache"},
               "one pass, or decoding token by token");
      v.choice("storage", entry.storage, storage_names(),
               "engine cache: decode from what codes stand for, or from packed codes");
      if (entry.name.find('/') != std::string::npos)
        v.reject("name", "expected no '/': the run file keeps each number in a group of its name");
      if (entry.task->generates() && entry.engine != Engine::kCache)
        v.reject("engine", "expected cache: the task has the model write text");
      if (entry.storage == Storage::kPacked && entry.engine != Engine::kCache)
        v.reject("storage",
                 "expected simulated: one pass reads no cache; packed needs a task that "
                 "has the model write text, or engine: cache");
    }
  };
  entry.context_prefill = entry.task->has_prefill();
  if (entry.task->generates()) entry.engine = Engine::kCache;
  Common common{entry};
  map.read(common);
  if (map.find("view")) {
    KvViewOptions view;
    YamlMap view_map = map.take_map("view");
    view_map.read(view);
    view_map.finish();
    entry.own_view = view;
  }
  map.finish();
  return entry;
}

void write_dataset(YamlWriter& writer, const DatasetChoice& choice) {
  writer.begin_map("dataset");
  writer.text("name", choice.name);
  writer.write(*choice.dataset);
  writer.end();
}

/// Everything of a run but what it evaluates.
RunConfig read_quantization(YamlMap& map, const YamlNode& node) {
  RunConfig config;
  if (const YamlEntry* section = node.find("sensitivity"))
    config_error("{}: sensitivity: is for `wkvq sensitivity`; expected a file without it",
                 section->key.where());
  YamlMap model = map.take_map("model");
  model.read(config.model);
  model.finish();

  YamlMap method = map.take_map("method");
  config.method = method.located("name", [&] {
    config.method_name = method.take_string("name");
    return std::shared_ptr<Method>(make_method(config.method_name));
  });
  method.read(*config.method);
  method.finish();

  if (map.find("calibration")) {
    YamlMap calibration = map.take_map("calibration");
    CalibrationOptions options;
    options.data = read_dataset(calibration.take_map("dataset"));
    calibration.read(options);
    if (!options.from.empty() && !config.method->trains())
      calibration.reject(
          "from", fmt::format("method {} trains nothing; expected a method that trains (omniquant, "
                              "wkvquant), or no 'from'",
                              config.method_name));
    calibration.finish();
    config.calibration = options;
  } else if (config.method->calibration_needs() != CalibrationNeeds::kNone) {
    config_error(
        "{}: method: these options need calibration text; expected a key 'calibration' with a "
        "dataset",
        node.where());
  }
  return config;
}

/// The map or list under `key`, which must be there.
YamlNode& child(YamlNode& map, std::string_view key) {
  return map.find(key)->value;
}

void erase(YamlNode& map, std::string_view key) {
  std::erase_if(map.entries, [&](const YamlEntry& entry) { return entry.key.text == key; });
}

/// Options called `from` name run files, whose ids are among the fingerprints.
void erase_origins(YamlNode& map) {
  erase(map, "from");
  for (YamlEntry& entry : map.entries) erase_origins(entry.value);
}

/// Names of metrics come from the label, so it stays.
void label_instead_of_path(YamlNode& map, const DatasetChoice& choice) {
  if (!choice.dataset) return;
  if (YamlEntry* path = child(map, "dataset").find("path"))
    path->value = YamlNode::scalar(choice.dataset->label(), true);
}

/// Two metrics of one name would overwrite each other. A task's name stands for its metrics; tasks
/// with data of their own may share one label and report acc.
void require_distinct_names(const RunConfig& config) {
  std::set<std::string> names;
  for (const EvaluationEntry& entry : config.evaluations) {
    const std::string name =
        config.metric_name(entry, entry.data.dataset ? entry.task_name : "acc");
    if (!names.insert(name).second)
      config_error("evaluate: two entries would report '{}'; give one of them a `name:`", name);
  }
}

}  // namespace

void ModelOptions::visit(OptionVisitor& v) {
  v("path", path, "folder with config.json and safetensors, or a GGUF file");
  v.choice(
      "dtype", dtype, {"float32", "float64", "bfloat16", "float16", "auto"},
      "dtype of the computation; auto: the checkpoint's, but float32 for half types on the CPU");
  v("device", device, "cpu, cuda or cuda:<index>");
  v.choice("blocks", blocks, {"auto", "resident", "streaming"},
           "keep blocks in memory, or load them one at a time; auto: resident up to a quarter of "
           "memory");
  v.choice("activations", activations, {"device", "host"},
           "where hidden states wait between two blocks; host: pinned memory, for texts that a "
           "device cannot hold");
  if (path.empty()) v.reject("path", "missing; expected a model folder or a GGUF file");
}

void CalibrationOptions::visit(OptionVisitor& v) {
  v("samples", samples, "windows of calibration text");
  v("length", length, "tokens of a window");
  v("seed", seed, "0: the first windows of the data; else seed of the draw of windows");
  v("from", from, "run file whose trained parameters are used instead of training");
  if (samples < 1) v.reject("samples", fmt::format("{}; expected at least 1", samples));
  if (length < 2) v.reject("length", fmt::format("{}; expected at least 2", length));
  if (seed < 0) v.reject("seed", fmt::format("{}; expected 0 or more", seed));
  check_at_most(v, "samples", samples, kMostSamples);
  check_at_most(v, "length", length, kMostTokens);
  check_tokens_in_all(v, "samples", samples, length);
}

std::string RunConfig::kv_mode(const EvaluationEntry& entry) const {
  const KvViewOptions& view = view_of(entry);
  std::string mode = view.name();
  if (entry.context_prefill && view.mode == ViewMode::kPast) mode += "-context";
  if (entry.engine == Engine::kCache) mode += "-cache";
  return mode;
}

std::string RunConfig::metric_name(const EvaluationEntry& entry, const std::string& metric) const {
  if (!entry.name.empty()) return metric + "." + entry.name;
  return fmt::format("{}.{}.{}", metric, entry.label(), kv_mode(entry));
}

RunConfig read_run_config(const YamlNode& node) {
  YamlMap map(node, "");
  RunConfig config = read_quantization(map, node);
  for (YamlMap& entry : map.take_maps("evaluate"))
    config.evaluations.push_back(read_evaluation(entry));
  if (config.evaluations.empty())
    config_error("{}: evaluate: expected at least one entry", node.where());
  map.finish();
  require_distinct_names(config);
  return config;
}

RunConfig read_quantization(const YamlNode& node) {
  YamlMap map(node, "");
  RunConfig config = read_quantization(map, node);
  map.find("evaluate");  // known, that is all
  map.finish();
  return config;
}

std::string RunConfig::canonical_yaml() const {
  return block_text(canonical());
}

std::string RunConfig::identity_yaml() const {
  YamlNode node = canonical();
  erase(child(node, "model"), "path");
  erase_origins(child(node, "method"));
  if (calibration) {
    erase_origins(child(node, "calibration"));
    label_instead_of_path(child(node, "calibration"), calibration->data);
  }
  for (size_t i = 0; i < evaluations.size(); ++i)
    label_instead_of_path(child(node, "evaluate").items[i], evaluations[i].data);
  return block_text(node);
}

YamlNode RunConfig::canonical() const {
  YamlWriter writer;
  ModelOptions model_options = model;
  writer.begin_map("model");
  writer.write(model_options);
  writer.end();
  writer.begin_map("method");
  writer.text("name", method_name);
  writer.write(*method);
  writer.end();
  if (calibration) {
    CalibrationOptions options = *calibration;
    writer.begin_map("calibration");
    write_dataset(writer, options.data);
    writer.write(options);
    writer.end();
  }
  writer.begin_list("evaluate");
  for (const EvaluationEntry& entry : evaluations) {
    writer.begin_item();
    writer.text("task", entry.task_name);
    if (entry.data.dataset) write_dataset(writer, entry.data);
    writer.write(*entry.task);
    writer.text("name", entry.name);
    writer.text("kv_mode", kv_mode(entry));
    if (entry.engine == Engine::kCache)
      writer.text("storage", storage_names()[static_cast<size_t>(entry.storage)]);
    writer.end();
  }
  writer.end();
  return writer.root();
}

}  // namespace wkvq
