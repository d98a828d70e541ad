#include "core/decode_attention.h"
#include "core/torch_headers.h"
#include "tests/support/catch.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

/// Keys and values of very different channels, both with shift and scale.
KvCodec codec_of(int64_t key_bits, int64_t value_bits, const at::Tensor& key,
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

PackedKv past_of(const KvCodec& codec, const PackedKv::Shape& shape, const TestDevice& on) {
  PackedKv::Shape there = shape;
  there.device = on.device;
  return {codec, there, "test", packed_kernels().front(), on.kernels};
}

at::Tensor random(at::IntArrayRef sizes, const TestDevice& on) {
  return at::randn(sizes).to(on.device);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Softmax attention in float64 of queries [heads, n, dim] to [kv_heads, tokens, dim]; query j does
/// not see the last hidden[j] tokens.
at::Tensor reference(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
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

struct Case {
  int64_t heads, kv_heads, dim, tokens, key_bits, value_bits;
};

/// Every number of bits, one page and parts of it, several spans, one to eight rows and more.
const std::vector<Case> kCases{{2, 2, 32, 1, 2, 3},   {2, 1, 64, 63, 3, 4},  {6, 2, 96, 64, 4, 8},
                               {9, 1, 64, 130, 8, 2}, {4, 1, 128, 70, 3, 3}, {5, 1, 256, 530, 4, 4},
                               {1, 1, 32, 1030, 2, 2}};

void one_query(const TestDevice& on) {
  at::manual_seed(31);
  for (const Case& c : kCases) {
    const at::Tensor key = random({1, c.kv_heads, c.tokens, c.dim}, on) + random({c.dim}, on);
    const at::Tensor value = random({1, c.kv_heads, c.tokens, c.dim}, on) + random({c.dim}, on);
    PackedKv past =
        past_of(codec_of(c.key_bits, c.value_bits, key, value), {1, c.kv_heads, c.dim}, on);
    past.append(0, key[0], value[0]);
    for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
      const at::Tensor query = random({1, c.heads, 1, c.dim}, on).to(dtype);
      const at::Tensor out = decode_attention(query, {.past = past});
      INFO(on.kernels->name << ", " << c.heads << ":" << c.kv_heads << " heads of " << c.dim << ", "
                            << c.tokens << " tokens, " << c.key_bits << " and " << c.value_bits
                            << " bits, " << at::toString(dtype));
      REQUIRE(out.scalar_type() == dtype);
      const at::Tensor expected =
          reference(query[0], past.decode(0, true)[0], past.decode(0, false)[0], {});
      REQUIRE(distance(out[0], expected) < attention_tolerance(dtype));
    }
  }
}

/// Sequences of unequal length, a first token, sinks, a window beyond a span, several queries.
void everything(const TestDevice& on) {
  at::manual_seed(32);
  const at::Tensor key = random({2, 2, 600, 64}, on) + 0.5, value = random({2, 2, 600, 64}, on) - 2;
  const at::Tensor query = random({2, 6, 3, 64}, on);
  PackedKv past = past_of(codec_of(4, 4, key, value), {2, 2, 64}, on);
  past.append(0, key[0], value[0]);
  past.append(1, key[1].narrow(1, 0, 70), value[1].narrow(1, 0, 70));
  const ExactTokens sinks{random({2, 2, 4, 64}, on), random({2, 2, 4, 64}, on), {0, 1}, {4, 2}};
  // 514 tokens: the second span holds own tokens only, of which the first query sees none.
  const ExactTokens recent{
      random({2, 2, 516, 64}, on), random({2, 2, 516, 64}, on), {2, 0}, {516, 3}};
  const std::vector<int64_t> begin{523, 70};
  const at::Tensor out = decode_attention(query, {past, begin, {sinks, recent}});
  for (const int64_t row : {0, 1}) {
    const auto at = static_cast<size_t>(row);
    const auto seen = [&](const at::Tensor& first, const at::Tensor& packed,
                          const at::Tensor& last) {
      const auto part = [&](const at::Tensor& x, const ExactTokens& tokens) {
        return x[row].narrow(1, tokens.begin[at], tokens.end[at] - tokens.begin[at]);
      };
      return at::cat(
          {part(first, sinks), packed[0].narrow(1, begin[at], packed.size(2) - begin[at]),
           part(last, recent)},
          1);
    };
    const at::Tensor expected =
        reference(query[row], seen(sinks.key, past.decode(row, true), recent.key),
                  seen(sinks.value, past.decode(row, false), recent.value), {2, 1, 0});
    INFO(on.kernels->name << ", sequence " << row);
    REQUIRE(distance(out[row], expected) < attention_tolerance(at::kFloat));
  }
}

/// Also turned channels; the CPU's kernels as the reference.
void rotated(const TestDevice& on) {
  at::manual_seed(33);
  KvTensorOptions options{.bits = 3, .rotate = KvRotation::kHadamard};
  const at::Tensor key = random({1, 2, 90, 32}, on), value = random({1, 2, 90, 32}, on);
  const KvCodec codec{{options, ChannelRange()}, {options, ChannelRange()}};
  PackedKv past = past_of(codec, {1, 2, 32}, on), there(codec, {1, 2, 32});
  past.append(0, key[0], value[0]);
  there.append(0, key[0].cpu(), value[0].cpu());
  const at::Tensor query = random({1, 4, 1, 32}, on);
  REQUIRE(distance(decode_attention(query, {.past = past}).cpu(),
                   decode_attention(query.cpu(), {.past = there})) <
          attention_tolerance(at::kFloat));
}

}  // namespace

TEST_CASE("device decode: one query agrees with float64 attention, emulated") {
  for (const TestDevice& on : emulated_devices()) one_query(on);
}

TEST_CASE("device decode: one query agrees with float64 attention, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) one_query(on);
}

TEST_CASE("device decode: unequal sequences, exact tokens, several queries, emulated") {
  for (const TestDevice& on : emulated_devices()) everything(on);
}

TEST_CASE("device decode: unequal sequences, exact tokens, several queries, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) everything(on);
}

TEST_CASE("device decode: rotated channels agree with the CPU, emulated") {
  for (const TestDevice& on : emulated_devices()) rotated(on);
}

TEST_CASE("device decode: rotated channels agree with the CPU, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) rotated(on);
}
