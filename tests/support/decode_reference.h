#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "core/cache/decode_attention.h"
#include "core/device/torch_headers.h"

namespace wkvq::test {

/// Of keys and values [batch, kv_heads, tokens, head_dim], both behind a static channel shift and
/// scale; values in groups of 32.
inline KvCodec smoothed_codec(int64_t key_bits, int64_t value_bits, const at::Tensor& key,
                              const at::Tensor& value) {
  KvTensorOptions of_key{.bits = key_bits, .scale_dtype = ScaleDtype::kFloat16};
  of_key.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.7};
  KvTensorOptions of_value = of_key;
  of_value.bits = value_bits;
  of_value.group_size = 32;
  ChannelRange keys, values;
  keys.add(key);
  values.add(value);
  return {{of_key, keys}, {of_value, values}};
}

inline double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Softmax attention in float64 of the queries of one sequence, [heads, n, dim], to keys and values
/// [kv_heads, tokens, dim]; the last `hidden[j]` tokens are not seen by query j.
inline at::Tensor reference(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const std::vector<int64_t>& hidden) {
  const int64_t repeat = query.size(0) / key.size(0);
  const at::Tensor k = key.to(at::kDouble).repeat_interleave(repeat, 0);
  const at::Tensor v = value.to(at::kDouble).repeat_interleave(repeat, 0);
  at::Tensor scores = at::matmul(query.to(at::kDouble), k.transpose(1, 2)) /
                      std::sqrt(static_cast<double>(query.size(2)));
  for (size_t j = 0; j < hidden.size(); ++j)
    if (hidden[j] > 0)
      scores.select(1, static_cast<int64_t>(j))
          .narrow(1, key.size(1) - hidden[j], hidden[j])
          .fill_(-std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(scores, -1), v);
}

/// The same for sequence `row` of a context of sinks, packed tokens and recent ones, the last of
/// which are the queries' own.
inline at::Tensor reference(const at::Tensor& query, const DecodeContext& context, int64_t row) {
  const auto at = static_cast<size_t>(row);
  const auto seen = [&](bool is_key) {
    const auto part = [&](const ExactTokens& tokens) {
      return (is_key ? tokens.key : tokens.value)[row].narrow(1, tokens.begin[at],
                                                              tokens.end[at] - tokens.begin[at]);
    };
    const at::Tensor packed = context.past.decode(row, is_key)[0];
    const int64_t begin = context.past_begin[at];
    return at::cat({part(context.exact[0]), packed.narrow(1, begin, packed.size(1) - begin),
                    part(context.exact[1])},
                   1);
  };
  std::vector<int64_t> hidden;
  for (int64_t later = query.size(2); later-- > 0;) hidden.push_back(later);
  return reference(query[row], seen(true), seen(false), hidden);
}

/// Keys grouped along time and fewer values: those between are exact. `begin`: the first token
/// seen.
struct TimedCase {
  int64_t heads, kv_heads, dim, group, keys, values, begin;
};

/// The last: more than a span between values and keys. Begins lie in either part.
inline const std::vector<TimedCase> kTimedCases{
    {4, 4, 32, 16, 16, 0, 0},     {4, 1, 64, 32, 96, 96, 0},       {6, 2, 96, 64, 128, 1, 0},
    {8, 1, 64, 16, 240, 200, 70}, {16, 2, 128, 32, 704, 500, 530}, {5, 1, 256, 64, 1216, 40, 0}};

/// Two queries, whose own keys and values are the last of nine exact ones, on the device of the
/// random past that `past_of` makes of a codec and a shape: how far from float64 attention.
template <class PastOf>
double timed_distance(const TimedCase& c, int64_t bits, at::Device device, const PastOf& past_of) {
  const int64_t all = c.keys + 9, exact = all - c.values;
  const auto random = [&](double offset) {
    return (at::randn({1, c.kv_heads, all, c.dim}) + at::randn({c.dim}) * offset).to(device);
  };
  const at::Tensor key = random(1), value = random(3);
  const at::Tensor query = at::randn({1, c.heads, 2, c.dim}).to(device);
  KvCodec codec = smoothed_codec(bits, 4, key, value);
  KvTensorOptions timed = codec.key.options();
  timed.axis = KvAxis::kTime;
  timed.group_size = c.group;
  ChannelRange range;
  range.add(key);
  codec.key = {timed, range};
  PackedKv past = past_of(codec, PackedKv::Shape{1, c.kv_heads, c.dim, device});
  past.append(0, key[0].narrow(1, 0, c.keys), value[0].narrow(1, 0, c.values));
  // Keys in front of the first exact one are nobody's: NaN.
  at::Tensor exact_keys = key.narrow(2, c.values, exact).clone();
  exact_keys.narrow(2, 0, c.keys - c.values).fill_(std::numeric_limits<float>::quiet_NaN());
  const ExactTokens recent{
      exact_keys, value.narrow(2, c.values, exact).contiguous(), {c.keys - c.values}, {exact}};
  const at::Tensor out = decode_attention(query, {past, {c.begin}, {recent}});
  const auto seen = [&](const at::Tensor& packed, const at::Tensor& whole) {
    const int64_t n = packed.size(2);
    return at::cat({packed[0], whole[0].narrow(1, n, all - n)}, 1)
        .narrow(1, c.begin, all - c.begin);
  };
  return distance(out[0], reference(query[0], seen(past.decode(0, true), key),
                                    seen(past.decode(0, false), value), {1, 0}));
}

}  // namespace wkvq::test
