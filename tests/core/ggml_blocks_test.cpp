#include "core/device/torch_headers.h"
#include "core/number/elements.h"
#include "core/number/packed_weight.h"
#include "core/number/quantizer.h"
#include "tests/support/formats.h"
#include "tests/support/tensors.h"

using namespace wkvq;

// Blocks of llama.cpp beside what ggml itself wrote (scripts/fixtures/make_ggml_golden.py).

namespace {

const std::vector<std::string> kNames{"q8_0", "q5_0", "q5_1", "q4_0", "q4_1", "iq4_nl"};

QuantSpec block_spec(const std::string& name) {
  const FormatId id = test::format_id(name);
  const NumberFormat& format = number_format(id);
  return {.bits = format.bits, .group_size = format.block, .form = format.form, .format = id};
}

at::Tensor golden(const std::string& name, at::ScalarType type) {
  static const SafetensorsFile file(test::source("tests/golden/ggml_blocks.safetensors"));
  return test::golden(file, name, type);
}

}  // namespace

TEST_CASE("ggml blocks: codes, scales and values are those of ggml, bit for bit") {
  const at::Tensor x = golden("x", at::kFloat);
  for (const std::string& name : kNames) {
    INFO(name);
    const QuantSpec spec = block_spec(name);
    const Encoded encoded = encode(x, spec);
    // Where a whole block is 0 any code will do.
    const at::Tensor other =
        encoded.groups.codes.ne(golden(name + ".codes", at::kByte)) & (x != 0).any(1, true);
    CHECK(other.sum().item<int64_t>() == 0);
    CHECK(at::equal(encoded.groups.scale.flatten(), golden(name + ".scale", at::kFloat)));
    CHECK(at::equal(decode(encoded), golden(name + ".values", at::kFloat)));
    CHECK(at::equal(fake_quantize(x, spec), golden(name + ".values", at::kFloat)));
  }
}

TEST_CASE("ggml blocks: codes by hand") {
  // x = -2, -1.875 .. 1.875. Q4_0: d = -2 / -8, x / d + 8.5 without its fraction.
  const at::Tensor x = (at::arange(32, at::kFloat) - 16) / 8;
  const auto codes_of = [&](const char* name) {
    const at::Tensor codes = encode(x.unsqueeze(0), block_spec(name)).groups.codes.flatten();
    const uint8_t* begin = codes.const_data_ptr<uint8_t>();
    return std::vector<int>(begin, begin + 32);
  };
  std::vector<int> expected;
  for (int i = 0; i < 32; ++i) expected.push_back(std::min(15, (i + 1) / 2));
  CHECK(codes_of("q4_0") == expected);
  // The golden bytes of the block: low nibbles the first half, high ones the second.
  const std::vector<int> bytes{0x80, 0x91, 0x91, 0xa2, 0xa2, 0xb3, 0xb3, 0xc4,
                               0xc4, 0xd5, 0xd5, 0xe6, 0xe6, 0xf7, 0xf7, 0xf8};
  for (int i = 0; i < 16; ++i) CHECK((expected[i] | expected[i + 16] << 4) == bytes[i]);
  // Halves: 2.5 steps of Q8_0 go away from 0 (d = 127 / 127), of Q4_0 up (d = -8 / -8).
  const at::Tensor halves = at::tensor({127.0, 2.5, -2.5}, at::kFloat).unsqueeze(0);
  CHECK(at::equal(fake_quantize(halves, block_spec("q8_0")),
                  at::tensor({127.0, 3.0, -3.0}, at::kFloat).unsqueeze(0)));
  const at::Tensor four = at::tensor({-8.0, 2.5, -2.5}, at::kFloat).unsqueeze(0);
  CHECK(at::equal(fake_quantize(four, block_spec("q4_0")),
                  at::tensor({-8.0, 3.0, -2.0}, at::kFloat).unsqueeze(0)));
}

TEST_CASE("ggml blocks: stored bits") {
  const std::map<std::string, double> bits{{"q8_0", 8.5}, {"q5_0", 5.5}, {"q5_1", 6},
                                           {"q4_0", 4.5}, {"q4_1", 5},   {"iq4_nl", 4.5}};
  for (const auto& [name, stored] : bits) CHECK(block_spec(name).bits_per_value(64, 32) == stored);
}

TEST_CASE("ggml blocks: a grid held fixed rounds within half a step") {
  at::manual_seed(8);
  const at::Tensor x = at::randn({6, 32}, at::kDouble);
  for (const std::string& name : kNames) {
    INFO(name);
    const GroupGrid grid = group_grid(x, block_spec(name));
    const at::Tensor near = grid.nearest(x.t()).t(), own = fake_quantize(x, block_spec(name));
    // Never further than what the block's own rounding leaves.
    CHECK(((near - x).abs() <= (own - x).abs() + 1e-12).all().item<bool>());
    CHECK(at::equal(grid.nearest(near.t()).t(), near));
    const at::Tensor zero = at::zeros({1, 32}, at::kDouble);
    CHECK(at::equal(group_grid(zero, block_spec(name)).nearest(zero.t()), zero.t()));
  }
}

TEST_CASE("ggml blocks: packed weights hold the same values") {
  at::manual_seed(9);
  const at::Tensor w = at::randn({48, 64}), x = at::randn({3, 64});
  for (const char* name : {"q8_0", "q4_0", "q4_1", "iq4_nl"}) {
    INFO(name);
    const QuantSpec spec = block_spec(name);
    const PackedWeight packed(w, spec);
    CHECK(at::equal(packed.decode(), fake_quantize(w, spec)));
    // 64 products, summed in another order.
    CHECK(test::largest_difference(packed.multiply(x), x.matmul(fake_quantize(w, spec).t())) <
          64 * 4 * 6e-8 * 8);
  }
  CHECK_THROWS_AS(PackedWeight(w, block_spec("q5_0")), ConfigError);
}
