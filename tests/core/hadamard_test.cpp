#include "core/number/hadamard.h"

#include "core/device/torch_headers.h"
#include "core/kv/kv_codec.h"
#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("hadamard: by hand, its own inverse, and the same bits for a row alone") {
  const at::Tensor x = at::tensor({1.0, 2.0, 3.0, 5.0}, at::kDouble);
  REQUIRE(at::equal(hadamard(x), at::tensor({5.5, -1.5, -2.5, 0.5}, at::kDouble)));
  REQUIRE(at::equal(hadamard(at::ones({3, 1})), at::ones({3, 1})));
  at::manual_seed(1);
  const at::Tensor many = at::randn({2, 3, 50, 64}, at::kFloat);
  REQUIRE(at::allclose(hadamard(hadamard(many)), many, 0, 1e-5));
  REQUIRE(at::equal(hadamard(many).select(2, 17), hadamard(many.select(2, 17))));
  REQUIRE_THROWS_AS(hadamard(at::ones({3, 12})), c10::Error);
}

TEST_CASE("kv rotation: spreads a channel of large values, and its stored form is what is read") {
  at::manual_seed(2);
  at::Tensor key = at::randn({2, 3, 40, 16}, at::kFloat);
  key.select(3, 5).mul_(30);
  KvTensorOptions plain{.bits = 4}, rotated{.bits = 4, .rotate = KvRotation::kHadamard};
  const KvTensorCodec with(rotated, ChannelTransform()), without(plain, ChannelTransform());
  const auto error = [&](const KvTensorCodec& codec) {
    return (codec.fake(key) - key).square().mean().item<double>();
  };
  // The step follows the group's range. Rotated, the outlier's 30 sigma is 30 / 4 in every channel
  // but with either sign, so ranges are about 15 + 6 in place of about 36.
  CHECK(error(with) < 0.7 * error(without));
  REQUIRE(at::equal(with.decode(with.encode(key)), with.fake(key)));

  // Static channels come first: an offset of the model's channels is gone before they are mixed.
  key.select(3, 5).add_(300);
  rotated.channel.shift = ChannelMode::kStatic;
  ChannelRange range;
  range.add(key);
  const KvTensorCodec both(rotated, range);
  CHECK(error(both) < 0.3 * error(with));
  REQUIRE(at::equal(both.decode(both.encode(key)), both.fake(key)));
}

TEST_CASE("hadamard: of other widths, part by part") {
  const at::Tensor x =
      at::tensor({1.0, 2.0, 3.0, 5.0, 1.0, 2.0, 3.0, 5.0, 0.0, 0.0, 2.0, 0.0}, at::kDouble);
  REQUIRE(at::equal(
      hadamard_parts(x),
      at::tensor({5.5, -1.5, -2.5, 0.5, 5.5, -1.5, -2.5, 0.5, 1.0, 1.0, -1.0, -1.0}, at::kDouble)));
  REQUIRE(at::equal(hadamard_parts(x.narrow(0, 0, 4)), hadamard(x.narrow(0, 0, 4))));
  REQUIRE(at::equal(hadamard_parts(x.narrow(0, 0, 3)), x.narrow(0, 0, 3)));
}

TEST_CASE("kv rotation: head_dim must be a power of two") {
  ModelConfig model;
  model.heads = model.kv_heads = 4;
  model.head_dim = 12;
  KvOptions options;
  options.value = {.bits = 4, .rotate = KvRotation::kHadamard};
  const KvViewOptions view{.mode = ViewMode::kPast};
  REQUIRE_CONFIG_ERROR(check_kv_options(options, view, model),
                       "rotate: hadamard of the values does not fit head_dim 12; expected a power "
                       "of two, or rotate: signed");
  model.head_dim = 16;
  check_kv_options(options, view, model);
  model.head_dim = 12;
  options.value.bits = 16;  // nothing is quantized, nothing is rotated
  check_kv_options(options, view, model);
}
