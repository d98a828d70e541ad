#include "core/calibrate/stream_check.h"

#include <fmt/format.h>

#include "core/attention/masked_attention.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// `what` of a tensor whose rows are dimension 0 and whose tokens are dimension `token`.
std::optional<NotFinitePlace> place_in(const char* what, const at::Tensor& x, size_t token) {
  const auto place = first_not_finite(x);
  if (!place) return std::nullopt;
  return NotFinitePlace{what, place->front(), (*place)[token]};
}

/// The first block of the full-precision model that `tokens` leave with states that are not finite,
/// among blocks 0 .. last.
std::optional<int64_t> first_bad_block(ModelSource& source, at::Tensor hidden,
                                       const StreamBatch& batch, int64_t last) {
  const Positions positions = batch.packed ? Positions(batch.packed->positions) : Positions();
  const AttentionFunction plain =
      batch.packed ? packed_attention(batch.packed, {}, batch.view) : plain_attention;
  for (int64_t layer = 0; layer <= last; ++layer) {
    std::optional<NotFinitePlace> found;
    hidden = forward_block(source.config(), layer, source.block(layer), source.rope(), hidden,
                           positions, watched(plain, found));
    if (found || !all_finite(hidden)) return layer;
  }
  return std::nullopt;
}

std::string where_text(const Stream& stream, const StreamBatch& batch,
                       const NotFinitePlace& place) {
  int64_t position = place.column;
  if (batch.packed) position = batch.packed->positions[place.column].item<int64_t>();
  const auto row = static_cast<size_t>(place.row);
  std::string text = stream.name.empty() ? std::string() : stream.name + ", ";
  if (row < batch.sequences.size())
    text +=
        fmt::format("{} {}, ", batch.packed ? "sequences from" : "sequence", batch.sequences[row]);
  return text + fmt::format("position {}", position);
}

}  // namespace

AttentionFunction watched(const AttentionFunction& attention,
                          std::optional<NotFinitePlace>& found) {
  return [attention, &found](const AttentionInputs& in) {
    if (in.key.is_cpu()) {
      found = place_in("queries of", in.query, 2);
      if (!found) found = place_in("keys of", in.key, 2);
      // A view of [batch, seq, heads, head_dim], which is read in its own order.
      if (!found) found = place_in("values of", in.value.transpose(1, 2), 1);
    }
    return attention(in);
  };
}

std::optional<NotFinitePlace> not_finite_hidden(const at::Tensor& hidden) {
  return place_in("hidden states that leave", hidden, 1);
}

void fail_stream(ModelSource& source, int64_t layer, const Stream& stream, const StreamBatch& batch,
                 const NotFinitePlace& place) {
  const at::NoGradGuard no_grad;
  const std::string where = where_text(stream, batch, place);
  std::optional<int64_t> of_model;
  if (stream.full_precision) {
    of_model = layer;
  } else if (batch.tokens.defined()) {
    const at::Tensor row = batch.tokens.narrow(0, place.row, 1);
    of_model = first_bad_block(source, source.embed(row), batch, layer);
  }
  if (of_model)
    throw NotFiniteError(model_not_finite(
        source.options().dtype, fmt::format("{} block {}, {}", place.what, *of_model, where)));
  throw NotFiniteError(
      fmt::format("not finite: {} block {} of the quantized model, {}", place.what, layer, where));
}

void check_quantized_chain(ModelSource& source, int64_t layer, const CalibrationChain& chain,
                           const std::vector<at::Tensor>& hidden) {
  for (size_t i = 0; i < hidden.size(); ++i) {
    const auto place = not_finite_hidden(hidden[i]);
    if (!place) continue;
    size_t first = 0;
    for (size_t before = 0; before < i; ++before)
      first += static_cast<size_t>(chain.tokens()[before].size(0));
    StreamBatch batch{.hidden = hidden[i], .tokens = chain.tokens()[i]};
    for (int64_t row = 0; row < hidden[i].size(0); ++row)
      batch.sequences.push_back(first + static_cast<size_t>(row));
    fail_stream(source, layer, {.name = "calibration text"}, batch, *place);
  }
}

void check_quantized_block(int64_t layer, const BlockWeights& full, const QuantizedBlock& block) {
  BlockWeights original = full, quantized = block.weights;
  std::vector<at::Tensor> known;
  original.visit_linears(
      [&](const char*, const Linear& linear) { known.push_back(linear.weight); });
  size_t i = 0;
  quantized.visit_linears([&](const char* name, const Linear& linear) {
    const std::string what = fmt::format("quantized weight block_{:02}/{}", layer, name);
    // Those of the checkpoint were looked at when they were loaded.
    if (!linear.weight.is_same(known[i++])) require_finite(linear.weight, what);
    require_finite(linear.bias, what + ", bias");
  });
  require_finite(quantized.input_norm, fmt::format("gain of block_{:02}/input_norm", layer));
  require_finite(quantized.post_norm, fmt::format("gain of block_{:02}/post_norm", layer));
  for (const auto& [name, codec] :
       {std::pair{"key", &block.codec.key}, std::pair{"value", &block.codec.value}}) {
    const std::string what = fmt::format("channels of block_{:02}/{}", layer, name);
    require_finite(codec->shift(), what + ", shift");
    require_positive(codec->scale(), what + ", scale");
  }
}

bool full_precision_is_finite(ModelSource& source, const at::Tensor& tokens) {
  const at::NoGradGuard no_grad;
  at::Tensor hidden = source.embed(tokens);
  for (int64_t layer = 0; layer < source.config().layers; ++layer)
    hidden = forward_block(source.config(), layer, source.block(layer), source.rope(), hidden, 0,
                           plain_attention);
  return all_finite(source.head().logits(hidden));
}

}  // namespace wkvq
