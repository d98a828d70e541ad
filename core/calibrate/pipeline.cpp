#include "core/calibrate/pipeline.h"

#include <fmt/format.h>

#include "core/attention/masked_attention.h"
#include "core/base/files/heap.h"
#include "core/base/run/activity.h"
#include "core/calibrate/packed_block.h"
#include "core/calibrate/statistics.h"
#include "core/calibrate/stream_check.h"
#include "core/device/batches.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

// Tokens of the first batch that statistics look at; logit errors need a square of it per head.
constexpr int64_t kStatisticsSequences = 1;
constexpr int64_t kStatisticsLength = 128;

const KvViewOptions kFullPrecision{.mode = ViewMode::kNone};

/// Wraps `attention` so that a sample of its inputs is recorded: the first sequence's, or its
/// trunk.
AttentionFunction recording(const AttentionFunction& attention, const KvCodec& codec,
                            const StreamBatch& batch, int64_t layer, Recorder& recorder) {
  const int64_t length = batch.packed ? batch.packed->segments.front().length : kStatisticsLength;
  return [&, length, layer](const AttentionInputs& in) {
    const auto sample = [length](const at::Tensor& x) {
      return x.narrow(0, 0, std::min(kStatisticsSequences, x.size(0)))
          .narrow(2, 0, std::min({length, kStatisticsLength, x.size(2)}));
    };
    AttentionInputs seen = in;
    seen.positions = {};
    for (at::Tensor* x : {&seen.query, &seen.key, &seen.value, &seen.key_before_rope})
      *x = sample(*x);
    record_kv_statistics(recorder, layer, seen, codec);
    return attention(in);
  };
}

AttentionFunction attention_of(const KvCodec& codec, const StreamBatch& batch) {
  return batch.packed ? packed_attention(batch.packed, codec, batch.view)
                      : attention_of(codec, batch.view);
}

/// Carries one stream through a block. Statistics come from its first batch where `recorder` is
/// given.
void carry_stream(ModelSource& source, int64_t layer, const QuantizedBlock& block, Stream& stream,
                  Recorder* recorder) {
  std::vector<std::optional<NotFinitePlace>> found(stream.batches.size());
  const auto forward = [&](size_t i, const AttentionFunction& attention) {
    StreamBatch& batch = stream.batches[i];
    batch.hidden = source.rest(
        forward_block(source.config(), layer, block.weights, source.rope(), batch.hidden,
                      batch.packed ? Positions(batch.packed->positions) : Positions(),
                      watched(attention, found[i])));
  };
  size_t first = 0;
  if (recorder && !stream.batches.empty()) {
    const StreamBatch& sampled = stream.batches[0];
    const AttentionFunction plain = attention_of(block.codec, sampled);
    forward(first++, recording(plain, block.codec, sampled, layer, *recorder));
  }
  for_each_batch(stream.batches.size() - first, source.options().device, [&](size_t i) {
    forward(first + i, attention_of(block.codec, stream.batches[first + i]));
  });
  // Behind the loop, so that a device is waited for once.
  for (size_t i = 0; i < stream.batches.size(); ++i) {
    if (!found[i]) found[i] = not_finite_hidden(stream.batches[i].hidden);
    if (found[i]) fail_stream(source, layer, stream, stream.batches[i], *found[i]);
  }
}

void carry_streams(ModelSource& source, int64_t layer, const BlockWeights& full,
                   const QuantizedBlock& block, BlockPass& pass, Recorder& recorder) {
  // The full-precision ones first: where they are not finite the model is to blame.
  for (Stream& stream : pass.streams)
    if (stream.full_precision) carry_stream(source, layer, {full, {}}, stream, nullptr);
  Recorder* sample = &recorder;
  for (Stream& stream : pass.streams) {
    if (stream.full_precision) continue;
    carry_stream(source, layer, block, stream, sample);
    if (!stream.batches.empty()) sample = nullptr;
  }
}

/// What of the evaluated text enters the next block: rows of the first quantized batch.
at::Tensor evaluated_text(const BlockPass& pass) {
  for (const Stream& stream : pass.streams) {
    if (stream.full_precision || stream.batches.empty()) continue;
    const StreamBatch& batch = stream.batches.front();
    return batch.packed ? batch.hidden.narrow(1, 0, batch.packed->segments.front().length)
                        : batch.hidden;
  }
  return {};
}

std::function<void(double)> share_of(const BlockPass& pass, int64_t layer) {
  if (!pass.on_share) return {};
  return [&pass, layer](double share) { pass.on_share(static_cast<double>(layer) + share); };
}

void tell_block(const ModelSource& source, int64_t layer, const char* phase) {
  tell_activity(fmt::format("block {}/{}: {}", layer + 1, source.config().layers, phase));
}

}  // namespace

AttentionFunction attention_of(const KvCodec& codec, const KvViewOptions& view) {
  return [codec, view](const AttentionInputs& in) { return quantized_attention(in, codec, view); };
}

void run_blocks(ModelSource& source, Method& method, BlockPass& pass, Recorder& recorder) {
  const at::NoGradGuard no_grad;
  const CalibrationNeeds needs = method.calibration_needs();
  TORCH_CHECK(needs == CalibrationNeeds::kNone || (pass.calibration && !pass.calibration->empty()),
              "run_blocks: the method needs calibration text");
  std::vector<at::Tensor> inputs;  // of the quantized chain
  bool apart = false;              // it differs from the full chain
  for (int64_t layer = 0; layer < source.config().layers; ++layer) {
    const BlockWeights full = source.block(layer);
    release_freed_memory();  // of the block before
    QuantizedBlock block{full, {}};
    if (needs != CalibrationNeeds::kNone && !apart) inputs = pass.calibration->entering(layer);
    BlockContext context{.source = source,
                         .model = source.config(),
                         .rope = source.rope(),
                         .layer = layer,
                         .block = block,
                         .full = pass.calibration,
                         .quantized = &inputs,
                         .learned = pass.learned,
                         .on_share = share_of(pass, layer),
                         .keep_codes = pass.keep_packed,
                         .measure_errors = true,
                         .text = evaluated_text(pass)};
    tell_block(source, layer, needs == CalibrationNeeds::kNone ? "quantizing" : "calibrating");
    method.calibrate(context, recorder);
    check_quantized_block(layer, full, block);
    if (needs != CalibrationNeeds::kNone) {
      const bool sees_cache = method.chain_sees_cache() && !block.codec.identity();
      // A method that looked ahead may have let go of the next block's states.
      apart |=
          sees_cache || !is_unchanged(full, block.weights) || !pass.calibration->reaches(layer + 1);
      const KvViewOptions& view = sees_cache ? method.kv().view : kFullPrecision;
      if (apart) {
        carry(source, layer, block.weights, attention_of(block.codec, view), inputs);
        check_quantized_chain(source, layer, *pass.calibration, inputs);
      }
      // Now, while the source still holds the block.
      if (pass.calibration->reaches(layer + 1) &&
          (!apart || needs == CalibrationNeeds::kBothChains))
        pass.calibration->entering(layer + 1);
      pass.calibration->release_before(layer + 1);
    }
    tell_block(source, layer, "evaluated text");
    carry_streams(source, layer, full, block, pass, recorder);
    if (pass.keep_packed) pass.packed_blocks.push_back(packed_block(block));
    drop_codes(block.weights);
    if (pass.keep_blocks) pass.blocks.push_back(block);
    if (pass.on_block) pass.on_block(layer + 1);
  }
  release_freed_memory();
}

}  // namespace wkvq
