#include <array>
#include <limits>

#include "core/cache/packed_kv.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

KvTensorCodec codec_of(KvTensorOptions options, bool channels, const at::Tensor& x) {
  if (channels) options.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.5};
  ChannelRange range;
  range.add(x);
  return {options, range};
}

KvCodec moved(const KvCodec& codec, const at::Device& device) {
  const auto side = [&](const KvTensorCodec& c) {
    const auto there = [&](const at::Tensor& x) {
      return x.defined() ? x.squeeze(2).squeeze(0).to(device) : x;
    };
    return KvTensorCodec(c.options(), ChannelTransform{there(c.shift()), there(c.scale())});
  };
  return {side(codec.key), side(codec.value)};
}

/// Tokens of one, seven, a page and the rest: first slots and ends of every kind.
void append_in_parts(PackedKv& cache, const at::Tensor& key, const at::Tensor& value) {
  int64_t t = 0;
  for (const int64_t n : {int64_t{1}, int64_t{7}, int64_t{64}, key.size(1)}) {
    const int64_t count = std::min(n, key.size(1) - t);
    cache.append(0, key.narrow(1, t, count), value.narrow(1, t, count));
    t += count;
  }
}

/// Channels of very different size, a constant token, one of subnormal scales.
at::Tensor hard_tokens(int64_t heads, int64_t dim) {
  at::Tensor x = at::randn({1, heads, 131, dim}) * (at::randn({heads, 1, dim}) * 2).exp();
  x.select(2, 70).fill_(-3);
  x.select(2, 3).fill_(0);
  x.select(2, 0).mul_(1e-6);
  return x;
}

struct Case {
  int64_t dim, key_bits, value_bits, group;
  ScaleDtype scale;
  bool channels;
};

const std::vector<Case> kCases{{32, 2, 4, -1, ScaleDtype::kFloat16, true},
                               {64, 4, 3, 32, ScaleDtype::kBfloat16, true},
                               {96, 3, 8, 96, ScaleDtype::kFloat32, false},
                               {128, 8, 2, 64, ScaleDtype::kFloat16, true},
                               {256, 3, 4, 128, ScaleDtype::kFloat16, true}};

/// On the emulator every byte.
void same_pages(const PackedKv& past, const PackedKv& cpu) {
  for (const bool is_key : {true, false})
    REQUIRE(at::equal(past.decode(0, is_key).cpu(), cpu.decode(0, is_key)));
  if (!past.shape().device.is_cpu()) return;
  const int64_t pages = (cpu.tokens(0, true) + kPageTokens - 1) / kPageTokens;
  const auto bytes = static_cast<size_t>(cpu.allocated_bytes() / pages);
  for (int64_t page = 0; page < pages; ++page)
    REQUIRE(std::memcmp(past.pages(0)[page], cpu.pages(0)[page], bytes) == 0);
}

void same_as_cpu(const TestDevice& on) {
  at::manual_seed(34);
  for (const Case& c : kCases) {
    const at::Tensor key = hard_tokens(2, c.dim), value = hard_tokens(2, c.dim);
    KvTensorOptions options{.bits = c.key_bits, .group_size = c.group, .scale_dtype = c.scale};
    const KvTensorCodec of_key = codec_of(options, c.channels, key);
    options.bits = c.value_bits;
    const KvCodec codec{of_key, codec_of(options, false, value)};
    PackedKv cpu(codec, {1, 2, c.dim});
    append_in_parts(cpu, key[0], value[0]);
    PackedKv past(moved(codec, on.device), {1, 2, c.dim, on.device}, "test",
                  packed_kernels().front(), on.kernels);
    append_in_parts(past, key[0].to(on.device), value[0].to(on.device));
    INFO(on.kernels->name << ", head_dim " << c.dim << ", " << c.key_bits << " and " << c.value_bits
                          << " bits");
    REQUIRE(past.tokens(0) == 131);
    same_pages(past, cpu);
  }
}

/// Keys in whole groups along time, ahead of the values by up to two pages.
void timed_as_cpu(const TestDevice& on) {
  at::manual_seed(36);
  for (const auto& [dim, group, bits] :
       std::vector<std::array<int64_t, 3>>{{32, 16, 2}, {96, 32, 3}, {128, 64, 4}, {256, 16, 8}}) {
    const at::Tensor x = hard_tokens(2, dim).repeat({1, 1, 2, 1}), key = x[0], value = x[0] * 2;
    const KvTensorOptions timed{.bits = bits,
                                .group_size = group,
                                .axis = KvAxis::kTime,
                                .scale_dtype = ScaleDtype::kFloat16};
    const KvCodec codec{codec_of(timed, true, x), codec_of({.bits = 3}, false, x)};
    PackedKv cpu(codec, {1, 2, dim});
    PackedKv past(moved(codec, on.device), {1, 2, dim, on.device}, "test", packed_kernels().front(),
                  on.kernels);
    int64_t keys = 0, values = 0;
    for (const auto& [more_keys, more_values] : std::vector<std::array<int64_t, 2>>{
             {64, 1}, {64, 0}, {0, 66}, {64, 61}, {0, 1}, {64, 64}}) {
      for (PackedKv* cache : {&cpu, &past})
        cache->append(0, key.narrow(1, keys, more_keys).to(cache->shape().device),
                      value.narrow(1, values, more_values).to(cache->shape().device));
      keys += more_keys;
      values += more_values;
    }
    INFO(on.kernels->name << ", head_dim " << dim << ", " << bits << " bits, groups of " << group);
    REQUIRE(past.tokens(0, true) == 256);
    REQUIRE(past.tokens(0, false) == 193);
    same_pages(past, cpu);
  }
}

void wrong_tokens(const TestDevice& on) {
  using Catch::Matchers::Contains;
  const KvCodec codec{{KvTensorOptions{.bits = 4}, ChannelRange()},
                      {KvTensorOptions{.bits = 3}, ChannelRange()}};
  PackedKv past(codec, {1, 2, 32, on.device}, "block 7", packed_kernels().front(), on.kernels);
  const at::Tensor x = at::randn({2, 70, 32}).to(on.device);
  past.append(0, x, x);
  at::Tensor bad = x.clone();
  bad[0][68][31] = std::numeric_limits<float>::infinity();
  bad[1][66][3] = std::numeric_limits<float>::quiet_NaN();
  INFO(on.kernels->name);
  // The first of the two in order of tokens.
  REQUIRE_THROWS_WITH(
      past.append(0, x, bad),
      Contains("block 7: the value of token 136, head 1 of sequence 0 is not finite"));
  REQUIRE_THROWS_WITH(past.append(0, bad, bad), Contains("the key of token 136, head 1"));
  REQUIRE(past.tokens(0) == 70);
}

}  // namespace

TEST_CASE("device append: bytes equal those of the CPU, emulated") {
  for (const TestDevice& on : emulated_devices()) same_as_cpu(on);
}

TEST_CASE("device append: bytes equal those of the CPU, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) same_as_cpu(on);
}

TEST_CASE("device append: keys along time, ahead of values, emulated") {
  for (const TestDevice& on : emulated_devices()) timed_as_cpu(on);
}

TEST_CASE("device append: keys along time, ahead of values, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) timed_as_cpu(on);
}

TEST_CASE("device append: names the first token that is not finite, emulated") {
  for (const TestDevice& on : emulated_devices()) wrong_tokens(on);
}

TEST_CASE("device append: names the first token that is not finite, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) wrong_tokens(on);
}
