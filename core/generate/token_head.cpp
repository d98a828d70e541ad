#include "core/generate/token_head.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/checkpoint/model_tensors.h"
#include "core/base/error.h"
#include "core/device/torch_headers.h"
#include "core/model/row_ops.h"

namespace wkvq {

namespace {

/// A tied head is the embedding table, which stands first; an own head stands last.
TensorSpec head_tensor(const ModelConfig& model) {
  const std::vector<TensorSpec> specs = outer_tensors(model);
  return model.tie_embeddings ? specs.front() : specs.back();
}

}  // namespace

std::shared_ptr<const PackedWeight> stored_head(const Checkpoint& checkpoint) {
  // A block of Q8_0: a scale in float16 and so many numbers of 8 bits.
  constexpr int64_t kGroup = 32, kBlock = 2 + kGroup;
  const StoredTensor& stored = checkpoint.files().at(head_tensor(checkpoint.config()).name);
  const TensorEntry& entry = *stored.entry;
  if (entry.dtype != "Q8_0" || stored.paired_rows) return nullptr;
  const int64_t rows = entry.shape[0], width = entry.shape[1], groups = width / kGroup;
  const at::Tensor codes = at::empty({rows, width}, at::kByte);
  const at::Tensor scale = at::empty({rows, groups}, at::kFloat);
  const auto* from = reinterpret_cast<const uint8_t*>(entry.data);
  auto* code = codes.data_ptr<uint8_t>();
  auto* scales = scale.data_ptr<float>();
  for (int64_t at = 0; at < rows * groups; ++at, from += kBlock) {
    uint16_t half = 0;
    std::memcpy(&half, from, sizeof half);
    scales[at] = float_of_half(half);
    // Codes begin at 0: the byte -128 is code 0.
    for (int64_t i = 0; i < kGroup; ++i)
      code[at * kGroup + i] = static_cast<uint8_t>(from[2 + i] ^ 0x80);
  }
  if (!at::isfinite(scale).all().item<bool>())
    config_error("{}: tensor '{}' holds values that are not finite", stored.file->path().string(),
                 entry.name);
  stored.file->release(entry);
  const QuantSpec spec{.bits = 8,
                       .group_size = kGroup,
                       .form = QuantForm::kSymmetric,
                       .scale_dtype = ScaleDtype::kFloat16};
  const QuantPlan plan{.rows = rows,
                       .width = width,
                       .group = kGroup,
                       .form = QuantForm::kSymmetric,
                       .stored = ScaleDtype::kFloat16};
  return std::make_shared<const PackedWeight>(
      Encoded{.groups = {.codes = codes, .scale = scale, .offset = at::zeros_like(scale)},
              .plan = plan,
              .dtype = at::kFloat},
      spec);
}

TokenHead::TokenHead(const ModelSource& source, bool codes)
    : norm_eps_(source.config().norm_eps),
      hidden_(source.config().hidden_size),
      vocab_(source.config().vocab_size) {
  const auto load = [&](const TensorSpec& spec) {
    return source.checkpoint().load(spec.name, spec.shape, at::kFloat, at::kCPU);
  };
  norm_ = load(outer_tensors(source.config())[1]);
  if (codes) linear_.packed = stored_head(source.checkpoint());
  if (!linear_.packed) linear_.weight = load(head_tensor(source.config()));
  set_ = LinearSet({&linear_});
}

int64_t TokenHead::held_bytes() const {
  return static_cast<int64_t>(norm_.nbytes()) +
         (linear_.packed ? linear_.packed->stored_bytes()
                         : static_cast<int64_t>(linear_.weight.nbytes()));
}

std::vector<std::vector<double>> TokenHead::logits(Team& team, const float* hidden, int64_t rows) {
  std::vector<std::vector<double>> all;
  for (int64_t first = 0; first < rows; first += PackedWeight::kFewRows) {
    const int64_t count = std::min(PackedWeight::kFewRows, rows - first);
    some_logits(team, hidden + first * hidden_, count);
    for (int64_t r = 0; r < count; ++r) {
      const float* row = logits_.data() + r * set_.output_stride(0);
      all.emplace_back(row, row + vocab_);
    }
  }
  return all;
}

void TokenHead::some_logits(Team& team, const float* hidden, int64_t rows) {
  const int64_t stride = set_.input_stride();
  // Zeros behind the ends of rows.
  normed_.assign(static_cast<size_t>(rows * stride), 0.0F);
  logits_.resize(static_cast<size_t>(rows * set_.output_stride(0)));
  sums_.resize(static_cast<size_t>(set_.scratch(rows)));
  for (int64_t r = 0; r < rows; ++r)
    rms_norm_row(hidden + r * hidden_, norm_.const_data_ptr<float>(), hidden_, norm_eps_,
                 normed_.data() + r * stride);
  set_.run(team, normed_.data(), rows, {{logits_.data(), set_.output_stride(0)}}, sums_.data());
}

}  // namespace wkvq
