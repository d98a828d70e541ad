#include "core/cache/packed_kv.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>

#include "core/base/error.h"
#include "core/device/device_stream.h"
#include "core/device/torch_headers.h"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"
#include "core/kernels/packed_problems.h"

namespace wkvq {

namespace {

ScaleDtype stored_as(ScaleDtype dtype) {
  switch (dtype) {
    case ScaleDtype::kFloat16:
      return ScaleDtype::kFloat16;
    case ScaleDtype::kBfloat16:
      return ScaleDtype::kBfloat16;
    case ScaleDtype::kCompute:
    case ScaleDtype::kFloat32:
      break;
  }
  return ScaleDtype::kFloat32;
}

void check_groups(const char* who, const KvTensorOptions& options, int64_t head_dim) {
  const int64_t group = options.group_size;
  if (options.axis == KvAxis::kTime) {
    if (std::string_view(who) != "keys")
      config_error("packed cache: the {} are grouped along time; expected axis: token", who);
    if (group < kPanelLanes || group % kPanelLanes != 0 || kPageTokens % group != 0)
      config_error(
          "packed cache: group_size {} of the {} along time is not supported; expected 16, 32 or "
          "64 tokens",
          group, who);
    return;
  }
  if (options.group_scope != GroupScope::kHead)
    config_error("packed cache: groups of the {} span heads; expected group_scope: head", who);
  if (group != -1 && (group % kPanelStep != 0 || head_dim % group != 0))
    config_error(
        "packed cache: group_size {} of the {} is not supported; expected a multiple of {} that "
        "divides head_dim {}, or -1",
        group, who, kPanelStep, head_dim);
}

}  // namespace

void check_packable(const char* who, const KvTensorOptions& options, int64_t head_dim) {
  if (head_dim % kPanelStep != 0 || head_dim < kPanelStep || head_dim > kMaxHeadDim)
    config_error("packed cache: head_dim {} is not supported; expected a multiple of {} up to {}",
                 head_dim, kPanelStep, kMaxHeadDim);
  if (options.format != FormatId::kInteger)
    config_error("packed cache: format {} of the {} is not supported; expected integers",
                 number_format(options.format).name, who);
  if (!packable_bits(options.bits))
    config_error("packed cache: {} bits of the {} are not supported; expected 2, 3, 4 or 8",
                 options.bits, who);
  if (options.form != QuantForm::kMinimum)
    config_error("packed cache: form: {} of the {} is not supported; expected form: minimum",
                 quant_form_names()[static_cast<size_t>(options.form)], who);
  check_groups(who, options, head_dim);
  if (options.range == KvRange::kStatic || options.grid != KvGrid::kUniform || options.outliers > 0)
    config_error(
        "packed cache: the {} have range: static, grid: nuq or normal, or outliers; expected a "
        "dynamic uniform grid without outliers",
        who);
  if (options.rotate != KvRotation::kNone && options.rotate != KvRotation::kHadamard)
    config_error(
        "packed cache: rotate: signed, queries or own of the {} is not supported; expected "
        "hadamard or none",
        who);
  if (options.clip != 1 || options.tile != 0)
    config_error("packed cache: clip and tile of the {} are not supported; expected neither", who);
  if (options.before_rope())
    config_error("packed cache: rope: before of the {} is not supported; expected rope: after",
                 who);
}

KvFormat packed_format(const KvTensorOptions& options, int64_t head_dim, bool is_key) {
  return {.bits = options.bits,
          .dim = head_dim,
          .group = options.group_size == -1 ? head_dim : options.group_size,
          .stored = stored_as(options.scale_dtype),
          .is_key = is_key,
          .along_time = options.axis == KvAxis::kTime};
}

PackedKv::PackedKv(const KvCodec& codec, const Shape& shape, std::string name,
                   const PackedKernels& kernels, const DeviceKernels* device)
    : codec_(codec),
      shape_(shape),
      name_(std::move(name)),
      kernels_(kernels),
      device_(kernels_of(shape.device, device)),
      pages_(static_cast<size_t>(shape.batch)),
      starts_(static_cast<size_t>(shape.batch)),
      key_counts_(static_cast<size_t>(shape.batch), 0),
      value_counts_(key_counts_) {
  check_packable("keys", codec.key.options(), shape.head_dim);
  check_packable("values", codec.value.options(), shape.head_dim);
  key_ = packed_format(codec.key.options(), shape.head_dim, true);
  value_ = packed_format(codec.value.options(), shape.head_dim, false);
}

void PackedKv::grow(int64_t row, int64_t tokens) {
  auto& pages = pages_[static_cast<size_t>(row)];
  // The library aligns its memory to 64 bytes at least, as the kernels need it.
  while (static_cast<int64_t>(pages.size()) * kPageTokens < tokens) {
    pages.push_back(
        at::zeros({round_up_to(page_bytes(), 64)}, at::dtype(at::kByte).device(shape_.device)));
    starts_[static_cast<size_t>(row)].push_back(pages.back().mutable_data_ptr<uint8_t>());
  }
}

void PackedKv::append_head(int64_t row, int64_t head, const Tokens& x, bool is_key) {
  const KvTensorCodec& codec = is_key ? codec_.key : codec_.value;
  // Rotated tokens come transformed already.
  const bool fused = codec.options().rotate == KvRotation::kNone;
  const auto channels = [&](const at::Tensor& c) {
    return fused && c.defined() ? c.const_data_ptr<float>() + head * shape_.head_dim : nullptr;
  };
  KvAppend in{
      .stride = x.stride, .shift = channels(codec.shift()), .scale = channels(codec.scale())};
  const int64_t together = codec.tokens_per_group();
  for (int64_t i = 0; i < x.count; i += together) {
    const int64_t token = tokens(row, is_key) + i;
    in.part = {starts_[static_cast<size_t>(row)][static_cast<size_t>(token / kPageTokens)] +
                   part_offset(head, is_key),
               format(is_key)};
    in.slot = token % kPageTokens;
    in.x = x.data + head * x.head_stride + i * x.stride;
    if (kernels_.append(in)) continue;
    const std::string which =
        together == 1 ? fmt::format("token {}", token)
                      : fmt::format("one of tokens {} to {}", token, token + together - 1);
    TORCH_CHECK(false, name_, ": the ", is_key ? "key" : "value", " of ", which, ", head ", head,
                " of sequence ", row, " is not finite");
  }
}

void PackedKv::check_shape(const at::Tensor& x, bool is_key) const {
  const int64_t together = (is_key ? codec_.key : codec_.value).tokens_per_group();
  TORCH_CHECK(x.dim() == 3 && x.size(0) == shape_.kv_heads && x.size(2) == shape_.head_dim &&
                  x.device() == shape_.device && x.scalar_type() != at::kDouble,
              name_, ": got ", x.toString(), " ", x.sizes(), "; expected [", shape_.kv_heads,
              ", tokens, ", shape_.head_dim, "] in float32, bfloat16 or float16 on ",
              shape_.device);
  TORCH_CHECK(x.size(1) % together == 0, name_, ": got ", x.size(1), " keys; expected whole groups",
              " of ", together, " tokens");
}

void PackedKv::append(int64_t row, const at::Tensor& key, const at::Tensor& value) {
  check_shape(key, true);
  check_shape(value, false);
  const int64_t count = std::max(key.size(1), value.size(1));
  if (count == 0) return;
  const auto prepared = [&](const at::Tensor& x, const KvTensorCodec& codec) {
    const at::Tensor y = codec.options().rotate == KvRotation::kNone
                             ? x.to(at::kFloat)
                             : codec.transformed(x.unsqueeze(0)).squeeze(0);
    return y.stride(2) == 1 ? y : y.contiguous();
  };
  const at::Tensor keys = prepared(key, codec_.key), values = prepared(value, codec_.value);
  grow(row, std::max(tokens(row, true) + key.size(1), tokens(row, false) + value.size(1)));
  if (device_) {
    append_on_device(row, keys, values);
  } else {
    // About 64 tokens of a head keep a thread busy.
    const int64_t grain = std::max<int64_t>(1, 64 / count);
    const auto plain = [](const at::Tensor& x) {
      return Tokens{x.const_data_ptr<float>(), x.stride(0), x.stride(1), x.size(1)};
    };
    at::parallel_for(0, shape_.kv_heads, grain, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; ++head) {
        append_head(row, head, plain(keys), true);
        append_head(row, head, plain(values), false);
      }
    });
  }
  key_counts_[static_cast<size_t>(row)] += key.size(1);
  value_counts_[static_cast<size_t>(row)] += value.size(1);
}

void PackedKv::append(int64_t row, const Tokens& key, const Tokens& value) {
  grow(row, std::max(tokens(row, true) + key.count, tokens(row, false) + value.count));
  for (int64_t head = 0; head < shape_.kv_heads; ++head) {
    append_head(row, head, key, true);
    append_head(row, head, value, false);
  }
  key_counts_[static_cast<size_t>(row)] += key.count;
  value_counts_[static_cast<size_t>(row)] += value.count;
}

void PackedKv::append_on_device(int64_t row, const at::Tensor& key, const at::Tensor& value) {
  const DeviceStream stream(shape_.device);
  const auto& starts = starts_[static_cast<size_t>(row)];
  const auto touched = static_cast<size_t>(tokens(row) / kPageTokens);
  const at::Tensor pages = stream.copy(starts.data() + touched, starts.size() - touched);
  const auto side = [&](const at::Tensor& x, bool is_key) {
    const KvTensorCodec& codec = is_key ? codec_.key : codec_.value;
    const bool fused = codec.options().rotate == KvRotation::kNone;
    const auto channels = [&](const at::Tensor& c) {
      return fused && c.defined() ? c.const_data_ptr<float>() : nullptr;
    };
    const int64_t first = tokens(row, is_key);
    return DeviceAppend::Side{.format = format(is_key),
                              .x = x.const_data_ptr<float>(),
                              .head_stride = x.stride(0),
                              .stride = x.stride(1),
                              .shift = channels(codec.shift()),
                              .scale = channels(codec.scale()),
                              .first = first,
                              .tokens = x.size(1),
                              .pages = DeviceStream::items<unsigned char*>(pages) +
                                       first / kPageTokens - static_cast<int64_t>(touched)};
  };
  at::Tensor wrong = at::full({}, std::numeric_limits<int>::max(), key.options().dtype(at::kInt));
  device_->append({.key = side(key, true),
                   .value = side(value, false),
                   .kv_heads = shape_.kv_heads,
                   .wrong = wrong.data_ptr<int>()},
                  stream.handle());
  const int64_t at = wrong.item<int>();
  TORCH_CHECK(at == std::numeric_limits<int>::max(), name_, ": the ", at % 2 ? "value" : "key",
              " of token ", at / 2 / shape_.kv_heads, ", head ", at / 2 % shape_.kv_heads,
              " of sequence ", row, " is not finite");
}

at::Tensor PackedKv::decode(int64_t row, bool is_key) const {
  const int64_t count = tokens(row, is_key);
  at::Tensor x = at::empty({1, shape_.kv_heads, count, shape_.head_dim}, at::kFloat);
  for (int64_t first = 0; first < count; first += kPageTokens) {
    at::Tensor page =
        pages_[static_cast<size_t>(row)][static_cast<size_t>(first / kPageTokens)].cpu();
    for (int64_t head = 0; head < shape_.kv_heads; ++head) {
      const KvPart part{page.mutable_data_ptr<uint8_t>() + part_offset(head, is_key),
                        format(is_key)};
      for (int64_t t = first; t < std::min(first + kPageTokens, count); ++t)
        kernels_.unpack(part, t - first,
                        x.data_ptr<float>() + (head * count + t) * shape_.head_dim);
    }
  }
  return (is_key ? codec_.key : codec_.value).restored(x.to(shape_.device));
}

int64_t PackedKv::stored_bytes() const {
  const auto all = [](const std::vector<int64_t>& counts) {
    return std::accumulate(counts.begin(), counts.end(), int64_t{0});
  };
  return (key_.page_bytes() * all(key_counts_) + value_.page_bytes() * all(value_counts_)) /
         kPageTokens * shape_.kv_heads;
}

int64_t PackedKv::allocated_bytes() const {
  size_t pages = 0;
  for (const auto& of_row : pages_) pages += of_row.size();
  return round_up_to(page_bytes(), 64) * static_cast<int64_t>(pages);
}

}  // namespace wkvq
