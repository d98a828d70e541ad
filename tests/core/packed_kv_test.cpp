#include "core/cache/packed_kv.h"

#include "core/device/torch_headers.h"
#include "core/number/packing.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

KvTensorOptions options(int64_t bits, int64_t group = -1, ScaleDtype scale = ScaleDtype::kFloat16) {
  return {.bits = bits, .group_size = group, .scale_dtype = scale};
}

KvTensorOptions along_time(int64_t bits, int64_t tokens, ScaleDtype scale = ScaleDtype::kFloat16) {
  return {.bits = bits, .group_size = tokens, .axis = KvAxis::kTime, .scale_dtype = scale};
}

KvTensorOptions smoothed(KvTensorOptions given) {
  given.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.5};
  return given;
}

/// Codec with channel statistics of `x` where the options ask for them.
KvTensorCodec codec_of(const KvTensorOptions& options, const at::Tensor& x) {
  ChannelRange range;
  range.add(x);
  return {options, range};
}

/// Keys with channels of very different size and a constant token, [batch, heads, seq, dim].
at::Tensor hard_tokens(int64_t batch, int64_t heads, int64_t seq, int64_t dim) {
  at::Tensor x = at::randn({batch, heads, seq, dim}) * (at::randn({heads, 1, dim}) * 2).exp();
  x.select(2, seq / 2).fill_(-3);
  x.select(2, seq / 3).fill_(0);
  x.select(2, 0).mul_(1e-6);  // scales of float16 below its normal range
  return x;
}

void append_in_parts(PackedKv& cache, const at::Tensor& key, const at::Tensor& value) {
  for (int64_t row = 0; row < key.size(0); ++row) {
    // One token, some, one page and more.
    int64_t t = 0;
    for (const int64_t n : {int64_t{1}, int64_t{7}, int64_t{64}, key.size(2)}) {
      const int64_t count = std::min(n, key.size(2) - t);
      cache.append(row, key[row].narrow(1, t, count), value[row].narrow(1, t, count));
      t += count;
    }
  }
}

}  // namespace

TEST_CASE("packed kv: places of codes, by hand") {
  // 4 bits: eight codes a word, words of 16 lanes in turn.
  std::vector<uint32_t> panel(static_cast<size_t>(panel_words(4, 32)), 0);
  put_panel_code(panel.data(), 4, 9, 3, 0xb);
  REQUIRE(panel[16 + 3] == 0xb0u);
  // 3 bits: code 17 = 0b110: low pair in the second word, high bit 17 in the third.
  panel.assign(static_cast<size_t>(panel_words(3, 32)), 0);
  put_panel_code(panel.data(), 3, 17, 5, 6);
  REQUIRE(panel[16 + 5] == 2u << 2);
  REQUIRE(panel[32 + 5] == 1u << 17);
  REQUIRE(panel_words(3, 32) == 48);
  // The bit stream of zero points is that of pack_codes.
  const std::vector<uint8_t> stream = pack_codes({1, 7, 0, 5, 2, 6, 3, 4}, 3);
  for (const auto& [i, code] : std::vector<std::pair<int64_t, uint32_t>>{{1, 7}, {2, 0}, {5, 6}})
    REQUIRE(stream_code(stream.data(), 3, i) == code);
}

TEST_CASE("packed kv: every float16 and bfloat16 is stored exactly") {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float half =
        static_cast<float>(c10::Half(static_cast<uint16_t>(bits), c10::Half::from_bits()));
    REQUIRE(float_of_half(static_cast<uint16_t>(bits)) == half);
    REQUIRE(half_of_float(half) == bits);
    REQUIRE(half_of_float(-half) == (bits | 0x8000u));
  }
  uint16_t stored[2];
  for (const float x : {1.0F, -3.140625F, 1e-40F, 65280.0F}) {
    const float rounded = static_cast<float>(c10::BFloat16(x));
    put_stored(stored, 1, rounded, ScaleDtype::kBfloat16);
    REQUIRE(load_stored(stored, 1, ScaleDtype::kBfloat16) == rounded);
  }
}

TEST_CASE("packed kv: what is decoded equals the simulated quantizer bit for bit") {
  at::manual_seed(3);
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const int64_t dim : {32, 64, 96, 128, 256}) {
      for (const int64_t bits : {2, 3, 4, 8}) {
        const at::Tensor key = hard_tokens(2, 2, 100, dim), value = hard_tokens(2, 2, 100, dim);
        for (const ScaleDtype scale :
             {ScaleDtype::kFloat16, ScaleDtype::kBfloat16, ScaleDtype::kFloat32}) {
          const KvTensorOptions of_key = smoothed(options(bits, -1, scale));
          const KvTensorOptions of_value = options(bits, 32, scale);
          const KvCodec codec{codec_of(of_key, key), codec_of(of_value, value)};
          PackedKv cache(codec, {2, 2, dim}, "test", kernels);
          append_in_parts(cache, key, value);
          INFO(kernels.name << ", head_dim " << dim << ", " << bits << " bits");
          for (const int64_t row : {0, 1}) {
            REQUIRE(cache.tokens(row) == 100);
            REQUIRE(at::equal(cache.decode(row, true), codec.key.fake(key[row].unsqueeze(0))));
            REQUIRE(at::equal(cache.decode(row, false), codec.value.fake(value[row].unsqueeze(0))));
          }
        }
      }
    }
  }
}

TEST_CASE("packed kv: keys grouped along time equal the simulated quantizer bit for bit") {
  at::manual_seed(5);
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const int64_t dim : {32, 96, 256}) {
      for (const int64_t bits : {2, 3, 4, 8}) {
        at::Tensor key = hard_tokens(2, 2, 192, dim), value = hard_tokens(2, 2, 192, dim);
        key.select(3, 5).fill_(-0.7);
        key.select(3, 9).mul_(1e-6);  // scales of float16 below its normal range
        for (const int64_t group : {16, 32, 64}) {
          for (const ScaleDtype scale :
               {ScaleDtype::kFloat16, ScaleDtype::kBfloat16, ScaleDtype::kCompute}) {
            const KvCodec codec{codec_of(smoothed(along_time(bits, group, scale)), key),
                                codec_of(options(bits, 32, scale), value)};
            PackedKv cache(codec, {2, 2, dim}, "test", kernels);
            const auto append = [&](int64_t row, int64_t keys, int64_t values) {
              cache.append(row, key[row].narrow(1, cache.tokens(row, true), keys),
                           value[row].narrow(1, cache.tokens(row, false), values));
            };
            // One group, values one by one, over the edge of a page.
            append(0, group, 0);
            append(0, 0, 1);
            append(0, 2 * group, group + 3);
            append(0, 0, 7);
            append(1, 192, 150);
            INFO(kernels.name << ", head_dim " << dim << ", " << bits << " bits, groups of "
                              << group);
            for (const int64_t row : {0, 1}) {
              const int64_t keys = row == 0 ? 3 * group : 192, values = row == 0 ? group + 11 : 150;
              REQUIRE(cache.tokens(row) == values);
              REQUIRE(at::equal(cache.decode(row, true),
                                codec.key.fake(key[row].unsqueeze(0).narrow(2, 0, keys))));
              REQUIRE(at::equal(cache.decode(row, false),
                                codec.value.fake(value[row].unsqueeze(0).narrow(2, 0, values))));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("packed kv: places and bytes of scales along time, by hand") {
  const KvFormat within = packed_format(options(4, 32), 64, true);
  REQUIRE(within.scale_index(5, 40) == 64 + 5);
  const KvFormat time = packed_format(along_time(2, 16), 32, true);
  REQUIRE(time.scale_index(17, 3) == 32 + 3);
  REQUIRE(time.scale_bytes() == 4 * 32 * 2);
  // 64 keys of 128 channels in 2 bits, two groups of scale and minimum in float16 a channel; 3
  // values of 64 + 4 bytes.
  const KvCodec codec{{along_time(2, 32), ChannelRange()}, {options(4), ChannelRange()}};
  PackedKv cache(codec, {1, 1, 128});
  cache.append(0, at::randn({1, 64, 128}), at::randn({1, 3, 128}));
  REQUIRE(cache.stored_bytes() == 64 * 128 / 4 + 2 * 128 * 4 + 3 * 68);
  ModelConfig model;
  model.head_dim = 128;
  model.kv_heads = 1;
  REQUIRE(static_cast<double>(cache.stored_bytes() - 3 * 68) ==
          64 * 128 * KvTensorCodec::stored_bits(along_time(2, 32), model, 32) / 8);
}

TEST_CASE("packed kv: rotated and half-precision tokens, bits of keys and values apart") {
  at::manual_seed(4);
  KvTensorOptions rotated = smoothed(options(3, 32));
  rotated.rotate = KvRotation::kHadamard;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const at::Tensor key = at::randn({1, 3, 70, 64}).to(dtype),
                     value = at::randn({1, 3, 70, 64}).to(dtype);
    const KvCodec codec{codec_of(rotated, key.to(at::kFloat)), codec_of(options(8), value)};
    PackedKv cache(codec, {1, 3, 64});
    append_in_parts(cache, key, value);
    REQUIRE(at::equal(cache.decode(0, true).to(dtype), codec.key.fake(key)));
    REQUIRE(at::equal(cache.decode(0, false).to(dtype), codec.value.fake(value)));
    KvTensorOptions in_time = rotated;
    in_time.axis = KvAxis::kTime;
    const KvCodec timed{codec_of(in_time, key.to(at::kFloat)), codec_of(options(8), value)};
    PackedKv other(timed, {1, 3, 64});
    other.append(0, key[0].narrow(1, 0, 64), value[0].narrow(1, 0, 64));
    REQUIRE(at::equal(other.decode(0, true).to(dtype), timed.key.fake(key.narrow(2, 0, 64))));
  }
}

TEST_CASE("packed kv: stored bytes are those of the formula, sequences of unequal length") {
  ModelConfig model;
  model.head_dim = 128;
  model.kv_heads = 8;
  for (const int64_t bits : {2, 3, 4, 8}) {
    for (const ScaleDtype scale : {ScaleDtype::kFloat16, ScaleDtype::kFloat32}) {
      const KvTensorOptions key = options(bits, 64, scale), value = options(4, -1, scale);
      const KvCodec codec{{key, ChannelRange()}, {value, ChannelRange()}};
      PackedKv cache(codec, {2, 8, 128});
      const at::Tensor x = at::randn({8, 100, 128});
      cache.append(0, x, x);
      cache.append(1, x.narrow(1, 0, 30), x.narrow(1, 0, 30));
      const double a_token = 8 * 128 *
                             (KvTensorCodec::stored_bits(key, model, 32) +
                              KvTensorCodec::stored_bits(value, model, 32)) /
                             8;
      REQUIRE(static_cast<double>(cache.stored_bytes()) == 130 * a_token);
      // Two pages and one.
      REQUIRE(static_cast<double>(cache.allocated_bytes()) == 3 * 64 * a_token);
      REQUIRE(cache.tokens(1) == 30);
    }
  }
  // By hand: 4 bits, one group of 128, float16: 64 + 4 bytes, keys and values.
  const KvCodec four{{options(4), ChannelRange()}, {options(4), ChannelRange()}};
  PackedKv cache(four, {1, 1, 128});
  cache.append(0, at::randn({1, 3, 128}), at::randn({1, 3, 128}));
  REQUIRE(cache.stored_bytes() == 3 * 2 * 68);
}

TEST_CASE("packed kv: pages stay where they are while the cache grows") {
  const KvCodec codec{{options(4), ChannelRange()}, {options(2), ChannelRange()}};
  PackedKv cache(codec, {1, 1, 32});
  const at::Tensor x = at::randn({1, 64, 32});
  cache.append(0, x, x);
  const unsigned char* first = cache.pages(0)[0];
  for (int i = 0; i < 50; ++i) cache.append(0, x, x);
  REQUIRE(cache.pages(0)[0] == first);
  REQUIRE(cache.tokens(0) == 51 * 64);
}

TEST_CASE("packed kv: refuses what it cannot store and says what it can") {
  using Catch::Matchers::Contains;
  const auto refused = [](KvTensorOptions given, int64_t dim, const char* message) {
    REQUIRE_THROWS_WITH(check_packable("keys", given, dim), Contains(message));
    REQUIRE_THROWS_AS(check_packable("keys", given, dim), ConfigError);
  };
  refused(options(4), 80, "head_dim 80 is not supported; expected a multiple of 32 up to 256");
  refused(options(4), 288, "head_dim 288");
  refused(options(5), 128, "5 bits of the keys are not supported; expected 2, 3, 4 or 8");
  refused(options(16), 128, "16 bits");
  refused(options(4, 48), 96, "group_size 48");
  refused(options(4, 64), 96, "group_size 64 of the keys is not supported");
  refused({.bits = 4, .form = QuantForm::kSymmetric}, 128, "form: symmetric");
  for (const int64_t tokens : {8, 24, 48, 128})
    refused(along_time(4, tokens), 128,
            "of the keys along time is not supported; expected 16, 32 or 64 tokens");
  check_packable("keys", along_time(4, 64), 128);
  REQUIRE_THROWS_WITH(check_packable("values", along_time(4, 32), 128),
                      Contains("the values are grouped along time; expected axis: token"));
  refused({.bits = 4, .group_scope = GroupScope::kToken}, 128, "expected group_scope: head");
  refused({.bits = 4, .rope = KeyPoint::kBeforeRope}, 128, "rope: before");
  refused({.bits = 4, .outliers = 0.01}, 128, "outliers");

  const KvCodec codec{{options(4), ChannelRange()}, {options(4), ChannelRange()}};
  PackedKv cache(codec, {1, 2, 32}, "block 7");
  at::Tensor x = at::randn({2, 5, 32});
  REQUIRE_THROWS_WITH(cache.append(0, x.narrow(2, 0, 31), x), Contains("block 7: got"));
  REQUIRE_THROWS_WITH(cache.append(0, x.to(at::kDouble), x), Contains("Double"));
  x[1][3][9] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE_THROWS_WITH(
      cache.append(0, at::zeros_like(x), x),
      Contains("block 7: the value of token 3, head 1 of sequence 0 is not finite"));
  REQUIRE(cache.tokens(0) == 0);

  const KvCodec timed{{along_time(4, 16), ChannelRange()}, {options(4), ChannelRange()}};
  PackedKv groups(timed, {1, 2, 32}, "block 7");
  x = at::randn({2, 32, 32});
  REQUIRE_THROWS_WITH(groups.append(0, x.narrow(1, 0, 17), x),
                      Contains("block 7: got 17 keys; expected whole groups of 16 tokens"));
  x[1][20][9] = std::numeric_limits<float>::infinity();
  REQUIRE_THROWS_WITH(groups.append(0, x, x.narrow(1, 0, 3)),
                      Contains("the key of one of tokens 16 to 31, head 1 of sequence 0"));
}
