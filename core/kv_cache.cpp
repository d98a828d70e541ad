#include "core/kv_cache.h"

#include "core/masked_attention.h"
#include "core/torch_headers.h"

namespace wkvq {

void KvCache::push(const AttentionInputs& in, int64_t i) {
  const auto token = [i](const at::Tensor& x) { return x.narrow(2, i, 1); };
  if (view_.mode == ViewMode::kPast && static_cast<int64_t>(keys_.sinks.size()) < view_.sinks) {
    keys_.sinks.push_back(token(in.key));
    values_.sinks.push_back(token(in.value));
    ++keys_.next_position;
    return;
  }
  keys_.recent.push_back(token(in.key));
  values_.recent.push_back(token(in.value));
  if (codec_.key.before_rope()) keys_.before_rope.push_back(token(in.key_before_rope));
}

void KvCache::encode_oldest(Side& side, size_t count) const {
  const KvTensorCodec& codec = &side == &keys_ ? codec_.key : codec_.value;
  if (codec.identity()) return;
  const bool before = codec.before_rope();
  std::vector<at::Tensor>& source = before ? side.before_rope : side.recent;
  const int64_t group = codec.tokens_per_group(), all = static_cast<int64_t>(count);
  for (int64_t begin = 0; begin < all; begin += group) {
    const std::vector<at::Tensor> slice(source.begin() + begin, source.begin() + begin + group);
    const at::Tensor read = codec.decode(codec.encode(at::cat(slice, 2)));
    side.stored.push_back(before ? rope_->apply(read, side.next_position) : read);
    side.next_position += group;
  }
  side.recent.erase(side.recent.begin(), side.recent.begin() + all);
  if (before) side.before_rope.erase(side.before_rope.begin(), side.before_rope.begin() + all);
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
    if (side->recent.size() > keep) encode_oldest(*side, side->recent.size() - keep);
  }
}

void KvCache::settle_after() {
  if (view_.mode != ViewMode::kKivi) return;
  const auto window = static_cast<size_t>(view_.window);
  if (keys_.recent.size() == window) encode_oldest(keys_, window);
  if (values_.recent.size() > window) encode_oldest(values_, 1);
}

at::Tensor KvCache::read(const Side& side) const {
  std::vector<at::Tensor> parts = side.sinks;
  parts.insert(parts.end(), side.stored.begin(), side.stored.end());
  parts.insert(parts.end(), side.recent.begin(), side.recent.end());
  return at::cat(parts, 2);
}

at::Tensor KvCache::Growing::append(const at::Tensor& x, int64_t before) {
  const int64_t after = before + x.size(2);
  if (!data.defined() || after > data.size(2)) {
    at::Tensor larger =
        at::empty({x.size(0), x.size(1), std::max<int64_t>(64, 2 * after), x.size(3)}, x.options());
    if (before > 0) larger.narrow(2, 0, before).copy_(data.narrow(2, 0, before));
    data = larger;
  }
  data.narrow(2, before, x.size(2)).copy_(x);
  return data.narrow(2, 0, after);
}

at::Tensor KvCache::attend(const at::Tensor& query, const at::Tensor& keys,
                           const at::Tensor& values, int64_t sliding_window) const {
  const at::ScalarType compute = query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t kv_heads = keys.size(1);
  const int64_t skip = sliding_window > 0 ? std::max<int64_t>(0, tokens_ - sliding_window) : 0;
  const auto seen = [&](const at::Tensor& x) {
    return x.narrow(2, skip, tokens_ - skip).to(compute);
  };
  // [batch, kv_heads, repeat, head_dim]: the heads that share a kv head are rows of one product.
  const at::Tensor queries =
      query.to(compute).unflatten(1, {kv_heads, query.size(1) / kv_heads}).flatten(2, 3);
  const at::Tensor scores = at::matmul(queries, seen(keys).transpose(-1, -2)) /
                            std::sqrt(static_cast<double>(query.size(3)));
  return at::matmul(at::softmax(scores, -1), seen(values))
      .view(query.sizes())
      .to(query.scalar_type());
}

at::Tensor KvCache::step(const AttentionInputs& in) {
  const int64_t n = in.key.size(2);
  TORCH_CHECK(n == 1 || (tokens_ == 0 && n == view_.prefill), "kv cache: got ", n,
              " tokens at once; expected one, or a prompt of ", view_.prefill);
  if (view_.mode == ViewMode::kNone) {
    const at::Tensor keys = exact_keys_.append(in.key, tokens_),
                     values = exact_values_.append(in.value, tokens_);
    tokens_ += n;
    return attend(in.query, keys, values, in.sliding_window);
  }
  rope_ = in.rope;
  for (int64_t i = 0; i < n; ++i) push(in, i);
  tokens_ += n;
  if (tokens_ <= view_.prefill && n > 1) return plain_attention(in);
  if (tokens_ > view_.prefill) settle_before();
  const at::Tensor out = attend(in.query, read(keys_), read(values_), in.sliding_window);
  settle_after();
  return out;
}

}  // namespace wkvq
