#include "core/generate/token_pass.h"

#include <algorithm>

#include "core/device/torch_headers.h"
#include "core/kernels/panel_codes.h"
#include "core/model/fused_ops.h"
#include "core/model/row_ops.h"

namespace wkvq {

namespace {

bool plain_norm(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
}

/// The linears of a block that read the same input, in the order of the inputs.
std::vector<std::vector<const Linear*>> sets_of(const BlockWeights& w) {
  return {{&w.query, &w.key, &w.value}, {&w.output}, {&w.gate, &w.up}, {&w.down}};
}

}  // namespace

std::string TokenPass::unsupported(const ModelConfig& model,
                                   const std::vector<QuantizedBlock>& blocks) {
  for (const QuantizedBlock& block : blocks) {
    const BlockWeights& weights = block.weights;
    for (const auto& set : sets_of(weights))
      if (std::string why = LinearSet::unsupported(set); !why.empty()) return why;
    std::vector<at::Tensor> norms{weights.input_norm, weights.post_norm};
    if (model.qk_norm) norms.insert(norms.end(), {weights.query_norm, weights.key_norm});
    if (!std::all_of(norms.begin(), norms.end(), plain_norm))
      return "a norm that is not float32 on the CPU";
  }
  return {};
}

TokenPass::TokenPass(const ModelConfig& model, const Rope& rope,
                     const std::vector<QuantizedBlock>& blocks, Team& team)
    : model_(model), rope_(rope), team_(team) {
  for (const QuantizedBlock& block : blocks) {
    const auto sets = sets_of(block.weights);
    blocks_.push_back({.weights = block.weights,
                       .inputs = LinearSet(sets[0]),
                       .output = LinearSet(sets[1]),
                       .mlp = LinearSet(sets[2]),
                       .down = LinearSet(sets[3])});
  }
}

void TokenPass::reserve(int64_t rows) {
  if (rows == rows_) return;
  rows_ = rows;
  const int64_t hidden = model_.hidden_size, inner = model_.intermediate_size;
  const int64_t queries = model_.heads * model_.head_dim, keys = model_.kv_heads * model_.head_dim;
  int64_t sums = 0;
  for (const Block& block : blocks_)
    for (const LinearSet* set : {&block.inputs, &block.output, &block.mlp, &block.down})
      sums = std::max(sums, set->scratch(rows));
  struct Wanted {
    PlainRows* rows;
    int64_t stride;
  };
  const auto in = [](int64_t width) { return round_up_to(width, kPanelStep); };
  const auto out = [](int64_t width) { return round_up_to(width, kPanelLanes); };
  const Wanted all[]{{&normed_, in(hidden)},  {&query_, out(queries)},   {&key_, out(keys)},
                     {&value_, out(keys)},    {&turned_query_, queries}, {&turned_key_, keys},
                     {&joined_, in(queries)}, {&gate_, out(inner)},      {&up_, out(inner)},
                     {&gated_, in(inner)},    {&update_, out(hidden)}};
  int64_t size = sums;
  for (const Wanted& wanted : all) size += rows * in(wanted.stride);
  // Zeros, which stay behind the ends of rows.
  memory_.assign(static_cast<size_t>(size), 0.0F);
  float* at = memory_.data();
  for (const Wanted& wanted : all) {
    *wanted.rows = {at, wanted.stride};
    at += rows * in(wanted.stride);
  }
  sums_ = at;
  gate_tensor_ = at::empty({rows, inner}, at::kFloat);
  up_tensor_ = at::empty({rows, inner}, at::kFloat);
}

void TokenPass::step(float* hidden, const std::vector<TokenPlace>& places) {
  const at::NoGradGuard no_grad;
  reserve(static_cast<int64_t>(places.size()));
  TORCH_CHECK(rows_ >= 1 && rows_ <= kMostRows, "token pass: got ", rows_,
              " sequences; expected 1 to ", kMostRows);
  std::vector<Angles> angles;
  for (const TokenPlace& place : places) {
    const Rope::Table table = rope_.table(place.position, 1);
    angles.push_back({table, table.cos.const_data_ptr<float>(), table.sin.const_data_ptr<float>()});
  }
  for (size_t layer = 0; layer < blocks_.size(); ++layer) run_block(layer, hidden, places, angles);
}

void TokenPass::run_block(size_t layer, float* hidden, const std::vector<TokenPlace>& places,
                          const std::vector<Angles>& angles) {
  Block& block = blocks_[layer];
  const int64_t width = model_.hidden_size;
  team_.run(rows_, [&](int64_t r) {
    rms_norm_row(hidden + r * width, block.weights.input_norm.const_data_ptr<float>(), width,
                 model_.norm_eps, normed_.row(r));
  });
  block.inputs.run(team_, normed_.data, rows_, {query_, key_, value_}, sums_);
  team_.run(rows_, [&](int64_t r) { place_heads(block, angles[static_cast<size_t>(r)], r); });
  attend(layer, places);
  block.output.run(team_, joined_.data, rows_, {update_}, sums_);
  team_.run(rows_, [&](int64_t r) {
    float* const row = hidden + r * width;
    for (int64_t i = 0; i < width; ++i) row[i] += update_.row(r)[i];
    rms_norm_row(row, block.weights.post_norm.const_data_ptr<float>(), width, model_.norm_eps,
                 normed_.row(r));
  });
  block.mlp.run(team_, normed_.data, rows_, {gate_, up_}, sums_);
  multiply_gates();
  block.down.run(team_, gated_.data, rows_, {update_}, sums_);
  for (int64_t r = 0; r < rows_; ++r)
    for (int64_t i = 0; i < width; ++i) hidden[r * width + i] += update_.row(r)[i];
}

void TokenPass::place_heads(const Block& block, const Angles& angles, int64_t r) {
  const int64_t dim = model_.head_dim;
  const auto place = [&](const PlainRows& from, const PlainRows& to, int64_t heads,
                         const at::Tensor& norm) {
    for (int64_t head = 0; head < heads; ++head) {
      float* const x = from.row(r) + head * dim;
      if (model_.qk_norm) rms_norm_row(x, norm.const_data_ptr<float>(), dim, model_.norm_eps, x);
      rotate_row(x, angles.cos, angles.sin, dim / 2, to.row(r) + head * dim);
    }
  };
  place(query_, turned_query_, model_.heads, block.weights.query_norm);
  place(key_, turned_key_, model_.kv_heads, block.weights.key_norm);
}

void TokenPass::attend(size_t layer, const std::vector<TokenPlace>& places) {
  for (int64_t r = 0; r < rows_; ++r) {
    const TokenPlace& place = places[static_cast<size_t>(r)];
    wkvq::step((*place.caches)[layer],
               {.heads = model_.heads,
                .kv_heads = model_.kv_heads,
                .head_dim = model_.head_dim,
                .query = turned_query_.row(r),
                .key = turned_key_.row(r),
                .value = value_.row(r),
                .key_before_rope = key_.row(r),
                .rope = &rope_,
                .position = place.position,
                .sliding_window = model_.window_of(static_cast<int64_t>(layer)),
                .out = joined_.row(r)},
               team_);
  }
}

void TokenPass::multiply_gates() {
  const int64_t width = model_.intermediate_size;
  const auto copy = [&](const PlainRows& rows, const at::Tensor& to) {
    for (int64_t r = 0; r < rows_; ++r)
      std::copy_n(rows.row(r), width, to.data_ptr<float>() + r * width);
  };
  copy(gate_, gate_tensor_);
  copy(up_, up_tensor_);
  // The library's exponential, whose bits every other path has.
  const at::Tensor gated = silu_times(gate_tensor_, up_tensor_);
  for (int64_t r = 0; r < rows_; ++r)
    std::copy_n(gated.const_data_ptr<float>() + r * width, width, gated_.row(r));
}

}  // namespace wkvq
