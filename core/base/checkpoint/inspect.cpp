#include "core/base/checkpoint/inspect.h"

#include <iterator>
#include <string_view>

#include "core/base/checkpoint/memory_model.h"
#include "core/base/checkpoint/model_notes.h"
#include "core/base/checkpoint/model_path.h"
#include "core/base/checkpoint/weight_files.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

/// GB from 1 GB on, else MB.
struct Unit {
  explicit Unit(double bytes) : size(bytes >= 1e9 ? 1e9 : 1e6), name(bytes >= 1e9 ? "GB" : "MB") {}
  double size;
  std::string_view name;
};

constexpr int64_t kScaleBits = 16;
constexpr int64_t kMinimumBits = 16;

void check_range(std::string_view name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return;
  config_error("inspect: {} is {}; expected {} to {}", name, value, least, most);
}

void check_group(std::string_view name, int64_t value) {
  if (value != -1) check_range(name, value, 1, int64_t{1} << 20);
}

void check(const InspectOptions& options) {
  check_range("weight bits", options.weight_bits, 2, 16);
  check_range("kv bits", options.kv_bits, 2, 16);
  check_group("weight group", options.weight_group);
  check_group("kv group", options.kv_group);
  check_range("context", options.context, 1, int64_t{1} << 31);
  check_range("batch", options.batch, 1, int64_t{1} << 20);
}

std::string rope_text(const RopeConfig& rope) {
  const std::string theta =
      fmt::format("theta {}{}", rope.theta, rope.factors.empty() ? "" : ", factors by channel");
  switch (rope.scaling) {
    case RopeScaling::kLinear:
      return fmt::format("{}, linear, factor {}", theta, rope.factor);
    case RopeScaling::kDynamic:
      return fmt::format("{}, dynamic, factor {}", theta, rope.factor);
    case RopeScaling::kLlama3:
      return fmt::format("{}, llama3, factor {}, low {}, high {}, original positions {}", theta,
                         rope.factor, rope.low_freq_factor, rope.high_freq_factor,
                         rope.original_max_positions);
    case RopeScaling::kNone:
      break;
  }
  return theta;
}

std::string features_text(const ModelConfig& config) {
  std::string text = config.tie_embeddings ? "tied head" : "separate head";
  if (config.qkv_bias) text += ", bias on q k v";
  if (config.output_bias) text += ", bias on o";
  if (config.mlp_bias) text += ", bias on the MLP";
  if (config.qk_norm) text += ", norm on q and k";
  if (config.sliding_window > 0 && config.sliding_from_layer < config.layers) {
    text += fmt::format(", sliding window {} from block {}", config.sliding_window,
                        config.sliding_from_layer);
  }
  return text;
}

std::string architecture_text(const ModelConfig& config, const WeightFiles& files) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    fmt::format_to(std::back_inserter(text), "{:<12} {}\n", name, value);
  };
  line("family", config.family);
  line("blocks", fmt::format("{}", config.layers));
  line("hidden", fmt::format("{}, MLP {}", config.hidden_size, config.intermediate_size));
  line("heads", fmt::format("{} of {} channels, {} for keys and values", config.heads,
                            config.head_dim, config.kv_heads));
  line("vocabulary", fmt::format("{}", config.vocab_size));
  line("positions", fmt::format("{}, RoPE {}", config.max_positions, rope_text(config.rope)));
  line("features", features_text(config));
  line("parameters", fmt::format("{}", count_parameters(config).total()));
  const auto stored = static_cast<double>(files.stored_bytes());
  const Unit unit(stored);
  line("on disk", fmt::format("{:.3f} {}, {}", stored / unit.size, unit.name, files.dtypes()));
  return text;
}

std::string memory_text(const ModelConfig& config, const MemoryQuestion& question) {
  const ParameterCounts counts = count_parameters(config);
  const MemoryBytes bytes = memory_of(config, question);
  const Unit unit(bytes.total());
  const auto as_double = [](int64_t count) { return static_cast<double>(count); };
  std::string text =
      fmt::format("{:<24} {:>14} {:>8} {:>10}\n",
                  unit.size == 1e9 ? "memory (GB = 1e9 bytes)" : "memory (MB = 1e6 bytes)",
                  "elements", "bits", unit.name);
  // Counts in double: elements of a large cache need not fit 64 bits.
  const auto row = [&](std::string_view name, double elements, double bits, double size) {
    fmt::format_to(std::back_inserter(text), "{:<24} {:>14.0f} {:>8.3f} {:>10.3f}\n", name,
                   elements, bits, size / unit.size);
  };
  row("attention linears", as_double(counts.attention), question.weight_bits, bytes.attention);
  row("MLP linears", as_double(counts.mlp), question.weight_bits, bytes.mlp);
  row("norms and biases", as_double(counts.norms), question.other_bits, bytes.norms);
  row("embedding", as_double(counts.embedding), question.other_bits, bytes.embedding);
  if (counts.head > 0) row("head", as_double(counts.head), question.other_bits, bytes.head);
  const double cached = as_double(kv_elements_per_token(config)) * as_double(question.context) *
                        as_double(question.batch);
  row(fmt::format("cache {} x {}", question.batch, question.context), cached, question.kv_bits,
      bytes.kv);
  fmt::format_to(std::back_inserter(text), "{:<24} {:>14.0f} {:>8} {:>10.3f}\n", "total",
                 as_double(counts.total()) + cached, "", bytes.total() / unit.size);
  return text;
}

}  // namespace

std::string inspect_text(const std::string& model, const InspectOptions& options) {
  check(options);
  const std::filesystem::path path = resolve_model_path(model);
  ModelConfig config = read_model_config(path);
  WeightFiles files(path);
  files.settle_head(config);
  files.verify(config);
  const int64_t weight_group =
      options.weight_group == -1 ? config.hidden_size : options.weight_group;
  const int64_t kv_group = options.kv_group == -1 ? config.head_dim : options.kv_group;
  const MemoryQuestion question = {
      .weight_bits = effective_bits(options.weight_bits, weight_group,
                                    static_cast<double>(kScaleBits + options.weight_bits)),
      .kv_bits = effective_bits(options.kv_bits, kv_group, kScaleBits + kMinimumBits),
      .context = options.context,
      .batch = options.batch,
  };
  std::string text = architecture_text(config, files);
  for (const std::string& note : model_notes(path, config)) text += "note: " + note + "\n";
  return text + "\n" + memory_text(config, question);
}

}  // namespace wkvq
