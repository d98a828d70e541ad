#include "core/attention/masked_attention.h"
#include "core/cache/kv_cache.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

struct Case {
  std::string name;
  KvViewOptions view;
  KvTensorOptions key, value;
};

/// Every row of the table of modes, keys and values configured apart.
std::vector<Case> cases() {
  const KvTensorOptions four{.bits = 4}, three{.bits = 3, .group_size = 5}, exact;
  const KvTensorOptions time{.bits = 2, .group_size = 4, .axis = KvAxis::kTime};
  const KvTensorOptions across{.bits = 3, .group_size = 12, .group_scope = GroupScope::kToken};
  KvTensorOptions rotated = four, rotated_across = across, rotated_time = time;
  for (KvTensorOptions* options : {&rotated, &rotated_across, &rotated_time})
    options->rotate = KvRotation::kHadamard;
  KvTensorOptions directions{.bits = 3, .rotate = KvRotation::kSigned, .grid = KvGrid::kNormal};
  KvTensorOptions projected = directions;
  projected.norm_correction = false;
  projected.qjl = true;
  KvTensorOptions tiled = three, tiled_time = time;
  tiled.group_size = -1;
  for (KvTensorOptions* options : {&tiled, &tiled_time}) {
    options->rotate = KvRotation::kSigned;
    options->scale_dtype = ScaleDtype::kFloat16;
    options->clip = 0.9;
    options->tile = 4;
  }
  return {
      {"none", {.mode = ViewMode::kNone}, four, four},
      {"all", {.mode = ViewMode::kAll}, four, three},
      {"past", {.mode = ViewMode::kPast}, four, three},
      {"past, groups across heads", {.mode = ViewMode::kPast}, across, across},
      {"past, keys only", {.mode = ViewMode::kPast}, four, exact},
      {"past, values only", {.mode = ViewMode::kPast}, exact, four},
      {"window", {.mode = ViewMode::kPast, .window = 7}, four, three},
      {"window and sinks", {.mode = ViewMode::kPast, .window = 5, .sinks = 3}, four, four},
      {"window longer than the text", {.mode = ViewMode::kPast, .window = 900}, four, four},
      {"prefill", {.mode = ViewMode::kPast, .prefill = 9}, four, three},
      {"prefill, window, sinks",
       {.mode = ViewMode::kPast, .window = 4, .sinks = 2, .prefill = 20},
       four,
       four},
      {"past, rotated", {.mode = ViewMode::kPast}, rotated_across, rotated},
      {"kivi, rotated", {.mode = ViewMode::kKivi, .window = 4}, rotated_time, rotated},
      {"kivi, one group a window", {.mode = ViewMode::kKivi, .window = 4}, time, three},
      {"kivi, two groups a window", {.mode = ViewMode::kKivi, .window = 8}, time, four},
      {"past, directions", {.mode = ViewMode::kPast, .sinks = 1}, directions, projected},
      {"tiles", {.mode = ViewMode::kTiles, .window = 4}, tiled_time, tiled},
      {"two tiles at once, sinks",
       {.mode = ViewMode::kTiles, .window = 8, .sinks = 16},
       tiled_time,
       tiled},
  };
}

AttentionInputs inputs(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       int64_t sliding_window) {
  return {.query = q, .key = k, .value = v, .sliding_window = sliding_window};
}

at::Tensor by_cache(const AttentionInputs& in, const KvCodec& codec, const KvViewOptions& view) {
  KvCache cache(codec, view);
  std::vector<at::Tensor> outputs;
  int64_t t = 0;
  const auto step = [&](int64_t n) {
    const auto part = [&](const at::Tensor& x) { return x.defined() ? x.narrow(2, t, n) : x; };
    outputs.push_back(cache.step({.query = part(in.query),
                                  .key = part(in.key),
                                  .value = part(in.value),
                                  .key_before_rope = part(in.key_before_rope),
                                  .rope = in.rope,
                                  .positions = t,
                                  .sliding_window = in.sliding_window}));
    t += n;
  };
  if (view.prefill > 0) step(view.prefill);
  while (t < in.query.size(2)) step(1);
  return at::cat(outputs, 2);
}

}  // namespace

TEST_CASE("attention: one pass equals decoding through the cache, every mode") {
  at::manual_seed(11);
  // 140 tokens cross the chunk of 128 queries; heads : kv_heads covers GQA, MQA and MHA; batch > 1.
  for (const auto& [heads, kv_heads] :
       std::vector<std::pair<int64_t, int64_t>>{{4, 2}, {3, 1}, {2, 2}}) {
    const at::Tensor q = at::randn({2, heads, 140, 8}, at::kDouble) * 2;
    const at::Tensor k = at::randn({2, kv_heads, 140, 8}, at::kDouble) + 0.5;
    const at::Tensor v = at::randn({2, kv_heads, 140, 8}, at::kDouble);
    for (const Case& c : cases()) {
      if (c.key.group_scope == GroupScope::kToken && kv_heads == 1) continue;
      for (const int64_t sliding : {0, 20}) {
        const KvCodec codec{{c.key, ChannelRange()}, {c.value, ChannelRange()}};
        const at::Tensor one_pass = quantized_attention(inputs(q, k, v, sliding), codec, c.view);
        const at::Tensor slow = by_cache(inputs(q, k, v, sliding), codec, c.view);
        INFO(c.name << ", heads " << heads << ":" << kv_heads << ", sliding window " << sliding);
        // The project's bound for equal views in float64.
        REQUIRE((one_pass - slow).abs().max().item<double>() < 1e-9);
      }
    }
  }
}

TEST_CASE("attention: keys quantized before RoPE, one pass equals decoding, every mode") {
  at::manual_seed(15);
  ModelConfig model;
  model.head_dim = 8;
  const Rope rope(model, at::kDouble, at::kCPU);
  const at::Tensor before = at::randn({2, 2, 60, 8}, at::kDouble) + at::arange(8) * 0.5;
  AttentionInputs in{.query = at::randn({2, 4, 60, 8}, at::kDouble),
                     .key = rope.apply(before, 0),
                     .value = at::randn({2, 2, 60, 8}, at::kDouble),
                     .key_before_rope = before,
                     .rope = &rope};
  ChannelRange range;
  range.add(before);
  for (Case c : cases()) {
    c.key.rope = KeyPoint::kBeforeRope;
    c.key.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.5};
    c.value.outliers = 0.25;
    for (const int64_t sliding : {0, 20}) {
      in.sliding_window = sliding;
      const KvCodec codec{{c.key, range}, {c.value, ChannelRange()}};
      const at::Tensor one_pass = quantized_attention(in, codec, c.view);
      INFO(c.name << ", sliding window " << sliding);
      // The project's bound for equal views in float64.
      REQUIRE((one_pass - by_cache(in, codec, c.view)).abs().max().item<double>() < 1e-9);
      if (c.key.identity() || c.view.mode == ViewMode::kNone || c.view.window > 60) continue;
      c.key.rope = KeyPoint::kAfterRope;
      const KvCodec other{{c.key, range}, codec.value};
      CHECK((one_pass - quantized_attention(in, other, c.view)).abs().max().item<double>() > 1e-3);
      c.key.rope = KeyPoint::kBeforeRope;
    }
  }
}

TEST_CASE("attention: static ranges and codebooks through the cache, keys before RoPE") {
  at::manual_seed(16);
  ModelConfig model;
  model.head_dim = 8;
  const Rope rope(model, at::kDouble, at::kCPU);
  const at::Tensor before = at::randn({1, 2, 40, 8}, at::kDouble);
  const AttentionInputs in{.query = at::randn({1, 2, 40, 8}, at::kDouble),
                           .key = rope.apply(before, 0),
                           .value = at::randn({1, 2, 40, 8}, at::kDouble),
                           .key_before_rope = before,
                           .rope = &rope};
  KvTensorOptions key{.bits = 2,
                      .rope = KeyPoint::kBeforeRope,
                      .range = KvRange::kStatic,
                      .grid = KvGrid::kNuq,
                      .outliers = 0.1};
  KvTensorOptions value{
      .bits = 2, .group_scope = GroupScope::kToken, .grid = KvGrid::kNuq, .outliers = 0.2};
  const at::Tensor codebook = at::tensor({-0.9, -0.2, 0.3, 0.8}, at::kDouble);
  const OutlierThresholds limits = outlier_thresholds(before[0].transpose(1, 2), 0.1);
  const KvCodec codec{{key, {}, {limits.low.squeeze(-1), limits.high.squeeze(-1), codebook}},
                      {value, {}, {.codebook = codebook}}};
  for (const KvViewOptions& view :
       {KvViewOptions{.mode = ViewMode::kAll}, KvViewOptions{.mode = ViewMode::kPast},
        KvViewOptions{.mode = ViewMode::kPast, .window = 3, .sinks = 1},
        KvViewOptions{.mode = ViewMode::kKivi, .window = 4}})
    REQUIRE((quantized_attention(in, codec, view) - by_cache(in, codec, view))
                .abs()
                .max()
                .item<double>() < 1e-9);
}

TEST_CASE("attention: the error of a pair keeps its size through RoPE, at every position") {
  at::manual_seed(17);
  ModelConfig model;
  model.head_dim = 8;
  const Rope rope(model, at::kDouble, at::kCPU);
  // One token repeated: before RoPE its copy is the same everywhere.
  const at::Tensor before = at::randn({1, 1, 1, 8}, at::kDouble).expand({1, 1, 50, 8});
  AttentionInputs in{.key = rope.apply(before, 0), .key_before_rope = before, .rope = &rope};
  const auto pair_error = [&](KeyPoint point) {
    const KvTensorCodec codec(KvTensorOptions{.bits = 3, .rope = point}, ChannelTransform());
    return (quantized_key(in, codec) - in.key).view({50, 2, 4}).square().sum(1).sqrt();
  };
  const at::Tensor error = pair_error(KeyPoint::kBeforeRope);
  // Rotations are orthonormal to rounding.
  REQUIRE((error - error.narrow(0, 0, 1)).abs().max().item<double>() < 1e-14);
  const at::Tensor after = pair_error(KeyPoint::kAfterRope);
  REQUIRE((after - after.narrow(0, 0, 1)).abs().max().item<double>() > 1e-3);
  // 16 bits before RoPE is the key after it, bit for bit.
  const KvTensorCodec exact(KvTensorOptions{.rope = KeyPoint::kBeforeRope}, ChannelTransform());
  REQUIRE(at::equal(quantized_key(in, exact), in.key));
}

TEST_CASE("attention: a channel that stands out is stationary before RoPE only") {
  at::manual_seed(18);
  ModelConfig model;
  model.head_dim = 8;
  const Rope rope(model, at::kDouble, at::kCPU);
  at::Tensor before = at::randn({1, 1, 400, 8}, at::kDouble);
  before.select(3, 1).add_(20);
  const AttentionInputs in{.key = rope.apply(before, 0), .key_before_rope = before, .rope = &rope};
  const auto error = [&](KeyPoint point) {
    const at::Tensor x = point == KeyPoint::kBeforeRope ? before : in.key;
    const GridConstants range{x.amin({0, 2}), x.amax({0, 2}), {}};
    const KvTensorCodec codec({.bits = 3, .rope = point, .range = KvRange::kStatic},
                              ChannelTransform(), range);
    return (quantized_key(in, codec) - in.key).square().mean().item<double>();
  };
  // Turned, the offset of 20 makes ranges of two channels about 46 wide in place of 6; the mean
  // over 8 channels grows by a quarter of the square of that.
  REQUIRE(error(KeyPoint::kBeforeRope) < 0.2 * error(KeyPoint::kAfterRope));
}

TEST_CASE("channels: a pair shares its scale before RoPE, by hand") {
  KvTensorOptions options{.bits = 4, .rope = KeyPoint::kBeforeRope};
  options.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 1.0};
  const ChannelRange range{at::tensor({-1.0, -2.0, -8.0, 0.0}, at::kDouble).view({1, 4}),
                           at::tensor({1.0, 2.0, 8.0, 4.0}, at::kDouble).view({1, 4})};
  const ChannelTransform channels = static_channels(options, range);
  // Half ranges 1, 2, 8, 2; pairs (0, 2) and (1, 3).
  const at::Tensor expected = at::tensor({std::sqrt(8.0), 2.0, std::sqrt(8.0), 2.0}, at::kDouble);
  REQUIRE((channels.scale[0] - expected).abs().max().item<double>() < 1e-15);
  REQUIRE(at::equal(channels.shift[0], at::tensor({0.0, 0.0, 0.0, 2.0}, at::kDouble)));
}

TEST_CASE("attention: static channels go through the cache unchanged") {
  at::manual_seed(12);
  const at::Tensor q = at::randn({1, 4, 40, 8}, at::kDouble),
                   v = at::randn({1, 2, 40, 8}, at::kDouble);
  const at::Tensor k = at::randn({1, 2, 40, 8}, at::kDouble) * 0.3 + at::arange(1, 9) * 4;
  KvTensorOptions options{.bits = 3};
  options.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.75};
  ChannelRange range;
  range.add(k);
  const KvCodec codec{{options, range}, {}};
  const KvViewOptions view{.mode = ViewMode::kPast};
  REQUIRE((quantized_attention(inputs(q, k, v, 0), codec, view) -
           by_cache(inputs(q, k, v, 0), codec, view))
              .abs()
              .max()
              .item<double>() < 1e-9);
  // Channels with offsets and unequal ranges are what the transformation is for.
  const KvCodec plain{{KvTensorOptions{.bits = 3}, ChannelRange()}, {}};
  REQUIRE((codec.key.fake(k) - k).abs().mean().item<double>() <
          0.5 * (plain.key.fake(k) - k).abs().mean().item<double>());
}

TEST_CASE("attention: the newest token is in full precision under past, by hand") {
  // One head, one channel, two tokens. Values 0 and 1 quantize exactly (they are their groups'
  // minima); key 2 of head_dim 2 does not.
  const at::Tensor k = at::tensor({1.0, 0.4, 0.0, 2.0, 0.9, -1.0}, at::kDouble).view({1, 1, 2, 3});
  const at::Tensor v = at::tensor({0.0, 0.0, 0.0, 1.0, 1.0, 1.0}, at::kDouble).view({1, 1, 2, 3});
  const at::Tensor q = at::ones({1, 1, 2, 3}, at::kDouble);
  const KvCodec codec{{KvTensorOptions{.bits = 2}, ChannelRange()},
                      {KvTensorOptions{.bits = 2}, ChannelRange()}};
  // Token 0 quantized: step 1/3, 0.4 -> 1/3, score (1 + 1/3) / sqrt(3). Token 1 exact: (2 + 0.9 -
  // 1) / sqrt(3); quantized, step 1: 2 + 1 - 1.
  const double past = 4.0 / 3, own = 1.9, own_quantized = 2.0, root = std::sqrt(3.0);
  const auto weight = [&](double a, double b) { return 1 / (1 + std::exp((a - b) / root)); };
  const auto last = [&](ViewMode mode) {
    return quantized_attention(inputs(q, k, v, 0), codec, {.mode = mode})[0][0][1][0]
        .item<double>();
  };
  REQUIRE(last(ViewMode::kPast) == Approx(weight(past, own)).epsilon(1e-12));
  REQUIRE(last(ViewMode::kAll) == Approx(weight(past, own_quantized)).epsilon(1e-12));
  REQUIRE(last(ViewMode::kNone) == Approx(weight(1.4, own)).epsilon(1e-12));
}

TEST_CASE(
    "attention: a row of a batch does not see another, padding on the right changes nothing") {
  at::manual_seed(13);
  const at::Tensor q = at::randn({3, 4, 33, 8}, at::kDouble),
                   k = at::randn({3, 2, 33, 8}, at::kDouble);
  const at::Tensor v = at::randn({3, 2, 33, 8}, at::kDouble);
  for (const Case& c : cases()) {
    if (c.view.prefill > 0) continue;
    const KvCodec codec{{c.key, ChannelRange()}, {c.value, ChannelRange()}};
    const at::Tensor whole = quantized_attention(inputs(q, k, v, 0), codec, c.view);
    for (const auto& [index, length] :
         std::vector<std::pair<int64_t, int64_t>>{{0, 33}, {1, 17}, {2, 2}}) {
      const auto part = [&, i = index, n = length](const at::Tensor& x) {
        return x.narrow(0, i, 1).narrow(2, 0, n);
      };
      INFO(c.name << ", row " << index);
      // Matrix products of another shape may sum in another order.
      REQUIRE(
          (quantized_attention(inputs(part(q), part(k), part(v), 0), codec, c.view) - part(whole))
              .abs()
              .max()
              .item<double>() < 1e-12);
    }
  }
}

TEST_CASE("attention: 16 bits in every mode is full precision, bit for bit") {
  at::manual_seed(14);
  const at::Tensor q = at::randn({1, 4, 30, 8}), k = at::randn({1, 2, 30, 8}),
                   v = at::randn({1, 2, 30, 8});
  for (const Case& c : cases())
    REQUIRE(
        at::equal(quantized_attention(inputs(q, k, v, 0), {}, c.view), full_attention(q, k, v, 0)));
}

TEST_CASE("view: masks of the table by hand") {
  const KvMask past({.mode = ViewMode::kPast}, true);
  REQUIRE((past.quantized(3, 2) && !past.quantized(3, 3)));
  const KvMask window({.mode = ViewMode::kPast, .window = 32, .sinks = 4}, true);
  REQUIRE((window.quantized(36, 4) && !window.quantized(36, 5) && !window.quantized(36, 3)));
  const KvMask prefill({.mode = ViewMode::kPast, .prefill = 8}, true);
  REQUIRE((!prefill.quantized(7, 0) && prefill.quantized(8, 7)));
  const KvViewOptions kivi{.mode = ViewMode::kKivi, .window = 4};
  REQUIRE((KvMask(kivi, true).quantized(4, 3) && !KvMask(kivi, true).quantized(7, 4)));
  REQUIRE((KvMask(kivi, false).quantized(5, 0) && !KvMask(kivi, false).quantized(4, 0)));
  REQUIRE(KvViewOptions{.mode = ViewMode::kPast, .window = 32, .sinks = 4}.name() == "past-w32-s4");
}
