#include "experiments/bench/bench_end_to_end.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/base/checkpoint/memory_model.h"
#include "core/base/error.h"
#include "core/cache/block_cache.h"
#include "core/calibrate/packed_block.h"
#include "core/device/torch_headers.h"
#include "core/generate/token_pass.h"
#include "core/model/fused_ops.h"
#include "core/number/packed_weight.h"
#include "experiments/session/session.h"

namespace wkvq {

namespace {

constexpr KvViewOptions kPastView{.mode = ViewMode::kPast};

QuantSpec weight_spec(const BenchOptions& options, int64_t bits) {
  return {.bits = bits, .group_size = options.group, .scale_dtype = ScaleDtype::kFloat16};
}

KvTensorOptions kv_options(const ModelConfig& model, const BenchOptions& options, int64_t bits) {
  return {.bits = bits,
          .group_size = std::min(options.group, model.head_dim),
          .scale_dtype = ScaleDtype::kFloat16};
}

/// Bytes of blocks, head and a cache of `context` tokens; the embedding, read row by row, beside.
double formula_bytes(const ModelConfig& model, int64_t context, const MemoryQuestion& question) {
  MemoryQuestion at_context = question;
  at_context.context = context;
  const MemoryBytes bytes = memory_of(model, at_context);
  return bytes.total() - bytes.embedding;
}

double packed_formula(const ModelConfig& model, const BenchOptions& options, int64_t context,
                      int64_t bits) {
  // Groups divide all three widths of these models, so that one of them stands for all.
  return formula_bytes(
      model, context,
      {.weight_bits = weight_spec(options, bits).bits_per_value(model.hidden_size, 32),
       .kv_bits = KvTensorCodec::stored_bits(kv_options(model, options, bits), model, 32),
       .other_bits = 32});
}

double exact_formula(const ModelConfig& model, int64_t context, int64_t bits) {
  const auto width = static_cast<double>(bits);
  return formula_bytes(model, context,
                       {.weight_bits = width, .kv_bits = width, .other_bits = width});
}

/// A model of random weights with its caches, ready for the token behind `context`.
class RandomModel {
 public:
  RandomModel(const ModelConfig& config, const at::TensorOptions& kind, int64_t context)
      : config_(config),
        rope_(config, c10::typeMetaToScalarType(kind.dtype()), kind.device()),
        kind_(kind),
        context_(context),
        head_weight_(random({config.vocab_size, config.hidden_size})),
        head_norm_(at::ones({config.hidden_size}, kind)),
        head_(head_norm_, head_weight_, config.norm_eps),
        token_(random({1, 1, config.hidden_size})) {}
  virtual ~RandomModel() = default;

  /// One token through all blocks and the head; returns the token that it chooses.
  virtual int64_t step() {
    const at::NoGradGuard no_grad;
    at::Tensor hidden = token_;
    for (size_t i = 0; i < blocks_.size(); ++i)
      hidden = forward_block(config_, static_cast<int64_t>(i), blocks_[i], rope_, hidden, context_,
                             [&](const AttentionInputs& in) { return attend(i, in); });
    return head_.logits(hidden).argmax().item<int64_t>();
  }

  double held() const {
    auto bytes = static_cast<double>(head_.held_bytes() + cache_bytes());
    for (const BlockWeights& block : blocks_) bytes += static_cast<double>(held_bytes(block));
    return bytes;
  }

 protected:
  virtual at::Tensor attend(size_t block, const AttentionInputs& in) = 0;
  virtual int64_t cache_bytes() const = 0;

  /// Of the size that trained weights have.
  at::Tensor random(at::IntArrayRef shape) const {
    return at::empty(shape, kind_).normal_(0, 0.02);
  }
  at::Tensor random_kv(int64_t tokens) const {
    return at::empty({1, config_.kv_heads, tokens, config_.head_dim}, kind_).normal_();
  }
  BlockWeights random_block() const {
    BlockWeights block;
    block.visit_linears([&](const char* name, Linear& linear) {
      const LinearSpec& spec = linear_named(name);
      linear.weight = random({output_size(config_, spec.role), input_size(config_, spec.input)});
    });
    block.input_norm = block.post_norm = at::ones({config_.hidden_size}, kind_);
    return block;
  }

  ModelConfig config_;
  Rope rope_;
  at::TensorOptions kind_;  // dtype and device
  int64_t context_;
  std::vector<BlockWeights> blocks_;
  at::Tensor head_weight_, head_norm_;
  Head head_;
  at::Tensor token_;  // a row of the embedding
};

class PackedModel final : public RandomModel {
 public:
  PackedModel(const ModelConfig& config, const BenchOptions& options, int64_t context, int64_t bits)
      : RandomModel(config, at::device(torch_device(options.device)).dtype(at::kFloat), context) {
    const KvTensorCodec codec(kv_options(config, options, bits), ChannelRange());
    const QuantSpec spec = weight_spec(options, bits);
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      blocks_.push_back(random_block());
      blocks_.back().visit_linears([&](const char*, Linear& linear) {
        linear.packed = std::make_shared<const PackedWeight>(linear.weight, spec);
        linear.weight = at::Tensor();
      });
      caches_.emplace_back(PackedCache(KvCodec{codec, codec}, kPastView));
      // One query is enough: what the prompt's attention returns is not looked at.
      const at::Tensor query = at::zeros({1, config.heads, 1, config.head_dim}, kind_);
      std::get<PackedCache>(caches_.back())
          .prompt({.query = query, .key = random_kv(context), .value = random_kv(context)},
                  {context});
    }
    if (!kind_.device().is_cpu()) return;
    std::vector<QuantizedBlock> blocks;
    for (const BlockWeights& weights : blocks_) blocks.push_back({weights, {}});
    team_ = std::make_unique<Team>(at::get_num_threads());
    pass_ = std::make_unique<TokenPass>(config_, rope_, blocks, *team_);
    head_linear_.weight = head_weight_;
    head_set_ = LinearSet({&head_linear_});
    logits_.resize(static_cast<size_t>(head_set_.output_stride(0)));
  }

  /// On the CPU over plain memory, as wkvq::Generator goes.
  int64_t step() override {
    if (!pass_) return RandomModel::step();
    at::Tensor hidden = token_.clone();
    pass_->step(hidden.data_ptr<float>(), {{&caches_, context_}});
    const at::Tensor normed =
        at::constant_pad_nd(rms_norm(hidden.view({-1}), head_norm_, config_.norm_eps),
                            {0, head_set_.input_stride() - config_.hidden_size});
    head_set_.run(*team_, normed.const_data_ptr<float>(), 1,
                  {{logits_.data(), head_set_.output_stride(0)}}, nullptr);
    return std::max_element(logits_.begin(), logits_.begin() + config_.vocab_size) -
           logits_.begin();
  }

 protected:
  at::Tensor attend(size_t block, const AttentionInputs& in) override {
    return wkvq::step(caches_[block], in);
  }
  int64_t cache_bytes() const override {
    int64_t bytes = 0;
    for (const BlockCache& cache : caches_) bytes += std::get<PackedCache>(cache).held_bytes();
    return bytes;
  }

 private:
  std::vector<BlockCache> caches_;
  std::unique_ptr<Team> team_;
  std::unique_ptr<TokenPass> pass_;  // null on a device
  Linear head_linear_;
  LinearSet head_set_;
  std::vector<float> logits_;
};

/// Everything in one dtype, by the library's operations; each step's token takes the same place.
class ExactModel final : public RandomModel {
 public:
  ExactModel(const ModelConfig& config, const at::TensorOptions& kind, int64_t context)
      : RandomModel(config, kind, context) {
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      blocks_.push_back(random_block());
      keys_.push_back(random_kv(context + 1));
      values_.push_back(random_kv(context + 1));
    }
  }

 protected:
  at::Tensor attend(size_t block, const AttentionInputs& in) override {
    keys_[block].narrow(2, context_, 1).copy_(in.key);
    values_[block].narrow(2, context_, 1).copy_(in.value);
    // Heads that share a kv head are rows of one product.
    const at::Tensor query =
        in.query.reshape({1, config_.kv_heads, config_.heads / config_.kv_heads, config_.head_dim});
    return at::scaled_dot_product_attention(query, keys_[block], values_[block])
        .reshape({1, config_.heads, 1, config_.head_dim});
  }
  int64_t cache_bytes() const override {
    int64_t bytes = 0;
    for (size_t i = 0; i < keys_.size(); ++i)
      bytes += static_cast<int64_t>(keys_[i].nbytes() + values_[i].nbytes());
    return bytes;
  }

 private:
  std::vector<at::Tensor> keys_, values_;
};

Contestant contestant(const std::string& name, const std::shared_ptr<RandomModel>& model,
                      double formula) {
  return {name, model->held(), [model](int64_t) { model->step(); }, formula};
}

}  // namespace

double end_to_end_bytes(const ModelConfig& model, const BenchOptions& options, int64_t context,
                        int64_t bits) {
  return packed_formula(model, options, context, bits) + exact_formula(model, context, 32) +
         exact_formula(model, context, 16);
}

void require_memory(double needed, double available, const ModelConfig& model) {
  // A tenth more for what is being made, and for everybody else.
  if (1.1 * needed <= available) return;
  config_error(
      "bench: end-to-end with {} layers holds {:.1f} GB in all, but {:.1f} GB of memory are free; "
      "expected fewer --layers, or a smaller --model or --context",
      model.layers, needed / 1e9, available / 1e9);
}

double available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  double kibibytes = 0;
  while (file >> name >> kibibytes) {
    if (name == "MemAvailable:") return kibibytes * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  config_error("bench: /proc/meminfo does not say how much memory is free; expected MemAvailable");
}

BenchCase end_to_end_case(const ModelConfig& model, const BenchOptions& options, int64_t context,
                          int64_t bits) {
  const at::Device device = torch_device(options.device);
  // The half type that the library is fastest in there.
  const at::ScalarType half = device.is_cpu() ? at::kBFloat16 : at::kHalf;
  const auto exact = [&](at::ScalarType dtype) {
    return std::make_shared<ExactModel>(model, at::device(device).dtype(dtype), context);
  };
  return {fmt::format("end-to-end {} layers {} context {}", options.model, model.layers, context),
          {contestant(fmt::format("packed W{}KV{}", bits, bits),
                      std::make_shared<PackedModel>(model, options, context, bits),
                      packed_formula(model, options, context, bits)),
           contestant("float32", exact(at::kFloat), exact_formula(model, context, 32)),
           contestant(device.is_cpu() ? "bfloat16" : "float16", exact(half),
                      exact_formula(model, context, 16))}};
}

}  // namespace wkvq
