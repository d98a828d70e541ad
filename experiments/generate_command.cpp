#include "experiments/generate_command.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <chrono>
#include <ostream>

#include "core/base/error.h"
#include "core/base/hdf5.h"
#include "core/base/run_summary.h"
#include "core/generator.h"
#include "core/statistics.h"
#include "core/torch_headers.h"
#include "datasets/corpus.h"
#include "datasets/generated_text.h"
#include "datasets/text_file.h"
#include "experiments/generation.h"
#include "experiments/learned_files.h"
#include "experiments/plan.h"
#include "experiments/results_folder.h"
#include "experiments/runner.h"
#include "experiments/silent_recorder.h"
#include "experiments/storage.h"

namespace wkvq {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_run_file(const std::filesystem::path& path) {
  return path.extension() == ".h5" || path.extension() == ".hdf5";
}

void check_options(const GenerateOptions& options) {
  const SamplingOptions& sampling = options.sampling;
  if (options.prompt.has_value() == !options.prompt_file.empty())
    config_error("generate: expected one of --prompt and --prompt-file");
  if (options.model.empty() && options.config.empty())
    config_error("generate: no model; expected --model, or --config with one");
  if (options.max_tokens < 1)
    config_error("generate: --max-tokens {}; expected 1 or more", options.max_tokens);
  if (!(sampling.temperature >= 0 && sampling.temperature < 1e6))
    config_error("generate: --temperature {}; expected 0 (greedy) or more", sampling.temperature);
  if (sampling.top_k < 0)
    config_error("generate: --top-k {}; expected 0 (all) or more", sampling.top_k);
  if (!(sampling.top_p > 0 && sampling.top_p <= 1))
    config_error("generate: --top-p {}; expected more than 0, at most 1", sampling.top_p);
}

/// The configuration of a run file, which must be a finished one.
YamlNode configuration_of_run(const std::filesystem::path& path) {
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

/// Model, method and calibration that are asked for.
RunConfig read_configuration(const GenerateOptions& options) {
  YamlNode node = parse_yaml_argument("{method: {name: rtn}}", "generate");
  if (!options.config.empty())
    node = is_run_file(options.config) ? configuration_of_run(options.config)
                                       : configuration_of_file(options.config);
  if (!options.model.empty()) set_model(node, options.model);
  RunConfig config = read_quantization(node);
  if (!options.device.empty()) config.model.device = options.device;
  // What is packed takes the place of blocks in full precision, which need not stay.
  if (options.storage == Storage::kPacked && config.model.blocks == Residency::kAuto)
    config.model.blocks = Residency::kStreaming;
  return config;
}

/// The quantized blocks of the model; trained parameters come from the run file where it has them.
std::vector<QuantizedBlock> quantize(const GenerateOptions& options, const RunConfig& config,
                                     Session& session) {
  LoadedModel& model = session.model(config.model);
  const ModelConfig& architecture = model.checkpoint->config();
  config.method->check(architecture);
  for (int64_t layer = 0; layer < architecture.layers; ++layer)
    check_kv_options(config.method->kv_of(layer), config.method->kv().view, architecture);
  const bool packed = options.storage == Storage::kPacked;
  if (packed) check_packed_storage(config, config.method->kv().view, architecture);
  std::filesystem::path from = config.calibration ? config.calibration->from : std::string();
  if (is_run_file(options.config)) {
    const hdf5::Reader run(options.config);
    if (!run.datasets(calibration_group(0) + "/parameters").empty()) from = options.config;
    const auto of = run.attribute("/", "model_fingerprint");
    if (from == options.config && of != AttributeValue(model.fingerprint))
      config_error("{}: its trained parameters belong to another model than '{}'",
                   options.config.string(), config.model.path);
  }
  if (!from.empty() && from != options.config) run_with_parameters(from);
  LearnedFiles learned({}, from);
  SilentRecorder recorder;
  const auto chain = calibration_chain(config, session);
  BlockPass pass{.learned = from.empty() ? nullptr : &learned,
                 .calibration = chain.get(),
                 .keep_blocks = !packed,
                 .keep_packed = packed};
  run_blocks(*model.source, *config.method, pass, recorder);
  return std::move(packed ? pass.packed_blocks : pass.blocks);
}

std::vector<int32_t> prompt_tokens(const GenerateOptions& options, const LoadedModel& model) {
  const std::string text = options.prompt ? *options.prompt : read_utf8_file(options.prompt_file);
  const DatasetContext context{.tokenizer = model.tokenizer.get(),
                               .model_name = model.checkpoint->folder().filename().string()};
  std::vector<int32_t> tokens = encode_text(context, text, BosRule::kTokenizer);
  if (tokens.empty()) tokens.push_back(static_cast<int32_t>(model.start_token()));
  const int64_t most = model.checkpoint->config().max_positions;
  const auto length = static_cast<int64_t>(tokens.size());
  if (length + options.max_tokens > most)
    config_error("generate: a prompt of {} tokens and {} new ones, but the model reads at most {}",
                 length, options.max_tokens, most);
  return tokens;
}

void report_sizes(std::ostream& report, const RunConfig& config, const ModelConfig& model,
                  const Generator& generator) {
  const CacheBytes bytes = cache_bytes(config, model, generator.caches(0));
  const EvaluationEntry entry{.context_prefill = true, .engine = Engine::kCache};
  const int64_t tokens =
      std::visit([](const auto& cache) { return cache.tokens(); }, generator.caches(0).front());
  fmt::print(report,
             "cache: {:.0f} bytes as stored, {:.0f} in full precision ({:.2f} times), {} tokens, "
             "KV mode {}\n"
             "held: {} bytes of weights, {:.0f} by the formula; {:.0f} bytes of the cache, {:.0f} "
             "by the formula\n",
             bytes.stored, bytes.exact, bytes.exact / bytes.stored, tokens, config.kv_mode(entry),
             generator.weight_bytes(), weight_formula_bytes(config, model), bytes.held,
             bytes.stored);
}

}  // namespace

int generate_command(const GenerateOptions& options, std::ostream& out, std::ostream& report) {
  check_options(options);
  const RunConfig config = read_configuration(options);
  Session session(cache_folder(options.results));
  LoadedModel& model = session.model(config.model);
  const std::vector<int32_t> tokens = prompt_tokens(options, model);
  const auto length = static_cast<int64_t>(tokens.size());
  const KvViewOptions& view = config.method->kv().view;
  Generator generator(*model.source, quantize(options, config, session), view, options.storage);

  GeneratedText text(*model.tokenizer, options.stop, tokens);
  const Clock::time_point start = Clock::now();
  double until_first = 0;
  const auto told = [&](const WrittenToken& token) {
    if (until_first == 0) until_first = seconds_since(start);
    const bool more = text.push(token.token);
    out << text.take() << std::flush;
    return more;
  };
  const auto written =
      generator.generate({{.tokens = tokens,
                           .prefill = prefill_of(view, true, length),
                           .max_tokens = options.max_tokens}},
                         {.sampling = options.sampling,
                          .end_tokens = end_tokens(model.source->config(), model.tokenizer.get()),
                          .on_token = told});
  const double seconds = seconds_since(start);
  text.finish();
  out << text.take() << std::endl;

  const auto count = static_cast<int64_t>(written[0].size());
  const std::string speed =
      count > 1
          ? fmt::format("{:.4g} tokens/s", static_cast<double>(count - 1) / (seconds - until_first))
          : std::string("too few for a speed");
  fmt::print(report,
             "prompt: {} tokens, {:.3g} s to the first one written; written: {} tokens, {}\n",
             length, until_first, count, speed);
  report_sizes(report, config, model.source->config(), generator);
  return 0;
}

}  // namespace wkvq
