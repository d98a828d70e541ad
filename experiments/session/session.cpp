#include "experiments/session/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/checkpoint/model_notes.h"
#include "core/base/checkpoint/model_path.h"
#include "core/base/checkpoint/process_memory.h"
#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/options/options_text.h"
#include "core/base/yaml/yaml_text.h"
#include "core/device/cuda_backend.h"
#include "core/device/device_stream.h"
#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "core/kernels/cpu_isa.h"
#include "experiments/session/sampled_text.h"

namespace wkvq {

namespace {

int64_t resident_budget(Residency blocks) {
  if (blocks == Residency::kStreaming) return 0;
  if (blocks == Residency::kResident) return std::numeric_limits<int64_t>::max();
  return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE) / 4;
}

std::string model_key(const ModelOptions& options) {
  return fmt::format("{}|{}|{}|{}|{}", options.path, static_cast<int>(options.dtype),
                     options.device, static_cast<int>(options.blocks),
                     static_cast<int>(options.activations));
}

int64_t bytes_of(const std::vector<at::Tensor>& tensors) {
  int64_t bytes = 0;
  for (const at::Tensor& x : tensors) bytes += static_cast<int64_t>(x.nbytes());
  return bytes;
}

std::vector<at::Tensor> stack_windows(const std::vector<std::vector<int32_t>>& windows) {
  std::vector<at::Tensor> batches;
  std::vector<at::Tensor> rows;
  const auto flush = [&] {
    if (!rows.empty()) batches.push_back(at::stack(rows));
    rows.clear();
  };
  for (const auto& window : windows) {
    const auto length = static_cast<int64_t>(window.size());
    if (!rows.empty() &&
        ((static_cast<int64_t>(rows.size()) + 1) * length > kCalibrationBatchTokens ||
         rows[0].size(0) != length))
      flush();
    rows.push_back(at::tensor(at::ArrayRef<int32_t>(window), at::kLong));
  }
  flush();
  return batches;
}

/// Same input, same bits: what cannot promise it warns. The CPU promises it anyway.
void make_devices_deterministic() {
  // Read when cuBLAS makes its first handle.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
}

}  // namespace

at::ScalarType torch_dtype(ModelDtype dtype) {
  switch (dtype) {
    case ModelDtype::kFloat64:
      return at::kDouble;
    case ModelDtype::kBfloat16:
      return at::kBFloat16;
    case ModelDtype::kFloat16:
      return at::kHalf;
    case ModelDtype::kFloat32:
      break;
    case ModelDtype::kAuto:
      throw std::logic_error("model.dtype: auto was not resolved");
  }
  return at::kFloat;
}

/// N of "cuda:N", 0 of "cuda"; -1 where `device` is neither.
int cuda_index(const std::string& device) {
  const std::string prefix = "cuda:";
  if (device == "cuda") return 0;
  const std::string digits = device.starts_with(prefix) ? device.substr(prefix.size()) : "";
  const bool sound = !digits.empty() && digits.size() <= 3 &&
                     digits.find_first_not_of("0123456789") == std::string::npos;
  return sound ? std::stoi(digits) : -1;
}

at::Device torch_device(const std::string& device) {
  if (device == "cpu") {
    cpu_isa();  // a wrong wish for kernels is said before any work
    return at::kCPU;
  }
  if (const std::optional<at::Device> other = registered_device(device)) return *other;
  const int index = cuda_index(device);
  if (index < 0)
    config_error("device '{}' is not known; expected cpu, cuda or cuda:<index>", device);
  const int count = load_cuda_backend();
  if (index >= count)
    config_error("device '{}' asked for, but this build finds {} CUDA device{} here; expected cpu",
                 device, count, count == 1 ? "" : "s");
  make_devices_deterministic();
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

int64_t LoadedModel::start_token() const {
  const ModelConfig& config = checkpoint->config();
  const bool uses_bos = tokenizer ? tokenizer->adds_bos() : config.bos_token >= 0;
  if (uses_bos && config.bos_token >= 0) return config.bos_token;
  return config.eos_token >= 0 ? config.eos_token : std::max<int64_t>(0, config.bos_token);
}

void Session::tell(const std::string& text) {
  if (told_.insert(text).second) fmt::print(stderr, "wkvq: {}\n", text);
}

LoadedModel& Session::model(const ModelOptions& options) {
  const std::string key = model_key(options);
  if (const auto found = models_.find(key); found != models_.end()) return found->second;
  const at::Device device = torch_device(options.device);
  LoadedModel model;
  const std::filesystem::path folder = resolve_model_path(options.path);
  model.checkpoint = std::make_shared<const Checkpoint>(folder);
  model.fingerprint = model.checkpoint->fingerprint();
  for (const std::string& note : model_notes(folder, model.checkpoint->config()))
    tell("note: " + note);
  if (has_tokenizer(folder)) model.tokenizer = load_tokenizer(folder);
  model.source = std::make_unique<ModelSource>(
      model.checkpoint,
      SourceOptions{.dtype = torch_dtype(options.dtype),
                    .device = device,
                    .resident_bytes = resident_budget(options.blocks),
                    .activations_on_host = options.activations == ActivationHome::kHost});
  return models_.emplace(key, std::move(model)).first->second;
}

const Corpus& Session::corpus(const ModelOptions& options, const DatasetChoice& choice) {
  YamlWriter writer;
  writer.write(*choice.dataset);
  const std::string key = model_key(options) + "|" + choice.name + "|" + flow_text(writer.root());
  if (const auto found = corpora_.find(key); found != corpora_.end()) return found->second;
  Corpus corpus = choice.dataset->load(context(options));
  for (const std::string& warning : corpus.warnings) tell("warning: " + warning);
  return corpora_.emplace(key, std::move(corpus)).first->second;
}

const PreparedTask& Session::requests(const ModelOptions& options, const EvaluationEntry& entry) {
  YamlWriter writer;
  writer.text("task", entry.task_name);
  writer.write(*entry.task);
  if (entry.data.dataset) writer.write(*entry.data.dataset);
  const std::string key =
      model_key(options) + "|" + entry.data.name + "|" + flow_text(writer.root());
  if (const auto found = tasks_.find(key); found != tasks_.end()) return found->second;
  const Corpus* data = entry.data.dataset ? &corpus(options, entry.data) : nullptr;
  PreparedTask prepared{.task = entry.task};
  prepared.requests =
      entry.task->prepare({.corpus = data,
                           .text = &context(options),
                           .max_context = model(options).checkpoint->config().max_positions,
                           .longest_context = model(options).checkpoint->config().longest_context(),
                           .data_folder = data_});
  prepared.data_fingerprint = entry.task->data_fingerprint();
  if (data && prepared.data_fingerprint.empty()) prepared.data_fingerprint = data->fingerprint;
  return tasks_.emplace(key, std::move(prepared)).first->second;
}

const DatasetContext& Session::context(const ModelOptions& options) {
  const std::string key = model_key(options);
  if (const auto found = contexts_.find(key); found != contexts_.end()) return found->second;
  LoadedModel& loaded = model(options);
  const DatasetContext context{
      .tokenizer = loaded.tokenizer.get(),
      .sample_self = [&](int64_t count, int64_t length,
                         int64_t seed) { return sampled(loaded, count, length, seed); },
      .vocab_size = loaded.checkpoint->config().vocab_size,
      .model_name = model_name(options.path)};
  return contexts_.emplace(key, context).first->second;
}

std::vector<std::vector<int32_t>> Session::sampled(LoadedModel& model, int64_t count,
                                                   int64_t length, int64_t seed) {
  const TextShape shape{count, length, model.checkpoint->config().vocab_size};
  if (const auto text = shipped_text(model.checkpoint->folder(), seed, shape)) return *text;
  // Sampled bits depend on the dtype and device that computed them, so those are part of the name.
  const SourceOptions& source = model.source->options();
  const std::string identity =
      fmt::format("{}|{}|{}|{}|{}|{}|{}", model.fingerprint, at::toString(source.dtype),
                  source.device.str(), model.start_token(), count, length, seed);
  const std::filesystem::path path = cache_ / ("self-" + hash_text(identity) + ".safetensors");
  return kept_text(path, shape, [&] {
    SampleOptions options{count, length, seed, model.start_token()};
    std::optional<Progress> progress;
    if (progress_) {
      progress.emplace(fmt::format("sampling text from {}: {} windows of {} tokens",
                                   model.checkpoint->folder().filename().string(), count, length),
                       count * (length - 1), *progress_);
      options.on_tokens = [&](int64_t done) { progress->reach(static_cast<double>(done)); };
    }
    return sample_text(*model.source, options);
  });
}

std::shared_ptr<CalibrationChain> Session::calibration(
    const ModelOptions& options, const std::vector<std::vector<int32_t>>& windows) {
  Hasher hasher;
  hasher.add_part(model_key(options));
  for (const auto& window : windows)
    hasher.add_part(
        {reinterpret_cast<const char*>(window.data()), window.size() * sizeof(int32_t)});
  const std::string key = hasher.hex();
  if (const auto found = calibrations_.find(key); found != calibrations_.end())
    return found->second;
  ModelSource& source = *model(options).source;
  const auto chain =
      std::make_shared<CalibrationChain>(source, stack_windows(windows), kFullPrecisionBudget);
  // One at a time: a sweep that varies its calibration text goes from one to the next.
  calibrations_.clear();
  if (chain->kept()) calibrations_[key] = chain;
  return chain;
}

const std::vector<at::Tensor>* Session::full_precision(const std::string& key) const {
  const auto found = full_precision_.find(key);
  return found == full_precision_.end() ? nullptr : &found->second;
}

void Session::store_full_precision(const std::string& key, std::vector<at::Tensor> hidden) {
  int64_t held = bytes_of(hidden);
  for (const auto& [name, tensors] : full_precision_) held += bytes_of(tensors);
  if (held <= kFullPrecisionBudget) full_precision_[key] = std::move(hidden);
}

}  // namespace wkvq
