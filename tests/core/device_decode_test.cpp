#include "core/cache/decode_attention.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"
#include "tests/support/decode_reference.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

PackedKv past_of(const KvCodec& codec, const PackedKv::Shape& shape, const TestDevice& on) {
  PackedKv::Shape there = shape;
  there.device = on.device;
  return {codec, there, "test", packed_kernels().front(), on.kernels};
}

at::Tensor random(at::IntArrayRef sizes, const TestDevice& on) {
  return at::randn(sizes).to(on.device);
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
        past_of(smoothed_codec(c.key_bits, c.value_bits, key, value), {1, c.kv_heads, c.dim}, on);
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
  PackedKv past = past_of(smoothed_codec(4, 4, key, value), {2, 2, 64}, on);
  past.append(0, key[0], value[0]);
  past.append(1, key[1].narrow(1, 0, 70), value[1].narrow(1, 0, 70));
  const ExactTokens sinks{random({2, 2, 4, 64}, on), random({2, 2, 4, 64}, on), {0, 1}, {4, 2}};
  // 514 tokens: the second span holds own tokens only, of which the first query sees none.
  const ExactTokens recent{
      random({2, 2, 516, 64}, on), random({2, 2, 516, 64}, on), {2, 0}, {516, 3}};
  const std::vector<int64_t> begin{523, 70};
  const at::Tensor out = decode_attention(query, {past, begin, {sinks, recent}});
  for (const int64_t row : {0, 1}) {
    const at::Tensor expected = reference(query, {past, begin, {sinks, recent}}, row);
    INFO(on.kernels->name << ", sequence " << row);
    REQUIRE(distance(out[row], expected) < attention_tolerance(at::kFloat));
  }
}

/// KIVI's keys, of some tokens the keys alone.
void along_time(const TestDevice& on) {
  at::manual_seed(35);
  for (size_t i = 0; i < kTimedCases.size(); ++i) {
    const TimedCase& c = kTimedCases[i];
    const std::vector<int64_t> widths{2, 3, 4, 8};
    const int64_t bits = widths[i % widths.size()];
    INFO(on.kernels->name << ", " << c.heads << ":" << c.kv_heads << " heads of " << c.dim << ", "
                          << c.keys << " keys, " << bits << " bits in groups of " << c.group);
    REQUIRE(timed_distance(c, bits, on.device, [&](const auto& codec, const auto& shape) {
              return past_of(codec, shape, on);
            }) < attention_tolerance(at::kFloat));
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

TEST_CASE("device decode: keys along time, some with exact values, emulated") {
  for (const TestDevice& on : emulated_devices()) along_time(on);
}

TEST_CASE("device decode: keys along time, some with exact values, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) along_time(on);
}

TEST_CASE("device decode: rotated channels agree with the CPU, emulated") {
  for (const TestDevice& on : emulated_devices()) rotated(on);
}

TEST_CASE("device decode: rotated channels agree with the CPU, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) rotated(on);
}
