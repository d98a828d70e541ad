#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "core/decode_attention.h"
#include "core/torch_headers.h"

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

}  // namespace wkvq::test
