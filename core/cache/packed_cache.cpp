#include "core/cache/packed_cache.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/attention/masked_attention.h"
#include "core/base/error.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// Position of the first token of x [kv_heads, tokens, head_dim] with a value that is not finite.
std::optional<int64_t> not_finite(const at::Tensor& x) {
  // NaN and infinity reach the smallest or the largest element: one pass where all is well.
  const auto [low, high] = at::aminmax(x);
  if (std::isfinite(low.item<double>()) && std::isfinite(high.item<double>())) return {};
  const at::Tensor bad = at::isfinite(x).logical_not().any(2).any(0);
  return bad.to(at::kByte).argmax().item<int64_t>();
}

}  // namespace

void check_packable(const KvViewOptions& view, const KvTensorOptions& key) {
  if (view.mode == ViewMode::kNone || view.mode == ViewMode::kTiles)
    config_error("packed cache: view '{}' is not supported; expected mode past, all or kivi",
                 view.name());
  if (key.axis == KvAxis::kTime &&
      (view.mode != ViewMode::kKivi || view.window % key.group_size != 0))
    config_error(
        "packed cache: keys in groups of {} along time under view '{}' are not supported; expected "
        "mode kivi with a window of whole groups",
        key.group_size, view.name());
}

PackedCache::PackedCache(const KvCodec& codec, const KvViewOptions& view, std::string name,
                         const DeviceKernels* device)
    : codec_(codec), view_(view), name_(std::move(name)), device_(device) {
  check_packable(view, codec.key.options());
}

/// Room for `count` more tokens of every sequence: what is live moves to the front of new memory of
/// twice the size needed, so a token is moved about once.
void PackedCache::Recent::reserve(int64_t count) {
  const int64_t last = *std::max_element(end.begin(), end.end());
  if (last + count <= key.size(2)) return;
  int64_t live = 0;
  for (size_t b = 0; b < end.size(); ++b) live = std::max(live, end[b] - begin[b]);
  std::vector<int64_t> shape = key.sizes().vec();
  shape[2] = std::max<int64_t>(16, 2 * (live + count));
  for (at::Tensor* x : {&key, &value}) {
    const at::Tensor larger = at::zeros(shape, x->options());
    for (size_t b = 0; b < end.size(); ++b)
      larger[static_cast<int64_t>(b)]
          .narrow(1, 0, end[b] - begin[b])
          .copy_((*x)[static_cast<int64_t>(b)].narrow(1, begin[b], end[b] - begin[b]));
    *x = larger;
  }
  for (size_t b = 0; b < end.size(); ++b) {
    end[b] -= begin[b];
    begin[b] = 0;
  }
}

void PackedCache::Recent::push(int64_t row, const at::Tensor& new_key,
                               const at::Tensor& new_value) {
  const int64_t count = new_key.size(1);
  if (count == 0) return;
  reserve(count);
  key[row].narrow(1, end[index(row)], count).copy_(new_key);
  value[row].narrow(1, end[index(row)], count).copy_(new_value);
  end[index(row)] += count;
}

void PackedCache::Recent::push(const TokenStep& in) {
  reserve(1);
  const int64_t capacity = key.size(2);
  const auto put = [&](const at::Tensor& to, const float* x) {
    for (int64_t head = 0; head < in.kv_heads; ++head)
      std::copy_n(x + head * in.head_dim, in.head_dim,
                  to.data_ptr<float>() + (head * capacity + end[0]) * in.head_dim);
  };
  put(key, in.key);
  put(value, in.value);
  ++end[0];
}

void PackedCache::begin_with(const AttentionInputs& in) {
  begin_with({in.key.size(0), in.key.size(1), in.key.size(3), in.key.device()});
}

void PackedCache::begin_with(const PackedKv::Shape& shape) {
  if (packed_) return;
  packed_.emplace(codec_, shape, name_, packed_kernels().front(), device_);
  tokens_.assign(static_cast<size_t>(shape.batch), 0);
  prefill_.assign(static_cast<size_t>(shape.batch), view_.prefill);
  for (Recent* side : {&sinks_, &recent_}) {
    side->begin = side->end = tokens_;
    side->key = side->value = at::zeros({shape.batch, shape.kv_heads, 0, shape.head_dim},
                                        at::device(shape.device).dtype(at::kFloat));
  }
}

int64_t PackedCache::due(int64_t tokens, bool is_key) const {
  if (view_.mode != ViewMode::kKivi) return std::max<int64_t>(0, tokens - view_.window + 1);
  return is_key ? tokens / view_.window * view_.window
                : std::max<int64_t>(0, tokens - view_.window);
}

void PackedCache::settle(int64_t row) {
  const int64_t tokens = encoded_values(row) + recent_.size(row);
  const int64_t keys = due(tokens, true) - encoded_keys(row);
  const int64_t values = due(tokens, false) - encoded_values(row);
  if (keys <= 0 && values <= 0) return;
  const int64_t begin = recent_.begin[index(row)];
  const bool rotates = codec_.key.options().rotate != KvRotation::kNone ||
                       codec_.value.options().rotate != KvRotation::kNone;
  if (keys + values <= 2 && !rotates && !packed_->device_kernels()) {
    // What every step does: without a tensor.
    const int64_t dim = packed_->shape().head_dim, stride = recent_.key.size(2) * dim;
    const auto oldest = [&](const at::Tensor& x, int64_t from, int64_t count) {
      return PackedKv::Tokens{
          x.const_data_ptr<float>() + row * packed_->shape().kv_heads * stride + from * dim, stride,
          dim, count};
    };
    packed_->append(row, oldest(recent_.key, begin + values_only(row), keys),
                    oldest(recent_.value, begin, values));
    recent_.begin[index(row)] += values;
    return;
  }
  packed_->append(row, recent_.key[row].narrow(1, begin + values_only(row), keys),
                  recent_.value[row].narrow(1, begin, values));
  recent_.begin[index(row)] += values;
}

void PackedCache::take(const AttentionInputs& in, int64_t row, int64_t length) {
  const auto part = [&](const at::Tensor& x, int64_t from, int64_t to) {
    return x[row].narrow(1, from, to - from);
  };
  for (const bool is_key : {true, false})
    if (const auto bad = not_finite(part(is_key ? in.key : in.value, 0, length)))
      TORCH_CHECK(false, name_, ": the ", is_key ? "key" : "value", " of token ",
                  tokens_[index(row)] + *bad, " of sequence ", row, " is not finite");
  const int64_t missing = view_.mode == ViewMode::kPast ? view_.sinks - sinks_.size(row) : 0;
  const int64_t sinks = std::clamp<int64_t>(missing, 0, length);
  sinks_.push(row, part(in.key, 0, sinks), part(in.value, 0, sinks));
  tokens_[index(row)] += length;
  // A prompt goes past the window straight into pages; then the newest tokens stay.
  const auto packed = [&](bool is_key) {
    return length == 1 ? sinks : sinks + due(length - sinks, is_key);
  };
  const int64_t recent = packed(false);
  packed_->append(row, part(in.key, sinks, packed(true)), part(in.value, sinks, recent));
  recent_.push(row, part(in.key, recent, length), part(in.value, recent, length));
}

void PackedCache::take(const TokenStep& in) {
  const auto finite = [&](const float* x) {
    return std::all_of(x, x + in.kv_heads * in.head_dim, [](float y) { return std::isfinite(y); });
  };
  for (const bool is_key : {true, false})
    TORCH_CHECK(finite(is_key ? in.key : in.value), name_, ": the ", is_key ? "key" : "value",
                " of token ", tokens_[0], " of sequence 0 is not finite");
  ++tokens_[0];
  const bool sink = view_.mode == ViewMode::kPast && sinks_.size(0) < view_.sinks;
  (sink ? sinks_ : recent_).push(in);
}

at::Tensor PackedCache::prompt(const AttentionInputs& in, const std::vector<int64_t>& lengths) {
  begin_with(in);
  TORCH_CHECK(static_cast<int64_t>(lengths.size()) == in.key.size(0), name_, ": got ",
              lengths.size(), " lengths for ", in.key.size(0), " sequences");
  for (int64_t row = 0; row < in.key.size(0); ++row) {
    const int64_t length = lengths[index(row)];
    TORCH_CHECK(tokens_[index(row)] == 0 && length >= 1 && length <= in.key.size(2), name_,
                ": a prompt of ", length, " tokens of ", in.key.size(2), " after ",
                tokens_[index(row)], "; expected 1 to ", in.key.size(2), " tokens, none before");
    prefill_[index(row)] = length;
    take(in, row, length);
    if (length == 1) settle(row);
  }
  return plain_attention(in);
}

at::Tensor PackedCache::step(const AttentionInputs& in) {
  begin_with(in);
  const int64_t n = in.key.size(2), batch = in.key.size(0);
  TORCH_CHECK(batch == packed_->shape().batch, name_, ": got ", batch, " sequences; expected ",
              packed_->shape().batch);
  TORCH_CHECK(n == 1 || (tokens_.front() == 0 && n == view_.prefill), name_, ": got ", n,
              " tokens at once; expected one, or a prompt of ", view_.prefill);
  if (n > 1) return prompt(in, std::vector<int64_t>(static_cast<size_t>(batch), n));
  const bool all = view_.mode == ViewMode::kAll;
  for (int64_t row = 0; row < batch; ++row) {
    take(in, row, 1);
    if (all) settle(row);
  }
  const at::Tensor out = attend(in);
  for (int64_t row = 0; row < batch; ++row)
    if (tokens_[index(row)] >= prefill_[index(row)]) settle(row);
  return out;
}

void PackedCache::step(const TokenStep& in, Team& team) {
  begin_with({1, in.kv_heads, in.head_dim, at::kCPU});
  TORCH_CHECK(packed_->shape().batch == 1, name_, ": got one sequence; expected ",
              packed_->shape().batch);
  take(in);
  if (view_.mode == ViewMode::kAll) settle(0);
  decode_attention(in, context(in.sliding_window), team);
  if (tokens_[0] >= prefill_[0]) settle(0);
}

at::Tensor PackedCache::attend(const AttentionInputs& in) const {
  return decode_attention(in.query, context(in.sliding_window));
}

DecodeContext PackedCache::context(int64_t sliding_window) const {
  DecodeContext seen{.past = *packed_, .exact = {sinks_, recent_}};
  for (size_t b = 0; b < tokens_.size(); ++b) {
    const auto row = static_cast<int64_t>(b);
    const int64_t exact = recent_.size(row) - values_only(row);
    int64_t skip = sliding_window > 0 ? std::max<int64_t>(0, tokens_[b] - sliding_window) : 0;
    const auto skipped = [&](int64_t size) {
      const int64_t count = std::min(skip, size);
      skip -= count;
      return count;
    };
    // In the order of positions.
    seen.exact[0].begin[b] += skipped(sinks_.size(row));
    seen.past_begin.push_back(skipped(encoded_keys(row)));
    seen.exact[1].begin[b] += values_only(row) + skipped(exact);
  }
  return seen;
}

int64_t PackedCache::held_bytes() const {
  int64_t bytes = packed_ ? packed_->allocated_bytes() : 0;
  for (const at::Tensor& x : {sinks_.key, sinks_.value, recent_.key, recent_.value})
    if (x.defined()) bytes += static_cast<int64_t>(x.nbytes());
  return bytes;
}

int64_t PackedCache::exact_bytes() const {
  int64_t keys = 0, values = 0;
  for (int64_t row = 0; row < static_cast<int64_t>(tokens_.size()); ++row) {
    keys += tokens_[index(row)] - encoded_keys(row);
    values += tokens_[index(row)] - encoded_values(row);
  }
  return packed_ ? (keys + values) * packed_->shape().kv_heads * packed_->shape().head_dim * 4 : 0;
}

}  // namespace wkvq
