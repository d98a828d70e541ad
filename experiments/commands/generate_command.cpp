#include "experiments/commands/generate_command.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <chrono>
#include <ostream>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "core/base/files/heap.h"
#include "core/base/options/option_limits.h"
#include "core/base/run/progress.h"
#include "core/device/torch_headers.h"
#include "core/generate/generator.h"
#include "datasets/corpora/corpus.h"
#include "datasets/readers/text_file.h"
#include "datasets/tokenizers/generated_text.h"
#include "experiments/run/quantized_model.h"
#include "experiments/run/results_folder.h"
#include "experiments/score/generation.h"
#include "experiments/score/storage.h"

namespace wkvq {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_options(const GenerateOptions& options) {
  const SamplingOptions& sampling = options.sampling;
  if (options.prompt.has_value() == !options.prompt_file.empty())
    config_error("generate: expected one of --prompt and --prompt-file");
  if (!options.packed.empty() && (!options.config.empty() || !options.device.empty()))
    config_error(
        "generate: --packed has a method and is for the CPU; expected no --config, --device");
  if (options.model.empty() && options.config.empty() && options.packed.empty())
    config_error("generate: no model; expected --model, or --config with one");
  if (options.max_tokens < 1 || options.max_tokens > kMostTokens)
    config_error("generate: --max-tokens {}; expected 1 to {}", options.max_tokens, kMostTokens);
  if (!(sampling.temperature >= 0 && sampling.temperature < 1e6))
    config_error("generate: --temperature {}; expected 0 (greedy) or more", sampling.temperature);
  if (sampling.top_k < 0)
    config_error("generate: --top-k {}; expected 0 (all) or more", sampling.top_k);
  if (!(sampling.top_p > 0 && sampling.top_p <= 1))
    config_error("generate: --top-p {}; expected more than 0, at most 1", sampling.top_p);
  if (sampling.temperature > 0) return;
  const char* draws = sampling.top_p != 1 ? "--top-p" : sampling.top_k != 0 ? "--top-k" : nullptr;
  if (!draws && sampling.seed != 0) draws = "--seed";
  if (draws)
    config_error(
        "generate: {} chooses among draws, but --temperature 0 draws none; expected a "
        "temperature above 0, or no {}",
        draws, draws);
}

/// Where the blocks come from: a packed file, or a method at work.
struct Quantization {
  explicit Quantization(const GenerateOptions& options)
      : request{.model = options.model,
                .config = options.config,
                .device = options.device,
                .storage = options.storage} {
    if (!options.packed.empty()) file.emplace(options.packed);
    config = file ? read_packed_configuration(*file, options.model) : read_request(request);
  }

  Storage storage() const { return file ? Storage::kPacked : request.storage; }
  std::vector<QuantizedBlock> blocks(Session& session) const {
    return file ? packed_blocks(*file, config, session) : quantize_model(request, config, session);
  }

  QuantizationRequest request;
  std::optional<PackedFile> file;
  RunConfig config;
};

std::vector<int32_t> prompt_tokens(const GenerateOptions& options, const RunConfig& config,
                                   const LoadedModel& model) {
  const std::string text = options.prompt ? *options.prompt : read_utf8_file(options.prompt_file);
  if (const std::string kept = kept_as_is(options.prompt_file, text);
      !options.prompt && !kept.empty())
    fmt::print(stderr, "wkvq: warning: {}\n", kept);
  const DatasetContext context{.tokenizer = model.tokenizer.get(),
                               .model_name = model_name(config.model.path)};
  std::vector<int32_t> tokens = encode_text(context, text, BosRule::kTokenizer);
  if (tokens.empty()) tokens.push_back(static_cast<int32_t>(model.start_token()));
  const int64_t most = model.checkpoint->config().longest_context();
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
             "by the formula; {} bytes resident\n",
             bytes.stored, bytes.exact, bytes.exact / bytes.stored, tokens, config.kv_mode(entry),
             generator.weight_bytes(), weight_formula_bytes(config, model), bytes.held,
             bytes.stored, resident_bytes());
}

}  // namespace

int generate_command(const GenerateOptions& options, std::ostream& out, std::ostream& report) {
  check_options(options);
  const Quantization quantization(options);
  const RunConfig& config = quantization.config;
  Session session(cache_folder(options.results));
  session.show_progress(ProgressSink::standard_error());
  LoadedModel& model = session.model(config.model);
  const std::vector<int32_t> tokens = prompt_tokens(options, config, model);
  const auto length = static_cast<int64_t>(tokens.size());
  const KvViewOptions& view = config.method->kv().view;
  Generator generator(*model.source, quantization.blocks(session), view, quantization.storage());

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
