#include "core/cache/kv_cache.h"

#include "core/attention/masked_attention.h"
#include "core/device/torch_headers.h"
#include "core/kernels/packed_kernels.h"
#include "core/kernels/packed_problems.h"
#include "core/kernels/team.h"

namespace wkvq {

void KvCache::Growing::append(const at::Tensor& x) {
  constexpr int64_t kLeast = 64;
  const int64_t after = tokens + x.size(2);
  if (!data.defined() || after > data.size(2)) {
    at::Tensor larger =
        at::empty({x.size(0), x.size(1), std::max(kLeast, 2 * after), x.size(3)}, x.options());
    if (tokens > 0) larger.narrow(2, 0, tokens).copy_(slice(0, tokens));
    data = larger;
  }
  data.narrow(2, tokens, x.size(2)).copy_(x);
  tokens = after;
}

void KvCache::Growing::append(const float* x, const TokenStep& in) {
  if (!data.defined() || tokens + 1 > data.size(2)) {
    append(at::from_blob(const_cast<float*>(x), {1, in.kv_heads, 1, in.head_dim}, at::kFloat));
    return;
  }
  for (int64_t head = 0; head < in.kv_heads; ++head)
    std::copy_n(x + head * in.head_dim, in.head_dim,
                data.data_ptr<float>() + (head * data.size(2) + tokens) * in.head_dim);
  ++tokens;
}

void KvCache::push(const AttentionInputs& in) {
  keys_.seen.append(in.key);
  values_.seen.append(in.value);
  if (keys_.codec.before_rope()) keys_.before_rope.append(in.key_before_rope);
  if (view_.mode != ViewMode::kPast && view_.mode != ViewMode::kTiles) return;
  for (Side* side : {&keys_, &values_}) side->sinks = std::min(view_.sinks, side->seen.tokens);
}

void KvCache::encode_oldest(Side& side, int64_t count) const {
  if (side.codec.identity()) return;
  const bool before = side.codec.before_rope();
  const int64_t first = side.sinks + side.encoded;
  // Groups never cross tokens, or hold whole groups of them: all that leave are encoded together.
  EncodedKv codes = side.codec.encode((before ? side.before_rope : side.seen).slice(first, count));
  const at::Tensor read = side.codec.decode(codes);
  side.seen.slice(first, count).copy_(before ? rope_->apply(read, first) : read);
  side.stored.push_back({.position = first, .tokens = count, .codes = std::move(codes)});
  side.encoded += count;
}

void KvCache::settle_before() {
  int64_t keep = 0;
  switch (view_.mode) {
    case ViewMode::kNone:
    case ViewMode::kKivi:
    case ViewMode::kTiles:
      return;
    case ViewMode::kAll:
      break;
    case ViewMode::kPast:
      keep = view_.window;
      break;
  }
  for (Side* side : {&keys_, &values_}) {
    // The window counts from the newest token backwards; tokens kept as sinks may lie inside it.
    if (side->recent() > keep) encode_oldest(*side, side->recent() - keep);
  }
}

void KvCache::settle_after() {
  const bool tiles = view_.mode == ViewMode::kTiles;
  if (view_.mode != ViewMode::kKivi && !tiles) return;
  if (keys_.recent() == view_.window) encode_oldest(keys_, view_.window);
  if (tiles && values_.recent() == view_.window) encode_oldest(values_, view_.window);
  if (!tiles && values_.recent() > view_.window) encode_oldest(values_, 1);
}

at::Tensor KvCache::attend(const at::Tensor& query, int64_t sliding_window) const {
  const at::ScalarType compute = query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t kv_heads = keys_.seen.data.size(1);
  const int64_t skip = sliding_window > 0 ? std::max<int64_t>(0, tokens_ - sliding_window) : 0;
  const auto seen = [&](const Side& side) {
    return side.seen.slice(skip, tokens_ - skip).to(compute);
  };
  // [batch, kv_heads, repeat, head_dim]: the heads that share a kv head are rows of one product.
  const at::Tensor queries =
      query.to(compute).unflatten(1, {kv_heads, query.size(1) / kv_heads}).flatten(2, 3);
  const at::Tensor scores = at::matmul(queries, seen(keys_).transpose(-1, -2)) /
                            std::sqrt(static_cast<double>(query.size(3)));
  return at::matmul(at::softmax(scores, -1), seen(values_))
      .view(query.sizes())
      .to(query.scalar_type());
}

int64_t KvCache::held_bytes() const {
  int64_t bytes = 0;
  const auto add = [&](const at::Tensor& x) {
    if (x.defined()) bytes += static_cast<int64_t>(x.nbytes());
  };
  for (const Side* side : {&keys_, &values_}) {
    add(side->seen.data);
    add(side->before_rope.data);
    for (const Stored& stored : side->stored) {
      const EncodedKv& codes = stored.codes;
      for (const at::Tensor& x :
           {codes.rows.groups.codes, codes.rows.groups.scale, codes.rows.groups.offset, codes.codes,
            codes.frame.offset, codes.frame.step, codes.outliers.index, codes.outliers.value,
            codes.normal.codes, codes.normal.norm, codes.normal.residual, codes.balance})
        add(x);
    }
  }
  return bytes;
}

void KvCache::attend(const TokenStep& in, Team& team) const {
  const int64_t begin =
      in.sliding_window > 0 ? std::max<int64_t>(0, tokens_ - in.sliding_window) : 0;
  const auto root = static_cast<float>(std::sqrt(static_cast<double>(in.head_dim)));
  const PackedKernels& kernels = packed_kernels().front();
  const auto head_of = [&](const Side& side, int64_t head) {
    return side.seen.data.const_data_ptr<float>() + head * side.seen.data.size(2) * in.head_dim;
  };
  team.run(in.heads, [&](int64_t head) {
    const int64_t kv_head = head / (in.heads / in.kv_heads);
    thread_local std::vector<float> scratch;
    scratch.resize(static_cast<size_t>(tokens_ - begin + in.head_dim));
    float* const query = scratch.data() + (tokens_ - begin);
    for (int64_t i = 0; i < in.head_dim; ++i) query[i] = in.query[head * in.head_dim + i] / root;
    const float offset = 0;
    const int64_t hidden = 0;
    float top = 0, total = 0;
    float* const out = in.out + head * in.head_dim;
    kernels.attend_exact({.key = head_of(keys_, kv_head),
                          .value = head_of(values_, kv_head),
                          .stride = in.head_dim,
                          .dim = in.head_dim,
                          .begin = begin,
                          .end = tokens_,
                          .query = query,
                          .offset = &offset,
                          .hidden = &hidden,
                          .rows = 1,
                          .scratch = scratch.data(),
                          .top = &top,
                          .total = &total,
                          .sums = out});
    for (int64_t i = 0; i < in.head_dim; ++i) out[i] /= total;
  });
}

void KvCache::step(const TokenStep& in, Team& team) {
  const bool quantized =
      view_.mode != ViewMode::kNone && !(keys_.codec.identity() && values_.codec.identity());
  // The kernels take whole vectors.
  constexpr int64_t kVector = 16;
  if (!quantized && in.head_dim % kVector == 0) {
    keys_.seen.append(in.key, in);
    values_.seen.append(in.value, in);
    ++tokens_;
    return attend(in, team);
  }
  const auto tensor = [&](const float* x, int64_t heads) {
    return at::from_blob(const_cast<float*>(x), {1, heads, 1, in.head_dim}, at::kFloat);
  };
  const at::Tensor out = step({.query = tensor(in.query, in.heads),
                               .key = tensor(in.key, in.kv_heads),
                               .value = tensor(in.value, in.kv_heads),
                               .key_before_rope = tensor(in.key_before_rope, in.kv_heads),
                               .rope = in.rope,
                               .positions = in.position,
                               .sliding_window = in.sliding_window});
  std::copy_n(out.contiguous().const_data_ptr<float>(), in.heads * in.head_dim, in.out);
}

at::Tensor KvCache::step(const AttentionInputs& in) {
  const int64_t n = in.key.size(2);
  TORCH_CHECK(n == 1 || (tokens_ == 0 && n == view_.prefill), "kv cache: got ", n,
              " tokens at once; expected one, or a prompt of ", view_.prefill);
  rope_ = in.rope;
  push(in);
  tokens_ += n;
  if (n > 1) return plain_attention(in);
  if (tokens_ > view_.prefill) settle_before();
  const at::Tensor out = attend(in.query, in.sliding_window);
  settle_after();
  return out;
}

}  // namespace wkvq
