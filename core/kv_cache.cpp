#include "core/kv_cache.h"

#include "core/masked_attention.h"
#include "core/torch_headers.h"

namespace wkvq {

void KvCache::push(Side& side, const at::Tensor& x) const {
  const bool sink =
      view_.mode == ViewMode::kPast && static_cast<int64_t>(side.sinks.size()) < view_.sinks;
  (sink ? side.sinks : side.recent).push_back(x);
}

void KvCache::encode_oldest(Side& side, const KvTensorCodec& codec, size_t count) const {
  if (codec.identity()) return;
  const auto group = static_cast<size_t>(codec.tokens_per_group());
  for (size_t begin = 0; begin < count; begin += group) {
    const std::vector<at::Tensor> slice(side.recent.begin() + static_cast<int64_t>(begin),
                                        side.recent.begin() + static_cast<int64_t>(begin + group));
    side.stored.push_back(codec.decode(codec.encode(at::cat(slice, 2))));
  }
  side.recent.erase(side.recent.begin(), side.recent.begin() + static_cast<int64_t>(count));
}

void KvCache::settle_before() {
  size_t keep = 0;
  switch (view_.mode) {
    case ViewMode::kNone:
    case ViewMode::kKivi:
      return;
    case ViewMode::kAll:
      break;
    case ViewMode::kPast:
      keep = static_cast<size_t>(view_.window);
      break;
  }
  for (Side* side : {&keys_, &values_}) {
    // The window counts from the newest token backwards; tokens kept as sinks may lie inside it.
    if (side->recent.size() > keep)
      encode_oldest(*side, side == &keys_ ? codec_.key : codec_.value, side->recent.size() - keep);
  }
}

void KvCache::settle_after() {
  if (view_.mode != ViewMode::kKivi) return;
  const auto window = static_cast<size_t>(view_.window);
  if (keys_.recent.size() == window) encode_oldest(keys_, codec_.key, window);
  if (values_.recent.size() > window) encode_oldest(values_, codec_.value, 1);
}

at::Tensor KvCache::read(const Side& side) const {
  std::vector<at::Tensor> parts = side.sinks;
  parts.insert(parts.end(), side.stored.begin(), side.stored.end());
  parts.insert(parts.end(), side.recent.begin(), side.recent.end());
  return at::cat(parts, 2);
}

at::Tensor KvCache::step(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         int64_t sliding_window) {
  const int64_t n = key.size(2);
  TORCH_CHECK(n == 1 || (tokens_ == 0 && n == view_.prefill), "kv cache: got ", n,
              " tokens at once; expected one, or a prompt of ", view_.prefill);
  for (int64_t i = 0; i < n; ++i) {
    push(keys_, key.narrow(2, i, 1));
    push(values_, value.narrow(2, i, 1));
  }
  tokens_ += n;
  if (tokens_ <= view_.prefill && n > 1) return full_attention(query, key, value, sliding_window);
  if (tokens_ > view_.prefill) settle_before();

  const int64_t repeat = query.size(1) / key.size(1);
  const at::ScalarType compute = query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  at::Tensor keys = read(keys_).to(compute).repeat_interleave(repeat, 1);
  at::Tensor values = read(values_).to(compute).repeat_interleave(repeat, 1);
  if (sliding_window > 0 && tokens_ > sliding_window) {
    keys = keys.narrow(2, tokens_ - sliding_window, sliding_window);
    values = values.narrow(2, tokens_ - sliding_window, sliding_window);
  }
  const at::Tensor scores = at::matmul(query.to(compute), keys.transpose(-1, -2)) /
                            std::sqrt(static_cast<double>(query.size(3)));
  const at::Tensor out = at::matmul(at::softmax(scores, -1), values).to(query.scalar_type());
  settle_after();
  return out;
}

}  // namespace wkvq
