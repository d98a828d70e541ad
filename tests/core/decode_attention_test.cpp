#include "core/cache/decode_attention.h"

#include "core/attention/masked_attention.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"
#include "tests/support/decode_reference.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;
using test::distance;
using test::kTimedCases;
using test::reference;
using test::smoothed_codec;
using test::timed_distance;
using test::TimedCase;

namespace {

struct Case {
  int64_t heads, kv_heads, dim, tokens;
};

constexpr double kTolerance = test::attention_tolerance(at::kFloat);

}  // namespace

TEST_CASE(
    "decode attention: agrees with float64 attention on decoded copies, every instruction set") {
  at::manual_seed(8);
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const Case& c : {Case{4, 4, 32, 1}, Case{4, 1, 64, 63}, Case{6, 2, 96, 64},
                          Case{16, 2, 128, 700}, Case{5, 1, 256, 1030}}) {
      const at::Tensor key = at::randn({1, c.kv_heads, c.tokens, c.dim}) + at::randn({c.dim});
      const at::Tensor value = at::randn({1, c.kv_heads, c.tokens, c.dim}) + at::randn({c.dim}) * 3;
      const at::Tensor query = at::randn({1, c.heads, 1, c.dim});
      for (const int64_t bits : {2, 3, 4, 8}) {
        const int64_t other = bits == 4 ? 3 : 4;
        const KvCodec codec = smoothed_codec(bits, other, key, value);
        PackedKv past(codec, {1, c.kv_heads, c.dim}, "test", kernels);
        past.append(0, key[0], value[0]);
        const at::Tensor out = decode_attention(query, {.past = past});
        const at::Tensor expected =
            reference(query[0], past.decode(0, true)[0], past.decode(0, false)[0], {});
        INFO(kernels.name << ", " << c.heads << ":" << c.kv_heads << " heads of " << c.dim << ", "
                          << c.tokens << " tokens, " << bits << " and " << other << " bits");
        REQUIRE(distance(out[0], expected) < kTolerance);
      }
    }
  }
}

TEST_CASE(
    "decode attention: sequences of unequal length, exact tokens, several queries, a first token") {
  at::manual_seed(9);
  const at::Tensor key = at::randn({2, 2, 600, 64}) + 0.5, value = at::randn({2, 2, 600, 64}) - 2;
  const at::Tensor query = at::randn({2, 6, 3, 64});
  const KvCodec codec = smoothed_codec(4, 4, key, value);
  PackedKv past(codec, {2, 2, 64});
  past.append(0, key[0], value[0]);
  past.append(1, key[1].narrow(1, 0, 70), value[1].narrow(1, 0, 70));
  const ExactTokens sinks{at::randn({2, 2, 4, 64}), at::randn({2, 2, 4, 64}), {0, 1}, {4, 2}};
  const ExactTokens recent{at::randn({2, 2, 9, 64}), at::randn({2, 2, 9, 64}), {2, 0}, {9, 3}};
  const std::vector<int64_t> begin{523, 70};
  const at::Tensor out = decode_attention(query, {past, begin, {sinks, recent}});
  for (const int64_t row : {0, 1}) {
    const at::Tensor expected = reference(query, {past, begin, {sinks, recent}}, row);
    REQUIRE(distance(out[row], expected) < kTolerance);
  }
}

TEST_CASE(
    "decode attention: keys grouped along time, of some tokens the keys alone, every instruction "
    "set") {
  at::manual_seed(11);
  for (const PackedKernels& kernels : packed_kernels())
    for (const TimedCase& c : kTimedCases)
      for (const int64_t bits : {2, 3, 4, 8}) {
        INFO(kernels.name << ", " << c.heads << ":" << c.kv_heads << " heads of " << c.dim << ", "
                          << c.keys << " keys, " << bits << " bits in groups of " << c.group);
        REQUIRE(timed_distance(c, bits, at::kCPU, [&](const auto& codec, const auto& shape) {
                  return PackedKv(codec, shape, "test", kernels);
                }) < kTolerance);
      }
}

TEST_CASE(
    "decode attention: the shift of keys leaves no trace, that of values is added once, by hand") {
  // All keys equal: every token has the same weight; the result is the mean of the values.
  KvTensorOptions options{.bits = 8, .scale_dtype = ScaleDtype::kFloat32};
  const at::Tensor shift = at::full({1, 32}, 5.0), scale = at::full({1, 32}, 2.0);
  const KvCodec codec{{options, ChannelTransform{shift, scale}},
                      {options, ChannelTransform{shift, scale}}};
  PackedKv past(codec, {1, 1, 32});
  const at::Tensor key = at::full({1, 3, 32}, 7.0);
  at::Tensor value = at::zeros({1, 3, 32});
  value[0][0].fill_(1);
  value[0][1].fill_(2);
  value[0][2].fill_(6);
  past.append(0, key, value);
  const at::Tensor query = at::ones({1, 1, 1, 32});
  REQUIRE(distance(decode_attention(query, {.past = past}), at::full({1, 1, 1, 32}, 3.0)) < 1e-5);
  const ExactTokens own{
      key.narrow(1, 0, 1).unsqueeze(0).contiguous(), at::full({1, 1, 1, 32}, 11.0), {0}, {1}};
  REQUIRE(distance(decode_attention(query, {past, {}, {own}}), at::full({1, 1, 1, 32}, 5.0)) <
          1e-5);
}

TEST_CASE("decode attention: threads change no bit, half precision comes back in its dtype") {
  at::manual_seed(10);
  const at::Tensor key = at::randn({1, 3, 1500, 64}), value = at::randn({1, 3, 1500, 64});
  const KvCodec codec = smoothed_codec(4, 2, key, value);
  PackedKv past(codec, {1, 3, 64});
  past.append(0, key[0], value[0]);
  const at::Tensor query = at::randn({1, 6, 1, 64});
  const at::Tensor out = decode_attention(query, {.past = past});
  const int threads = at::get_num_threads();
  for (const int n : {1, 2, 5}) {
    at::set_num_threads(n);
    REQUIRE(at::equal(decode_attention(query, {.past = past}), out));
  }
  at::set_num_threads(threads);
  const at::Tensor half = decode_attention(query.to(at::kBFloat16), {.past = past});
  REQUIRE(half.scalar_type() == at::kBFloat16);
  REQUIRE(distance(half, out) < test::attention_tolerance(at::kBFloat16));
}

TEST_CASE("decode attention: refuses queries that fit nothing") {
  using Catch::Matchers::Contains;
  const at::Tensor x = at::randn({1, 2, 3, 32});
  PackedKv past(smoothed_codec(4, 4, x, x), {1, 2, 32});
  REQUIRE_THROWS_WITH(decode_attention(at::randn({1, 2, 1, 32}), {.past = past}),
                      Contains("no token to attend to"));
  past.append(0, x[0], x[0]);
  REQUIRE_THROWS_WITH(decode_attention(at::randn({1, 3, 1, 32}), {.past = past}),
                      Contains("[1, 3, 1, 32]"));
  REQUIRE_THROWS_WITH(decode_attention(at::randn({1, 2, 2, 32}), {.past = past}),
                      Contains("exact keys"));
  past.append(0, x[0], x[0].narrow(1, 0, 1));
  REQUIRE_THROWS_WITH(decode_attention(at::randn({1, 2, 1, 32}), {past, {}, {{x, x, {1}, {3}}}}),
                      Contains("has 6 packed keys and 4 packed values"));
}
