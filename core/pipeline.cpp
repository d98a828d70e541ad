#include "core/pipeline.h"

#include "core/masked_attention.h"
#include "core/statistics.h"
#include "core/torch_headers.h"

namespace wkvq {

namespace {

// Tokens of the first batch that statistics look at; logit errors need a square of it per head.
constexpr int64_t kStatisticsSequences = 1;
constexpr int64_t kStatisticsLength = 256;

const KvViewOptions kFullPrecision{.mode = ViewMode::kNone};

/// Wraps `attention` so that a sample of its inputs is recorded.
AttentionFunction recording(const AttentionFunction& attention, const KvCodec& codec, int64_t layer,
                            Recorder& recorder) {
  return [&, layer](const AttentionInputs& in) {
    const auto sample = [](const at::Tensor& x) {
      return x.narrow(0, 0, std::min(kStatisticsSequences, x.size(0)))
          .narrow(2, 0, std::min(kStatisticsLength, x.size(2)));
    };
    record_kv_statistics(recorder, layer, sample(in.query), sample(in.key), sample(in.value),
                         codec);
    return attention(in);
  };
}

/// The calibration streams: the full-precision chain and the one through quantized weights.
struct Chains {
  std::vector<at::Tensor> full, quantized;
};

void carry(const ModelSource& source, int64_t layer, const BlockWeights& weights,
           std::vector<at::Tensor>& hidden) {
  const AttentionFunction attention = attention_of({}, kFullPrecision);
  for_each_batch(hidden.size(), source.options().device, [&](size_t i) {
    hidden[i] =
        forward_block(source.config(), layer, weights, source.rope(), hidden[i], 0, attention);
  });
}

void carry_streams(const ModelSource& source, int64_t layer, const BlockWeights& full,
                   const QuantizedBlock& block, BlockPass& pass, Recorder& recorder) {
  bool recorded = false;
  for (Stream& stream : pass.streams) {
    const auto forward = [&](StreamBatch& batch, const AttentionFunction& attention) {
      batch.hidden =
          forward_block(source.config(), layer, stream.full_precision ? full : block.weights,
                        source.rope(), batch.hidden, 0, attention);
    };
    size_t first = 0;
    if (!stream.full_precision && !recorded && !stream.batches.empty()) {
      const AttentionFunction plain = attention_of(block.codec, stream.batches[0].view);
      forward(stream.batches[0], recording(plain, block.codec, layer, recorder));
      recorded = true;
      first = 1;
    }
    for_each_batch(stream.batches.size() - first, source.options().device, [&](size_t i) {
      StreamBatch& batch = stream.batches[first + i];
      forward(batch, stream.full_precision ? attention_of({}, kFullPrecision)
                                           : attention_of(block.codec, batch.view));
    });
  }
}

}  // namespace

void for_each_batch(size_t count, at::Device device, const std::function<void(size_t)>& action) {
  const auto n = static_cast<int64_t>(count);
  const auto serial = [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t i = begin; i < end; ++i) action(static_cast<size_t>(i));
  };
  if (device.is_cpu() && n >= at::get_num_threads()) {
    at::parallel_for(0, n, 1, serial);
  } else {
    serial(0, n);
  }
}

AttentionFunction attention_of(const KvCodec& codec, const KvViewOptions& view) {
  return [codec, view](const AttentionInputs& in) {
    return quantized_attention(in.query, in.key, in.value, codec, view, in.sliding_window);
  };
}

KvRanges collect_kv_ranges(const BlockContext& context) {
  KvRanges ranges;
  const AttentionFunction attention = [&](const AttentionInputs& in) {
    ranges.key.add(in.key);
    ranges.value.add(in.value);
    return full_attention(in.query, in.key, in.value, in.sliding_window);
  };
  for (const at::Tensor& hidden : context.inputs_quantized)
    forward_block(context.model, context.layer, context.block.weights, context.rope, hidden, 0,
                  attention);
  return ranges;
}

void run_blocks(ModelSource& source, Method& method, BlockPass& pass, Recorder& recorder) {
  const at::NoGradGuard no_grad;
  Chains chains{pass.calibration, pass.calibration};
  for (int64_t layer = 0; layer < source.config().layers; ++layer) {
    const BlockWeights full = source.block(layer);
    QuantizedBlock block{full, {}};
    BlockContext context{source.config(), source.rope(), layer,
                         block,           chains.full,   chains.quantized};
    method.calibrate(context, recorder);
    carry(source, layer, full, chains.full);
    carry(source, layer, block.weights, chains.quantized);
    carry_streams(source, layer, full, block, pass, recorder);
    if (pass.keep_blocks) pass.blocks.push_back(block);
    if (pass.on_block) pass.on_block(layer + 1);
  }
}

}  // namespace wkvq
