#include "core/device/finite.h"

#include "core/calibrate/pipeline.h"
#include "core/calibrate/stream_check.h"
#include "core/device/torch_headers.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;
using Catch::Contains;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const char* const kModel = "tests/golden/models/llama_gqa_head_dim";

/// Two sequences of eight tokens on their way into block 0 of `fixture`.
StreamBatch two_sequences(test::BlockFixture& fixture) {
  const at::Tensor tokens = at::arange(16, at::kLong).view({2, 8});
  return {fixture.model().embed(tokens), {.mode = ViewMode::kAll}, {}, tokens, {4, 7}};
}

/// The message of a pass of `stream` through the model under round to nearest.
std::string failure(test::BlockFixture& fixture, const Stream& stream) {
  BlockPass pass{.streams = {stream}, .calibration = &fixture.chain()};
  const auto method = test::method_of("{name: rtn, weight: {bits: 4}, kv: {bits: 4}}");
  try {
    run_blocks(fixture.model(), *method, pass, fixture.recorder());
  } catch (const NotFiniteError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("finite: the first element that is not is found, in every dtype") {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const double bad : {static_cast<double>(NAN), kInfinity, -kInfinity}) {
      // Long enough for the vector loops and their tails.
      at::Tensor x = at::ones({3, 7, 41}, dtype);
      CHECK(all_finite(x));
      CHECK_FALSE(first_not_finite(x));
      x[1][6][40] = bad;
      x[2][0][3] = bad;
      CHECK_FALSE(all_finite(x));
      CHECK(*first_not_finite(x) == std::vector<int64_t>{1, 6, 40});
      // A view of another order.
      CHECK(*first_not_finite(x.transpose(0, 2)) == std::vector<int64_t>{3, 0, 2});
    }
  }
  CHECK(all_finite(at::ones({0, 4})));
}

TEST_CASE("finite: a scale has to be above 0") {
  const at::Tensor scale = at::tensor({1.0, 0.5, 0.0, -1.0});
  REQUIRE_NOTHROW(require_finite(scale, "scale"));
  REQUIRE_NOTHROW(require_positive(scale.narrow(0, 0, 2), "scale"));
  REQUIRE_NOTHROW(require_positive({}, "scale"));
  REQUIRE_THROWS_WITH(require_positive(scale, "scale"), "scale: a scale at [2] is not above 0");
  REQUIRE_THROWS_WITH(require_positive(scale / 0, "scale"), "scale: not finite at [0]");
}

TEST_CASE("finite: a pass names block, sequence and position, and who is to blame") {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture(kModel, at::kFloat);
  StreamBatch batch = two_sequences(fixture);
  CHECK(failure(fixture, {.batches = {batch}}) == "no error");
  batch.hidden = batch.hidden.clone();
  batch.hidden[1][5][0] = kInfinity;
  // The tokens themselves are sound, so the quantized model is to blame.
  CHECK(failure(fixture, {.batches = {batch}, .name = "text"}) ==
        "not finite: queries of block 0 of the quantized model, text, sequence 7, position 5");
  CHECK(failure(fixture, {.full_precision = true, .batches = {batch}, .name = "text"}) ==
        "the full-precision model itself is not finite in float32: queries of block 0, text, "
        "sequence 7, position 5; expected a sound checkpoint, or model.dtype: float64");
}

TEST_CASE("finite: an infinite key is found although its weight is 0") {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture(kModel, at::kFloat);
  const at::Tensor key = at::ones({1, 2, 4, 12});
  AttentionInputs in{.query = at::ones({1, 4, 4, 12}), .key = key, .value = at::ones_like(key)};
  in.key[0][1][2][3] = -kInfinity;  // a score of minus infinity
  REQUIRE(all_finite(plain_attention(in)));
  std::optional<NotFinitePlace> found;
  watched(plain_attention, found)(in);
  REQUIRE(found);
  CHECK(found->what == "keys of");
  CHECK(found->column == 2);
}

TEST_CASE("finite: what a method leaves of a block is looked at") {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture(kModel, at::kFloat);
  const BlockWeights full = fixture.model().block(0);
  QuantizedBlock block{full, {}};
  REQUIRE_NOTHROW(check_quantized_block(0, full, block));
  block.weights.up.weight = full.up.weight.clone();
  block.weights.up.weight[2][1] = NAN;
  CHECK_THROWS_WITH(check_quantized_block(0, full, block),
                    "quantized weight block_00/up_proj: not finite at [2, 1]");
  block = {full, {}};
  const KvTensorOptions options{.bits = 4, .channel = {.scale = ChannelMode::kStatic}};
  const at::Tensor scale = at::ones({2, 12});
  block.codec.value = KvTensorCodec(options, ChannelTransform{{}, scale});
  REQUIRE_NOTHROW(check_quantized_block(3, full, block));
  scale[1][4] = 0;
  CHECK_THROWS_WITH(check_quantized_block(3, full, block),
                    "channels of block_03/value, scale: a scale at [0, 1, 0, 4] is not above 0");
}
