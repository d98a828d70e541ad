#include "core/cache/packed_cache.h"

#include "core/cache/kv_cache.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;

namespace {

KvCodec codec_for(const at::Tensor& key, const at::Tensor& value) {
  KvTensorOptions options{.bits = 4, .group_size = 32, .scale_dtype = ScaleDtype::kFloat16};
  options.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.5};
  ChannelRange keys, values;
  keys.add(key);
  values.add(value);
  KvTensorOptions three = options;
  three.bits = 3;
  return {{options, keys}, {three, values}};
}

/// KIVI's: keys along time in groups of `group`, values within a token.
KvCodec kivi_codec(int64_t key_bits, int64_t value_bits, int64_t group, const at::Tensor& key) {
  KvTensorOptions of_key{.bits = key_bits,
                         .group_size = group,
                         .axis = KvAxis::kTime,
                         .scale_dtype = ScaleDtype::kFloat16};
  of_key.channel = {ChannelMode::kStatic, ChannelMode::kNone, 0.5};
  ChannelRange keys;
  keys.add(key);
  return {{of_key, keys}, {{.bits = value_bits, .group_size = 32}, ChannelRange()}};
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

AttentionInputs part(const AttentionInputs& in, int64_t from, int64_t n) {
  return {.query = in.query.narrow(2, from, n),
          .key = in.key.narrow(2, from, n),
          .value = in.value.narrow(2, from, n),
          .positions = from,
          .sliding_window = in.sliding_window};
}

template <class Cache>
at::Tensor decoded(Cache& cache, const AttentionInputs& in, int64_t prefill) {
  std::vector<at::Tensor> outputs;
  int64_t t = 0;
  if (prefill > 1) {
    outputs.push_back(cache.step(part(in, 0, prefill)));
    t = prefill;
  }
  for (; t < in.query.size(2); ++t) outputs.push_back(cache.step(part(in, t, 1)));
  return at::cat(outputs, 2);
}

AttentionInputs random_inputs(int64_t batch, int64_t tokens) {
  return {.query = at::randn({batch, 4, tokens, 64}),
          .key = at::randn({batch, 2, tokens, 64}) + at::randn({64}),
          .value = at::randn({batch, 2, tokens, 64})};
}

/// A packed cache by the kernels of a device against KvCache on the CPU.
void on_device(const test::TestDevice& on) {
  at::manual_seed(14);
  AttentionInputs in = random_inputs(2, 100);
  AttentionInputs moved = in;
  for (at::Tensor* x : {&moved.query, &moved.key, &moved.value}) *x = x->to(on.device);
  for (const KvViewOptions& view :
       {KvViewOptions{.mode = ViewMode::kAll},
        KvViewOptions{.mode = ViewMode::kPast, .window = 4, .sinks = 2, .prefill = 70},
        KvViewOptions{.mode = ViewMode::kKivi, .window = 32}}) {
    in.sliding_window = moved.sliding_window = view.mode == ViewMode::kAll ? 0 : 80;
    const auto codec_on = [&](const AttentionInputs& of) {
      return view.mode == ViewMode::kKivi ? kivi_codec(3, 4, 16, of.key)
                                          : codec_for(of.key, of.value);
    };
    PackedCache packed(codec_on(moved), view, "test", on.kernels);
    KvCache slow(codec_on(in), view);
    INFO(on.kernels->name << ", " << view.name());
    REQUIRE((decoded(packed, moved, view.prefill).cpu() - decoded(slow, in, view.prefill))
                .abs()
                .max()
                .item<double>() < test::attention_tolerance(at::kFloat));
  }
}

}  // namespace

TEST_CASE("packed cache: steps by device kernels as KvCache does, emulated") {
  for (const test::TestDevice& on : test::emulated_devices()) on_device(on);
}

TEST_CASE("packed cache: steps by device kernels as KvCache does, CUDA", "[cuda]") {
  for (const test::TestDevice& on : test::cuda_devices()) on_device(on);
}

TEST_CASE("packed cache: decodes as the cache does that it stands for, every view") {
  at::manual_seed(12);
  AttentionInputs in = random_inputs(2, 150);
  const KvCodec codec = codec_for(in.key, in.value);
  for (const KvViewOptions& view :
       {KvViewOptions{.mode = ViewMode::kPast}, KvViewOptions{.mode = ViewMode::kAll},
        KvViewOptions{.mode = ViewMode::kPast, .window = 9},
        KvViewOptions{.mode = ViewMode::kPast, .window = 5, .sinks = 3},
        KvViewOptions{.mode = ViewMode::kPast, .window = 900},
        KvViewOptions{.mode = ViewMode::kPast, .prefill = 20},
        KvViewOptions{.mode = ViewMode::kPast, .window = 4, .sinks = 2, .prefill = 70},
        KvViewOptions{.mode = ViewMode::kPast, .window = 100, .sinks = 80, .prefill = 70}}) {
    for (const int64_t sliding : {0, 30}) {
      in.sliding_window = sliding;
      PackedCache packed(codec, view);
      KvCache slow(codec, view);
      INFO(view.name() << ", sliding window " << sliding);
      // Both in float32: scores of size 10 and values of size 3, some tens of roundings.
      REQUIRE((decoded(packed, in, view.prefill) - decoded(slow, in, view.prefill))
                  .abs()
                  .max()
                  .item<double>() < 1e-5);
      REQUIRE(packed.tokens(1) == 150);
    }
  }
}

TEST_CASE("packed cache: a prompt token by token, what is kept is what the view keeps") {
  at::manual_seed(13);
  const AttentionInputs in = random_inputs(1, 40);
  const KvCodec codec = codec_for(in.key, in.value);
  const KvViewOptions view{.mode = ViewMode::kPast, .window = 6, .sinks = 2, .prefill = 20};
  PackedCache at_once(codec, view), singly(codec, view);
  const at::Tensor out = decoded(at_once, in, 20);
  for (int64_t t = 0; t < 40; ++t) {
    const at::Tensor y = singly.step(part(in, t, 1));
    REQUIRE((y - out.narrow(2, t, 1)).abs().max().item<double>() < 1e-5);
    if (t == 18) REQUIRE(singly.packed().tokens(0) == 0);
  }
  // 2 sinks, 5 of the window (the newest token to come is the sixth), the rest packed; 2 heads of
  // 64 in float32.
  REQUIRE(at_once.packed().tokens(0) == 33);
  REQUIRE(singly.packed().tokens(0) == 33);
  REQUIRE(at_once.exact_bytes() == 7 * 2 * 2 * 64 * 4);
}

TEST_CASE("packed cache: steps as the cache does under KIVI's windows, every bits") {
  at::manual_seed(15);
  AttentionInputs in = random_inputs(2, 210);
  struct Kivi {
    int64_t key_bits, value_bits, group, window;
  };
  for (const Kivi& k : {Kivi{2, 2, 16, 16}, Kivi{3, 8, 32, 32}, Kivi{4, 3, 16, 48},
                        Kivi{8, 4, 64, 64}, Kivi{2, 2, 32, 128}, Kivi{4, 4, 16, 256}})
    for (const int64_t sliding : {0, 30, 100}) {
      in.sliding_window = sliding;
      const KvViewOptions view{.mode = ViewMode::kKivi, .window = k.window};
      const KvCodec codec = kivi_codec(k.key_bits, k.value_bits, k.group, in.key);
      PackedCache packed(codec, view);
      KvCache slow(codec, view);
      INFO(view.name() << ", groups of " << k.group << ", sliding window " << sliding);
      for (int64_t t = 0; t < 210; ++t) {
        INFO("token " << t);
        // As above: roundings of float32.
        REQUIRE(distance(packed.step(part(in, t, 1)), slow.step(part(in, t, 1))) < 1e-5);
        REQUIRE(packed.encoded_keys(1) == slow.encoded_keys());
        REQUIRE(packed.encoded_values(1) == slow.encoded_values());
      }
    }
  // Rotated channels; and keys within a token, which leave a window at a time all the same.
  in.sliding_window = 0;
  KvTensorOptions rotated{.bits = 4, .group_size = 16, .axis = KvAxis::kTime};
  rotated.rotate = KvRotation::kHadamard;
  KvTensorOptions of_value = rotated;
  of_value.axis = KvAxis::kToken;
  of_value.group_size = 32;
  const KvCodec mixed{{rotated, ChannelRange()}, {of_value, ChannelRange()}};
  for (const auto& [codec, window] :
       {std::pair<KvCodec, int64_t>{mixed, 32},
        std::pair<KvCodec, int64_t>{codec_for(in.key, in.value), 9}}) {
    const KvViewOptions view{.mode = ViewMode::kKivi, .window = window};
    PackedCache packed(codec, view);
    KvCache slow(codec, view);
    REQUIRE(distance(decoded(packed, in, 0), decoded(slow, in, 0)) < 1e-5);
  }
}

TEST_CASE("packed cache: prompts under KIVI's windows are stored as their tokens would be") {
  at::manual_seed(16);
  const AttentionInputs in = random_inputs(3, 140);
  const KvViewOptions view{.mode = ViewMode::kKivi, .window = 32};
  const KvCodec codec = kivi_codec(2, 4, 16, in.key);
  const std::vector<int64_t> lengths{100, 1, 64};
  PackedCache together(codec, view);
  together.prompt(part(in, 0, 100), lengths);
  // 100 tokens: three windows of keys, all values but 32; 2 heads of 64.
  REQUIRE(together.encoded_keys(0) == 96);
  REQUIRE(together.encoded_values(0) == 68);
  REQUIRE(together.exact_bytes() == ((4 + 32) + (1 + 1) + (0 + 32)) * 2 * 64 * 4);
  std::vector<KvCache> alone(3, KvCache(codec, view));
  const auto of_row = [&](int64_t row, int64_t t) {
    const AttentionInputs one = part(in, t, 1);
    return AttentionInputs{.query = one.query.narrow(0, row, 1),
                           .key = one.key.narrow(0, row, 1),
                           .value = one.value.narrow(0, row, 1),
                           .positions = t};
  };
  for (size_t row = 0; row < 3; ++row)
    for (int64_t t = 0; t < lengths[row]; ++t)
      alone[row].step(of_row(static_cast<int64_t>(row), t));
  for (int64_t t = 100; t < 140; ++t) {
    const at::Tensor out = together.step(part(in, t, 1));
    for (size_t row = 0; row < 3; ++row)
      REQUIRE(distance(out[static_cast<int64_t>(row)],
                       alone[row].step(of_row(static_cast<int64_t>(row), t))[0]) < 1e-5);
  }
}

TEST_CASE("packed cache: prompts of unequal lengths decode as each does alone") {
  at::manual_seed(14);
  const AttentionInputs in = random_inputs(3, 60);
  const KvCodec codec = codec_for(in.key, in.value);
  const KvViewOptions view{.mode = ViewMode::kPast, .window = 3, .sinks = 2};
  const std::vector<int64_t> lengths{30, 1, 17};
  PackedCache together(codec, view);
  together.prompt(part(in, 0, 30), lengths);
  std::vector<at::Tensor> outputs;
  for (int64_t t = 30; t < 60; ++t) outputs.push_back(together.step(part(in, t, 1)));
  const at::Tensor out = at::cat(outputs, 2);
  for (int64_t row = 0; row < 3; ++row) {
    const auto of_row = [&](const at::Tensor& x) {
      const int64_t n = lengths[static_cast<size_t>(row)];
      return at::cat({x[row].narrow(1, 0, n), x[row].narrow(1, 30, 30)}, 1).unsqueeze(0);
    };
    const AttentionInputs alone{
        .query = of_row(in.query), .key = of_row(in.key), .value = of_row(in.value)};
    KvViewOptions its_view = view;
    its_view.prefill = lengths[static_cast<size_t>(row)];
    KvCache slow(codec, its_view);
    const at::Tensor expected = decoded(slow, alone, its_view.prefill);
    REQUIRE(
        (out[row] - expected[0].narrow(1, expected.size(2) - 30, 30)).abs().max().item<double>() <
        1e-5);
  }
}

TEST_CASE("packed cache: refuses views and shapes it does not serve") {
  using Catch::Matchers::Contains;
  const AttentionInputs in = random_inputs(1, 8);
  const KvCodec codec = codec_for(in.key, in.value);
  REQUIRE_THROWS_WITH(PackedCache(codec, {.mode = ViewMode::kNone}),
                      Contains("view 'none' is not supported; expected mode past, all or kivi"));
  const KvCodec timed = kivi_codec(4, 4, 16, in.key);
  for (const KvViewOptions& view :
       {KvViewOptions{.mode = ViewMode::kPast, .window = 16}, KvViewOptions{.mode = ViewMode::kAll},
        KvViewOptions{.mode = ViewMode::kKivi, .window = 24}})
    REQUIRE_THROWS_WITH(PackedCache(timed, view),
                        Contains("keys in groups of 16 along time under view '" + view.name() +
                                 "' are not supported; expected mode kivi"));
  PackedCache cache(codec, {.mode = ViewMode::kPast}, "block 3");
  REQUIRE_THROWS_WITH(cache.step(part(in, 0, 5)), Contains("block 3: got 5 tokens at once"));
  cache.step(part(in, 0, 1));
  AttentionInputs wrong = part(in, 1, 1);
  wrong.value = wrong.value * std::numeric_limits<double>::infinity();
  REQUIRE_THROWS_WITH(cache.step(wrong),
                      Contains("block 3: the value of token 1 of sequence 0 is not finite"));
}
