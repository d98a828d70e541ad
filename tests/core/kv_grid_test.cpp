#include "core/device/torch_headers.h"
#include "core/kv/kv_codec.h"
#include "tests/support/formats.h"

using namespace wkvq;

namespace {

/// Constants as calibration would fit them to `x`.
GridConstants constants_of(const KvTensorOptions& options, const at::Tensor& x) {
  GridConstants constants;
  const at::Tensor channels = x.to(at::kDouble).permute({1, 3, 0, 2}).flatten(2);
  const OutlierThresholds range = outlier_thresholds(channels, options.outliers);
  constants.low =
      range.low.squeeze(-1).to(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  constants.high = range.high.squeeze(-1).to(constants.low.scalar_type());
  constants.codebook =
      at::linspace(-1, 1, int64_t{1} << options.bits, at::kDouble).pow(3);  // dense around 0
  if (options.range == KvRange::kDynamic) constants.low = constants.high = at::Tensor();
  if (options.grid == KvGrid::kUniform) constants.codebook = at::Tensor();
  return constants;
}

KvTensorCodec codec_of(const KvTensorOptions& options, const at::Tensor& x) {
  return {options, ChannelTransform(), constants_of(options, x)};
}

std::vector<KvTensorOptions> grids() {
  const KvTensorOptions plain{.bits = 3};
  std::vector<KvTensorOptions> all;
  for (const KvRange range : {KvRange::kDynamic, KvRange::kStatic})
    for (const KvGrid grid : {KvGrid::kUniform, KvGrid::kNuq})
      for (const double outliers : {0.0, 0.1})
        for (const GroupScope scope : {GroupScope::kHead, GroupScope::kToken}) {
          if (range == KvRange::kStatic && scope == GroupScope::kToken) continue;
          KvTensorOptions options = plain;
          options.range = range;
          options.grid = grid;
          options.outliers = outliers;
          options.group_scope = scope;
          all.push_back(options);
          options.group_size = 8;
          options.scale_dtype = ScaleDtype::kFloat16;
          if (range == KvRange::kDynamic) all.push_back(options);
        }
  return all;
}

std::string name_of(const KvTensorOptions& o) {
  return fmt::format("range {}, grid {}, outliers {}, scope {}, group {}",
                     static_cast<int>(o.range), static_cast<int>(o.grid), o.outliers,
                     static_cast<int>(o.group_scope), o.group_size);
}

}  // namespace

TEST_CASE(
    "kv grid: the stored form is what is read, bit for bit, and a token does not see another") {
  at::manual_seed(31);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const KvTensorOptions& options : grids()) {
      const at::Tensor x = at::randn({2, 3, 25, 16}, at::kDouble).to(dtype);
      const KvTensorCodec codec = codec_of(options, x);
      const at::Tensor y = codec.fake(x);
      INFO(name_of(options) << ", " << toString(dtype));
      REQUIRE(y.scalar_type() == dtype);
      REQUIRE(at::equal(codec.decode(codec.encode(x)), y));
      REQUIRE(at::equal(codec.fake(x.narrow(2, 7, 1)), y.narrow(2, 7, 1)));
      // Values far outside of what was seen: the grid's end, or kept where outliers are.
      REQUIRE(!at::equal(y, x));
      REQUIRE((y - x).abs().max().item<double>() < 2.0);
    }
}

TEST_CASE("kv grid: static ranges by hand: clamped at the ends, kept beyond them with outliers") {
  const at::Tensor x = at::tensor({0.0, 1.0, 2.4, 3.0, 5.0}, at::kDouble).view({1, 1, 5, 1});
  KvTensorOptions options{.bits = 2, .range = KvRange::kStatic};
  const GridConstants constants{.low = at::zeros({1, 1}, at::kDouble),
                                .high = at::full({1, 1}, 3.0, at::kDouble)};
  const auto read = [&] {
    return KvTensorCodec(options, ChannelTransform(), constants).fake(x).flatten();
  };
  REQUIRE(at::equal(read(), at::tensor({0.0, 1.0, 2.0, 3.0, 3.0}, at::kDouble)));
  options.outliers = 0.2;
  REQUIRE(at::equal(read(), at::tensor({0.0, 1.0, 2.0, 3.0, 5.0}, at::kDouble)));
  const EncodedKv stored = KvTensorCodec(options, ChannelTransform(), constants).encode(x);
  REQUIRE(at::equal(stored.outliers.index, at::tensor({4}, at::kLong)));
  REQUIRE(stored.codes.flatten()[4].item<int64_t>() == 3);
  // A channel that never varied keeps its value.
  const GridConstants flat{.low = at::full({1, 1}, 1.3, at::kDouble),
                           .high = at::full({1, 1}, 1.3, at::kDouble)};
  const at::Tensor same = at::full({1, 1, 2, 1}, 1.3, at::kDouble);
  REQUIRE(at::equal(KvTensorCodec(options, ChannelTransform(), flat).fake(same), same));
}

TEST_CASE("kv grid: floats on a static range: one scale, and the largest value beyond it") {
  // 448 / 448: whole steps of 32 above 256; what was never seen saturates.
  const at::Tensor x = at::tensor({448.0, -300.0, 1.06, 5000.0}, at::kDouble).view({1, 1, 4, 1});
  KvTensorOptions options{.bits = 8, .range = KvRange::kStatic};
  options.format = test::format_id("fp8_e4m3");
  const GridConstants constants{.low = at::full({1, 1}, -448.0, at::kDouble),
                                .high = at::full({1, 1}, 448.0, at::kDouble)};
  const KvTensorCodec codec(options, ChannelTransform(), constants);
  REQUIRE(at::equal(codec.fake(x).flatten(), at::tensor({448.0, -288.0, 1.0, 448.0}, at::kDouble)));
  REQUIRE(at::equal(codec.decode(codec.encode(x)), codec.fake(x)));
}

TEST_CASE("kv grid: a token's outliers are exact and widen no range") {
  // Ten channels, one at either end kept: the rest lies on 0 ... 7 and is exact with 3 bits.
  const at::Tensor x =
      at::tensor({0.0, 3.0, 900.0, 7.0, 1.0, 6.0, -500.0, 2.0, 4.0, 5.0}, at::kDouble)
          .view({1, 1, 1, 10});
  KvTensorOptions options{.bits = 3, .outliers = 0.2};
  const KvTensorCodec codec(options, ChannelTransform());
  REQUIRE(at::equal(codec.fake(x), x));
  const EncodedKv stored = codec.encode(x);
  REQUIRE(at::equal(stored.outliers.index, at::tensor({2, 6}, at::kLong)));
  REQUIRE(at::equal(stored.outliers.value, at::tensor({900.0, -500.0}, at::kDouble)));
  options.outliers = 0;
  const KvTensorCodec without(options, ChannelTransform());
  REQUIRE((without.fake(x) - x).abs().max().item<double>() > 10);
  REQUIRE(!without.encode(x).outliers.defined());
}

TEST_CASE("kv grid: a codebook of the values in the data is exact") {
  at::manual_seed(32);
  const at::Tensor levels = at::tensor({-1.0, -0.25, 0.125, 1.0}, at::kDouble);
  at::Tensor x = levels.index_select(0, at::randint(4, {64}, at::kLong)).view({1, 1, 4, 16});
  x.select(3, 0).fill_(-1);  // every token spans the whole range
  x.select(3, 1).fill_(1);
  const KvTensorOptions options{.bits = 2, .grid = KvGrid::kNuq};
  const KvTensorCodec codec(options, ChannelTransform(), {.codebook = levels});
  REQUIRE(at::equal(codec.fake(4 * x + 2), 4 * x + 2));
  REQUIRE(at::equal(codec.normalized(4 * x + 2).levels, x));
}

TEST_CASE("kv grid: q_norm reads codes of the fitted codebook from another one, by hand") {
  // Range [-2, 2]: normalized -1, -0.2, 0.4, 1, nearest -1, 0, 0, 1.
  const at::Tensor x = at::tensor({-2.0, -0.4, 0.8, 2.0}, at::kDouble).view({1, 1, 1, 4});
  const at::Tensor fitted = at::tensor({-1.0, 0.0, 0.9, 1.0}, at::kDouble);
  const at::Tensor read = at::tensor({-1.5, 0.25, 1.0, 1.25}, at::kDouble);
  const KvTensorOptions options{.bits = 2, .grid = KvGrid::kNuq, .q_norm = true};
  const KvTensorCodec codec(options, ChannelTransform(),
                            {.codebook = fitted, .read_codebook = read});
  REQUIRE(at::equal(codec.fake(x).flatten(), at::tensor({-3.0, 0.5, 0.5, 2.5}, at::kDouble)));
  REQUIRE(at::equal(codec.decode(codec.encode(x)), codec.fake(x)));
}

TEST_CASE("kv grid: share of outliers, thresholds do not depend on the order of tokens") {
  at::manual_seed(33);
  const at::Tensor x = at::randn({3, 4, 5000}, at::kDouble);
  const OutlierThresholds range = outlier_thresholds(x, 0.01);
  const at::Tensor beyond = (x < range.low) | (x > range.high);
  // 25 at either end of 5000 different values.
  REQUIRE(at::equal(beyond.sum(-1), at::full({3, 4}, 50, at::kLong)));
  const OutlierThresholds shuffled =
      outlier_thresholds(x.index_select(2, at::randperm(5000, at::kLong)), 0.01);
  REQUIRE((at::equal(shuffled.low, range.low) && at::equal(shuffled.high, range.high)));
  const OutlierThresholds all = outlier_thresholds(x, 0);
  REQUIRE(!((x < all.low) | (x > all.high)).any().item<bool>());
  REQUIRE(outliers_per_end(0.5, 3) == 1);  // never all of them
  REQUIRE(outliers_per_end(0.5, 2) == 0);
}

TEST_CASE("kv grid: edges of outliers lie between values, and twice the same value counts once") {
  const auto edges = [](const std::vector<double>& values, double share) {
    const OutlierEdges e = outlier_edges(at::tensor(values, at::kDouble), share);
    return std::pair{e.low.item<double>(), e.high.item<double>()};
  };
  // One of ten at either end: between 0 and 2, between 8 and 12.
  REQUIRE(edges({12, 0, 2, 3, 4, 5, 6, 7, 8, 5}, 0.2) == std::pair{1.0, 10.0});
  REQUIRE(edges({12, 0, 2, 3, 4, 5, 6, 7, 8, 5}, 0) == std::pair{0.0, 12.0});
  // Two of ten, but the second smallest is the third, rounded otherwise: the edge moves outwards.
  REQUIRE(edges({0, 2, 2 + 1e-15, 3, 4, 5, 6, 7, 8, 12}, 0.4) == std::pair{1.0, 7.5});
  // None: just beyond the last value, which an equal one rounded otherwise does not pass.
  const auto [low, high] = edges({1, 1 + 1e-15, 2, 3, 3 - 1e-15}, 0.4);
  REQUIRE((low < 1 && low > 1 - 1e-9 && high > 3 && high < 3 + 1e-9));
  REQUIRE(edges({2, 2, 2}, 0.5) == std::pair{2.0, 2.0});
}

TEST_CASE("kv grid: a channel without range decodes to its one value") {
  // The codebook has no 0: nearest to it is 0.25, which must not be added.
  const at::Tensor x = at::full({1, 1, 4, 2}, 3.0, at::kDouble);
  for (const double value : {3.0, 0.0}) {
    const at::Tensor edge = at::full({1, 2}, value, at::kDouble);
    const KvTensorOptions options{.bits = 2, .range = KvRange::kStatic, .grid = KvGrid::kNuq};
    const KvTensorCodec codec(options, ChannelTransform(),
                              {edge, edge, at::tensor({-1.0, -0.5, 0.25, 1.0}, at::kDouble)});
    const at::Tensor y = codec.fake(at::full_like(x, value));
    REQUIRE((y - value).abs().max().item<double>() < 1e-15);
    REQUIRE(at::equal(codec.decode(codec.encode(at::full_like(x, value))), y));
  }
}

TEST_CASE("kv grid: gradients pass the rounding, and stop beyond a static range") {
  const at::Tensor x =
      at::tensor({0.2, 1.1, 2.4, 5.0}, at::kDouble).view({1, 1, 4, 1}).requires_grad_();
  KvTensorOptions options{.bits = 2, .range = KvRange::kStatic};
  const GridConstants constants{.low = at::zeros({1, 1}, at::kDouble),
                                .high = at::full({1, 1}, 3.0, at::kDouble)};
  const auto gradient = [&] {
    const at::Tensor y = KvTensorCodec(options, ChannelTransform(), constants).fake(x);
    return torch::autograd::grad({y.sum()}, {x})[0].flatten();
  };
  REQUIRE(at::equal(gradient(), at::tensor({1.0, 1.0, 1.0, 0.0}, at::kDouble)));
  options.outliers = 0.2;
  REQUIRE(at::equal(gradient(), at::ones({4}, at::kDouble)));
}

TEST_CASE("kv grid: stored bits count the sparse part") {
  ModelConfig model;
  model.kv_heads = 32;
  model.head_dim = 128;
  KvTensorOptions key{.bits = 3, .range = KvRange::kStatic, .outliers = 0.01};
  // 1 % of 16 + 16 bits and one 32-bit count for 4096 channels.
  REQUIRE(KvTensorCodec::stored_bits(key, model, 16) == Approx(3 + 0.32 + 32.0 / 4096));
  KvTensorOptions value{.bits = 3, .group_scope = GroupScope::kToken, .outliers = 0.01};
  // 20 at either end of 4096; two 16-bit numbers a token.
  REQUIRE(KvTensorCodec::stored_bits(value, model, 16) ==
          Approx(3 + 32.0 / 4096 + 40.0 / 4096 * 32 + 32.0 / 4096));
}

TEST_CASE("kv grid: combinations without meaning are refused by name") {
  ModelConfig model;
  model.heads = model.kv_heads = 2;
  model.head_dim = 16;
  const KvViewOptions past{.mode = ViewMode::kPast};
  const KvTensorOptions four{.bits = 4};
  const auto refused = [&](const auto& change, const std::string& part) {
    KvOptions options;
    options.key = four;
    change(options);
    REQUIRE_CONFIG_ERROR(check_kv_options(options, past, model), part);
  };
  refused([](KvOptions& o) { o.value.rope = KeyPoint::kBeforeRope; }, "only keys are rotated");
  refused([](KvOptions& o) { o.key.fit_weights = FitWeights::kFisher; }, "expected grid: nuq");
  refused([](KvOptions& o) { o.key.q_norm = true; }, "q_norm of the keys rescales a codebook");
  refused(
      [](KvOptions& o) {
        o.key.grid = KvGrid::kNuq;
        o.key.channel.shift = ChannelMode::kLearned;
      },
      "channel: learned of the keys");
  refused(
      [](KvOptions& o) {
        o.key.range = KvRange::kStatic;
        o.key.channel.scale = ChannelMode::kLearned;
      },
      "channel: learned of the keys");
  refused(
      [](KvOptions& o) {
        o.key.range = KvRange::kStatic;
        o.key.form = QuantForm::kSymmetric;
      },
      "form: minimum");
  refused(
      [](KvOptions& o) {
        o.key.range = KvRange::kStatic;
        o.key.group_size = 8;
      },
      "every channel has its own range");
  refused(
      [](KvOptions& o) {
        o.key.grid = KvGrid::kNuq;
        o.key.group_size = 5;
      },
      "does not divide 16 channels");
  refused(
      [](KvOptions& o) {
        o.key.grid = KvGrid::kNuq;
        o.key.fit_weights = FitWeights::kFisher;
        o.key.rotate = KvRotation::kHadamard;
      },
      "expected one of the two");
  for (const auto& change : {+[](KvTensorOptions& o) { o.grid = KvGrid::kNuq; },
                             +[](KvTensorOptions& o) { o.outliers = 0.01; }})
    refused(
        [&](KvOptions& o) {
          o.key.axis = KvAxis::kTime;
          o.key.group_size = 4;
          change(o.key);
        },
        "grouped along time");
}
