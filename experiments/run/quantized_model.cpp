#include "experiments/run/quantized_model.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_state.h"
#include "core/base/run/run_summary.h"
#include "core/calibrate/pipeline.h"
#include "core/calibrate/statistics.h"
#include "core/device/torch_headers.h"
#include "experiments/config/model_dtype.h"
#include "experiments/config/plan.h"
#include "experiments/run/learned_files.h"
#include "experiments/run/runner.h"
#include "experiments/run/silent_recorder.h"
#include "experiments/score/storage.h"
#include "experiments/session/sampled_text_check.h"

namespace wkvq {

namespace {

bool is_run_file(const std::filesystem::path& path) {
  return path.extension() == ".h5" || path.extension() == ".hdf5";
}

/// The configuration of a run file, which must be a finished one.
YamlNode configuration_of_run(const std::filesystem::path& path) {
  require_harmless(path);
  const RunSummary run = read_run(path);
  if (run.status != "done")
    config_error("{}: its status is '{}'; expected a run that is done", path.string(), run.status);
  const auto yaml = hdf5::Reader(path).attribute("/config", "yaml");
  const std::string* text = yaml ? std::get_if<std::string>(&*yaml) : nullptr;
  if (!text) config_error("{}: no configuration in it", path.string());
  return parse_yaml(*text, path.string());
}

YamlNode configuration_of_file(const std::filesystem::path& path) {
  const SweepFile file = load_sweep(path, {});
  if (file.runs.size() != 1)
    config_error("{}: {} runs; expected one (take the sweep out)", path.string(), file.runs.size());
  return file.runs.front().config;
}

/// Puts `folder` in the place of model.path.
void set_model(YamlNode& node, const std::string& folder) {
  const auto source = std::make_shared<const std::string>("--model");
  const auto value_of = [&](YamlNode& map, const char* key, const YamlNode& absent) -> YamlNode& {
    if (!map.find(key)) map.entries.push_back({YamlNode::scalar(key, false), absent});
    YamlEntry& entry = *map.find(key);
    if (!entry.key.source) entry.key.source = entry.value.source = source;
    return entry.value;
  };
  YamlNode& path = value_of(value_of(node, "model", YamlNode::map()), "path", YamlNode());
  path = YamlNode::scalar(folder, true);
  path.source = source;
}

/// What is packed takes the place of blocks in full precision, which need not stay.
void release_blocks(ModelOptions& model) {
  if (model.blocks == Residency::kAuto) model.blocks = Residency::kStreaming;
}

}  // namespace

RunConfig read_request(const QuantizationRequest& request) {
  YamlNode node = parse_yaml_argument("{method: {name: rtn}}", "generate");
  if (!request.config.empty())
    node = is_run_file(request.config) ? configuration_of_run(request.config)
                                       : configuration_of_file(request.config);
  if (!request.model.empty()) set_model(node, request.model);
  RunConfig config = read_quantization(node);
  if (!request.device.empty()) config.model.device = request.device;
  if (request.storage == Storage::kPacked) release_blocks(config.model);
  DtypeResolver().resolve(config.model);
  return config;
}

RunConfig read_packed_configuration(const PackedFile& file, const std::string& model) {
  YamlNode node = parse_yaml(file.facts().configuration, file.path().string());
  if (!model.empty()) set_model(node, model);
  RunConfig config = read_quantization(node);
  release_blocks(config.model);
  return config;
}

std::vector<QuantizedBlock> packed_blocks(const PackedFile& file, const RunConfig& config,
                                          Session& session) {
  const LoadedModel& model = session.model(config.model);
  if (model.fingerprint != file.facts().model_fingerprint)
    config_error("{}: packed from another model than '{}'", file.path().string(),
                 config.model.path);
  const ModelConfig& architecture = model.checkpoint->config();
  check_packed_storage(config, config.method->kv().view, architecture);
  const SourceOptions& source = model.source->options();
  const std::optional<ActivationOptions> activation = config.method->token_activation();
  if (!activation)
    config_error("{}: its method quantizes inputs in a way that packed files do not hold",
                 file.path().string());
  return file.blocks(
      architecture,
      {.activation = *activation,
       .kv_of = [&](int64_t layer) { return config.method->kv_of(layer, architecture); }},
      at::TensorOptions().dtype(source.dtype).device(source.device));
}

std::vector<QuantizedBlock> quantize_model(const QuantizationRequest& request,
                                           const RunConfig& config, Session& session) {
  LoadedModel& model = session.model(config.model);
  const ModelConfig& architecture = model.checkpoint->config();
  config.method->check(architecture);
  for (int64_t layer = 0; layer < architecture.layers; ++layer)
    check_kv_options(config.method->kv_of(layer, architecture), config.method->kv().view,
                     architecture);
  const bool packed = request.storage == Storage::kPacked;
  if (packed) check_packed_storage(config, config.method->kv().view, architecture);
  std::filesystem::path from = config.calibration ? config.calibration->from : std::string();
  if (is_run_file(request.config)) {
    const hdf5::Reader run(request.config);
    if (!run.datasets(calibration_group(0) + "/parameters").empty()) from = request.config;
    const auto of = run.attribute("/", "model_fingerprint");
    if (from == request.config && of != AttributeValue(model.fingerprint))
      config_error("{}: its trained parameters belong to another model than '{}'",
                   request.config.string(), config.model.path);
  }
  if (!from.empty() && from != request.config)
    run_with_parameters(from, model.fingerprint, architecture.layers);
  check_sampled_text(config, session);
  LearnedFiles learned({}, from);
  SilentRecorder recorder;
  const auto chain = calibration_chain(config, session);
  BlockPass pass{.learned = from.empty() ? nullptr : &learned,
                 .calibration = chain.get(),
                 .keep_blocks = !packed,
                 .keep_packed = packed};
  std::optional<Progress> progress;
  if (chain && session.progress()) {
    progress.emplace(fmt::format("calibrating blocks of {}", config.model.path),
                     architecture.layers, *session.progress());
    pass.on_block = [&](int64_t done) { progress->reach(static_cast<double>(done)); };
    pass.on_share = [&](double done) { progress->reach(done); };
  }
  run_blocks(*model.source, *config.method, pass, recorder);
  return std::move(packed ? pass.packed_blocks : pass.blocks);
}

}  // namespace wkvq
